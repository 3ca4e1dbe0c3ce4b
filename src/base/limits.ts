/**
 * Limits that come from outside, and the bounds that follow. Any thread. Each says what it bounds and where it comes from.
 */

/** Records of one PutRecords request. Kinesis: API reference of PutRecords. */
export const recordsPerRequestMax = 500;
