/**
 * The bytes of a KPL aggregated record, as the Kinesis Producer Library writes and the Kinesis Client Library reads them. Pure.
 *
 * ```
 *   F3 89 9A C2 | protobuf AggregatedRecord | MD5 of the protobuf (16 bytes)
 *
 *   AggregatedRecord { repeated string partition_key_table = 1; repeated string explicit_hash_key_table = 2;
 *                      repeated Record records = 3 }
 *   Record           { required uint64 partition_key_index = 1; optional uint64 explicit_hash_key_index = 2;
 *                      required bytes data = 3; repeated Tag tags = 4 }
 * ```
 * All partition keys come first, then all explicit hash keys, then all records; indexes are 0-based, in first-seen order, and
 * index 0 is written out. Source: aggregation-format.md and messages.proto of awslabs/amazon-kinesis-producer.
 */

export const magic = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2);

/** Magic and MD5 around the protobuf, in bytes. */
export const envelopeBytes = 20;

/** PartitionKey of every aggregated record; the events' own keys are inside. */
export const aggregatePartitionKey = 'a';

/** Protobuf tags: field number and wire type in one byte. */
export const tag = {
  /** Of AggregatedRecord. */
  partitionKey: 0x0a,
  explicitHashKey: 0x12,
  record: 0x1a,
  /** Of Record. */
  partitionKeyIndex: 0x08,
  explicitHashKeyIndex: 0x10,
  data: 0x1a,
} as const;

/** Bytes of a number as a protobuf varint; up to 2^28 - 1. */
export function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;
}

/** Writes a varint at `offset` and returns the offset behind it. */
export function writeVarint(bytes: Uint8Array, offset: number, value: number): number {
  let rest = value;
  let at = offset;
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}
