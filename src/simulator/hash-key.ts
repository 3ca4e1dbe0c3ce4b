/** Hash keys: the position of a record in a stream's range of 0 .. 2^128 - 1. Pure. */
import { createHash } from 'node:crypto';

export const hashKeyMax = 2n ** 128n - 1n;

/** A decimal without sign or leading zeros, of at most 39 digits: what the API takes as ExplicitHashKey. */
export const hashKeyPattern = '0|([1-9]\\d{0,38})';

/** MD5 of the partition key's UTF-8 bytes, read as a big-endian number. */
export function hashOfKey(partitionKey: string | Uint8Array): bigint {
  return BigInt(`0x${createHash('md5').update(partitionKey).digest('hex')}`);
}
