/**
 * MD5 of partition keys: what makes a key into its place in the stream's hash range. Lane workers, once per event.
 *
 * A key fits one 64-byte block with its padding when it has at most 55 bytes, which nearly all keys do. Such a key is hashed
 * here, unrolled, without an object or a call into the runtime; `crypto.hash` would spend more on the way in and out than on
 * the hash (`bench/md5`). Longer inputs go to `crypto.hash`, which is faster per byte. Never used where MD5 would guard
 * anything: Kinesis and the KPL prescribe it for placement and for checksums.
 */
import { hash } from 'node:crypto';
import { assert } from '../base/assert.ts';

/** Bytes that fit one block beside the mandatory 0x80 and the 64-bit length. */
const oneBlockBytesMax = 55;

/** The padded block. One per thread (modules are instantiated per thread), overwritten by each call. */
const block = new Int32Array(16);

/**
 * Writes the MD5 of `bytes[offset .. offset + length)` to `out[outIndex .. outIndex + 4)`. Any length, 0 included; `bytes` may
 * view shared memory. Allocates nothing up to 55 bytes.
 *
 * The four words are MD5's own state a, b, c, d: the digest's bytes are each word in *little*-endian order. Kinesis reads the
 * digest as one big-endian 128-bit number, whose words w0..w3, most significant first, are these four with the bytes of each
 * reversed and taken as unsigned: `hashKeyOfMd5` of batch/hash-key.ts does that; its results compare word by word.
 */
export function md5Short(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: Int32Array | Uint32Array,
  outIndex: number,
): void {
  assert(offset >= 0 && length >= 0 && offset + length <= bytes.length, 'the key lies within the bytes');
  assert(outIndex >= 0 && outIndex + 4 <= out.length, 'the four words fit the output');
  if (length > oneBlockBytesMax) {
    md5Long(bytes.subarray(offset, offset + length), out, outIndex);
    return;
  }
  padInto(bytes, offset, length);
  hashBlock(out, outIndex);
}

function md5Long(input: Uint8Array, out: Int32Array | Uint32Array, outIndex: number): void {
  const digest = hash('md5', input, 'buffer');
  for (let word = 0; word < 4; word++) out[outIndex + word] = digest.readInt32LE(4 * word);
}

/** Fills the block: the key, 0x80, zeros, and the length in bits (its upper half is always 0 here). */
function padInto(bytes: Uint8Array, offset: number, length: number): void {
  const fullWords = length >>> 2;
  let at = offset;
  let word = 0;
  for (; word < fullWords; word++, at += 4) {
    block[word] = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  }
  const rest = length & 3;
  let last = 0x80 << (8 * rest);
  if (rest > 0) last |= bytes[at]!;
  if (rest > 1) last |= bytes[at + 1]! << 8;
  if (rest > 2) last |= bytes[at + 2]! << 16;
  block[word++] = last;
  for (; word < 14; word++) block[word] = 0;
  block[14] = length << 3;
}

/**
 * MD5's compression of the block from the initial state (RFC 1321, section 3.4): 64 steps, two statements each. Longer than
 * a screen on purpose: a loop over tables takes three times as long. In each sum the terms that are known early stand first,
 * so that only the round's function waits for the step before.
 */
// biome-ignore format: one step per line
function hashBlock(out: Int32Array | Uint32Array, outIndex: number): void {
  const m0 = block[0]!, m1 = block[1]!, m2 = block[2]!, m3 = block[3]!, m4 = block[4]!, m5 = block[5]!, m6 = block[6]!;
  const m7 = block[7]!, m8 = block[8]!, m9 = block[9]!, m10 = block[10]!, m11 = block[11]!, m12 = block[12]!;
  const m13 = block[13]!, m14 = block[14]!, m15 = block[15]!;
  let a = 0x67452301, b = 0xefcdab89 | 0, c = 0x98badcfe | 0, d = 0x10325476;

  // Round 1: where b then c else d.
  a = (a + m0  + 0xd76aa478 + (d ^ (b & (c ^ d)))) | 0; a = (b + ((a << 7) | (a >>> 25))) | 0;
  d = (d + m1  + 0xe8c7b756 + (c ^ (a & (b ^ c)))) | 0; d = (a + ((d << 12) | (d >>> 20))) | 0;
  c = (c + m2  + 0x242070db + (b ^ (d & (a ^ b)))) | 0; c = (d + ((c << 17) | (c >>> 15))) | 0;
  b = (b + m3  + 0xc1bdceee + (a ^ (c & (d ^ a)))) | 0; b = (c + ((b << 22) | (b >>> 10))) | 0;
  a = (a + m4  + 0xf57c0faf + (d ^ (b & (c ^ d)))) | 0; a = (b + ((a << 7) | (a >>> 25))) | 0;
  d = (d + m5  + 0x4787c62a + (c ^ (a & (b ^ c)))) | 0; d = (a + ((d << 12) | (d >>> 20))) | 0;
  c = (c + m6  + 0xa8304613 + (b ^ (d & (a ^ b)))) | 0; c = (d + ((c << 17) | (c >>> 15))) | 0;
  b = (b + m7  + 0xfd469501 + (a ^ (c & (d ^ a)))) | 0; b = (c + ((b << 22) | (b >>> 10))) | 0;
  a = (a + m8  + 0x698098d8 + (d ^ (b & (c ^ d)))) | 0; a = (b + ((a << 7) | (a >>> 25))) | 0;
  d = (d + m9  + 0x8b44f7af + (c ^ (a & (b ^ c)))) | 0; d = (a + ((d << 12) | (d >>> 20))) | 0;
  c = (c + m10 + 0xffff5bb1 + (b ^ (d & (a ^ b)))) | 0; c = (d + ((c << 17) | (c >>> 15))) | 0;
  b = (b + m11 + 0x895cd7be + (a ^ (c & (d ^ a)))) | 0; b = (c + ((b << 22) | (b >>> 10))) | 0;
  a = (a + m12 + 0x6b901122 + (d ^ (b & (c ^ d)))) | 0; a = (b + ((a << 7) | (a >>> 25))) | 0;
  d = (d + m13 + 0xfd987193 + (c ^ (a & (b ^ c)))) | 0; d = (a + ((d << 12) | (d >>> 20))) | 0;
  c = (c + m14 + 0xa679438e + (b ^ (d & (a ^ b)))) | 0; c = (d + ((c << 17) | (c >>> 15))) | 0;
  b = (b + m15 + 0x49b40821 + (a ^ (c & (d ^ a)))) | 0; b = (c + ((b << 22) | (b >>> 10))) | 0;
  // Round 2: where d then b else c.
  a = (a + m1  + 0xf61e2562 + (c & ~d) + (b & d)) | 0; a = (b + ((a << 5) | (a >>> 27))) | 0;
  d = (d + m6  + 0xc040b340 + (b & ~c) + (a & c)) | 0; d = (a + ((d << 9) | (d >>> 23))) | 0;
  c = (c + m11 + 0x265e5a51 + (a & ~b) + (d & b)) | 0; c = (d + ((c << 14) | (c >>> 18))) | 0;
  b = (b + m0  + 0xe9b6c7aa + (d & ~a) + (c & a)) | 0; b = (c + ((b << 20) | (b >>> 12))) | 0;
  a = (a + m5  + 0xd62f105d + (c & ~d) + (b & d)) | 0; a = (b + ((a << 5) | (a >>> 27))) | 0;
  d = (d + m10 + 0x02441453 + (b & ~c) + (a & c)) | 0; d = (a + ((d << 9) | (d >>> 23))) | 0;
  c = (c + m15 + 0xd8a1e681 + (a & ~b) + (d & b)) | 0; c = (d + ((c << 14) | (c >>> 18))) | 0;
  b = (b + m4  + 0xe7d3fbc8 + (d & ~a) + (c & a)) | 0; b = (c + ((b << 20) | (b >>> 12))) | 0;
  a = (a + m9  + 0x21e1cde6 + (c & ~d) + (b & d)) | 0; a = (b + ((a << 5) | (a >>> 27))) | 0;
  d = (d + m14 + 0xc33707d6 + (b & ~c) + (a & c)) | 0; d = (a + ((d << 9) | (d >>> 23))) | 0;
  c = (c + m3  + 0xf4d50d87 + (a & ~b) + (d & b)) | 0; c = (d + ((c << 14) | (c >>> 18))) | 0;
  b = (b + m8  + 0x455a14ed + (d & ~a) + (c & a)) | 0; b = (c + ((b << 20) | (b >>> 12))) | 0;
  a = (a + m13 + 0xa9e3e905 + (c & ~d) + (b & d)) | 0; a = (b + ((a << 5) | (a >>> 27))) | 0;
  d = (d + m2  + 0xfcefa3f8 + (b & ~c) + (a & c)) | 0; d = (a + ((d << 9) | (d >>> 23))) | 0;
  c = (c + m7  + 0x676f02d9 + (a & ~b) + (d & b)) | 0; c = (d + ((c << 14) | (c >>> 18))) | 0;
  b = (b + m12 + 0x8d2a4c8a + (d & ~a) + (c & a)) | 0; b = (c + ((b << 20) | (b >>> 12))) | 0;
  // Round 3: b xor c xor d.
  a = (a + m5  + 0xfffa3942 + (b ^ (c ^ d))) | 0; a = (b + ((a << 4) | (a >>> 28))) | 0;
  d = (d + m8  + 0x8771f681 + (a ^ (b ^ c))) | 0; d = (a + ((d << 11) | (d >>> 21))) | 0;
  c = (c + m11 + 0x6d9d6122 + (d ^ (a ^ b))) | 0; c = (d + ((c << 16) | (c >>> 16))) | 0;
  b = (b + m14 + 0xfde5380c + (c ^ (d ^ a))) | 0; b = (c + ((b << 23) | (b >>> 9))) | 0;
  a = (a + m1  + 0xa4beea44 + (b ^ (c ^ d))) | 0; a = (b + ((a << 4) | (a >>> 28))) | 0;
  d = (d + m4  + 0x4bdecfa9 + (a ^ (b ^ c))) | 0; d = (a + ((d << 11) | (d >>> 21))) | 0;
  c = (c + m7  + 0xf6bb4b60 + (d ^ (a ^ b))) | 0; c = (d + ((c << 16) | (c >>> 16))) | 0;
  b = (b + m10 + 0xbebfbc70 + (c ^ (d ^ a))) | 0; b = (c + ((b << 23) | (b >>> 9))) | 0;
  a = (a + m13 + 0x289b7ec6 + (b ^ (c ^ d))) | 0; a = (b + ((a << 4) | (a >>> 28))) | 0;
  d = (d + m0  + 0xeaa127fa + (a ^ (b ^ c))) | 0; d = (a + ((d << 11) | (d >>> 21))) | 0;
  c = (c + m3  + 0xd4ef3085 + (d ^ (a ^ b))) | 0; c = (d + ((c << 16) | (c >>> 16))) | 0;
  b = (b + m6  + 0x04881d05 + (c ^ (d ^ a))) | 0; b = (c + ((b << 23) | (b >>> 9))) | 0;
  a = (a + m9  + 0xd9d4d039 + (b ^ (c ^ d))) | 0; a = (b + ((a << 4) | (a >>> 28))) | 0;
  d = (d + m12 + 0xe6db99e5 + (a ^ (b ^ c))) | 0; d = (a + ((d << 11) | (d >>> 21))) | 0;
  c = (c + m15 + 0x1fa27cf8 + (d ^ (a ^ b))) | 0; c = (d + ((c << 16) | (c >>> 16))) | 0;
  b = (b + m2  + 0xc4ac5665 + (c ^ (d ^ a))) | 0; b = (c + ((b << 23) | (b >>> 9))) | 0;
  // Round 4: c xor (b or not d).
  a = (a + m0  + 0xf4292244 + (c ^ (b | ~d))) | 0; a = (b + ((a << 6) | (a >>> 26))) | 0;
  d = (d + m7  + 0x432aff97 + (b ^ (a | ~c))) | 0; d = (a + ((d << 10) | (d >>> 22))) | 0;
  c = (c + m14 + 0xab9423a7 + (a ^ (d | ~b))) | 0; c = (d + ((c << 15) | (c >>> 17))) | 0;
  b = (b + m5  + 0xfc93a039 + (d ^ (c | ~a))) | 0; b = (c + ((b << 21) | (b >>> 11))) | 0;
  a = (a + m12 + 0x655b59c3 + (c ^ (b | ~d))) | 0; a = (b + ((a << 6) | (a >>> 26))) | 0;
  d = (d + m3  + 0x8f0ccc92 + (b ^ (a | ~c))) | 0; d = (a + ((d << 10) | (d >>> 22))) | 0;
  c = (c + m10 + 0xffeff47d + (a ^ (d | ~b))) | 0; c = (d + ((c << 15) | (c >>> 17))) | 0;
  b = (b + m1  + 0x85845dd1 + (d ^ (c | ~a))) | 0; b = (c + ((b << 21) | (b >>> 11))) | 0;
  a = (a + m8  + 0x6fa87e4f + (c ^ (b | ~d))) | 0; a = (b + ((a << 6) | (a >>> 26))) | 0;
  d = (d + m15 + 0xfe2ce6e0 + (b ^ (a | ~c))) | 0; d = (a + ((d << 10) | (d >>> 22))) | 0;
  c = (c + m6  + 0xa3014314 + (a ^ (d | ~b))) | 0; c = (d + ((c << 15) | (c >>> 17))) | 0;
  b = (b + m13 + 0x4e0811a1 + (d ^ (c | ~a))) | 0; b = (c + ((b << 21) | (b >>> 11))) | 0;
  a = (a + m4  + 0xf7537e82 + (c ^ (b | ~d))) | 0; a = (b + ((a << 6) | (a >>> 26))) | 0;
  d = (d + m11 + 0xbd3af235 + (b ^ (a | ~c))) | 0; d = (a + ((d << 10) | (d >>> 22))) | 0;
  c = (c + m2  + 0x2ad7d2bb + (a ^ (d | ~b))) | 0; c = (d + ((c << 15) | (c >>> 17))) | 0;
  b = (b + m9  + 0xeb86d391 + (d ^ (c | ~a))) | 0; b = (c + ((b << 21) | (b >>> 11))) | 0;

  out[outIndex] = (a + 0x67452301) | 0;
  out[outIndex + 1] = (b + 0xefcdab89) | 0;
  out[outIndex + 2] = (c + 0x98badcfe) | 0;
  out[outIndex + 3] = (d + 0x10325476) | 0;
}
