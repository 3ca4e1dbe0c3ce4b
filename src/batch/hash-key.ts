/**
 * Hash keys: the unsigned 128-bit numbers that place an event on a shard. Lane workers, for shard prediction and for each
 * record's ExplicitHashKey; the main thread and the shard map parse them from text. Pure.
 *
 * A hash key is four unsigned 32-bit words, most significant first, at some index of a Uint32Array, so that thousands lie in
 * one array and comparing two is a loop over words. Outside, Kinesis writes them in decimal without leading zeros.
 *
 * ```
 *   words[index]     words[index+1]    words[index+2]    words[index+3]
 *   bits 127..96     bits 95..64       bits 63..32       bits 31..0
 * ```
 */
import { assert } from '../base/assert.ts';

/** Words of one hash key. */
export const hashKeyWords = 4;

/** Decimal digits of 2^128 - 1, the greatest hash key. */
const digitsMax = 39;

/** Negative, 0 or positive as the key at `left[leftIndex]` is less than, equal to or greater than the one at `right[rightIndex]`. */
export function compareHashKeys(left: Uint32Array, leftIndex: number, right: Uint32Array, rightIndex: number): number {
  for (let word = 0; word < hashKeyWords; word++) {
    const difference = left[leftIndex + word]! - right[rightIndex + word]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The hash key of a digest that `md5Short` wrote: the same bytes, read as one big-endian number. In place is allowed. */
export function hashKeyOfMd5(md5: Uint32Array, md5Index: number, words: Uint32Array, index: number): void {
  for (let word = 0; word < hashKeyWords; word++) {
    const state = md5[md5Index + word]!;
    words[index + word] = (state << 24) | ((state & 0xff00) << 8) | ((state >>> 8) & 0xff00) | (state >>> 24);
  }
}

/** The hash key that stands big-endian in `bytes[offset .. offset + 16)`, as listeners pass explicit ones. */
export function hashKeyOfBytes(bytes: Uint8Array, offset: number, words: Uint32Array, index: number): void {
  assert(offset >= 0 && offset + 16 <= bytes.length, 'the 16 bytes of a hash key lie within the bytes');
  for (let word = 0; word < hashKeyWords; word++) {
    const at = offset + 4 * word;
    words[index + word] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }
}

/** Writes the hash key big-endian to `bytes[offset .. offset + 16)`. */
export function hashKeyToBytes(words: Uint32Array, index: number, bytes: Uint8Array, offset: number): void {
  assert(offset >= 0 && offset + 16 <= bytes.length, 'the 16 bytes of a hash key lie within the bytes');
  for (let word = 0; word < hashKeyWords; word++) {
    const value = words[index + word]!;
    const at = offset + 4 * word;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  }
}

/**
 * The four words of a decimal hash key, or undefined where Kinesis would refuse the text: anything but ASCII digits, a leading
 * zero ("0" itself is a key), nothing, or more than 2^128 - 1.
 */
export function parseHashKey(text: string): Uint32Array | undefined {
  if (text.length > digitsMax || !/^(?:0|[1-9][0-9]*)$/.test(text)) return undefined;
  const value = BigInt(text);
  if (value >> 128n !== 0n) return undefined;
  // Conversion to a Uint32Array's element is modulo 2^32, but from a BigInt it must be asked for.
  return Uint32Array.of(word32(value >> 96n), word32(value >> 64n), word32(value >> 32n), word32(value));
}

function word32(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

/**
 * The hash key in decimal, as ExplicitHashKey wants it. Once per record. By BigInt, 190 ns: long division of the words by 10^9
 * in doubles took 310 ns.
 */
export function formatHashKey(words: Uint32Array, index: number): string {
  assert(index >= 0 && index + hashKeyWords <= words.length, 'the four words lie within the array');
  const upper = (BigInt(words[index]!) << 32n) | BigInt(words[index + 1]!);
  const lower = (BigInt(words[index + 2]!) << 32n) | BigInt(words[index + 3]!);
  return ((upper << 64n) | lower).toString();
}
