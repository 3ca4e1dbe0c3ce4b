/**
 * Where everything stands in a frame: entries that were encrypted together. Any thread; pure, and knows no key. `FORMAT.md` is its
 * prose, encryption.ts makes and opens what it lays out.
 *
 * ```
 *  0        64                       64 + length       80 + length
 *  ┌────────┬────────────────────────┬─────────────────┐
 *  │ header │ entries, encrypted     │ tag of AES-GCM  │         the header is its additional data, without the CRC
 *  └────────┴────────────────────────┴─────────────────┘
 *   0 u32 magic "SPLX"                        36 u32 key id
 *   4 u32 length of the entries               40 u32 x 2 salt, random for each segment ─┐ nonce of the frame
 *   8 u64 sequence of the first entry         48 u32 index of the frame with this salt ─┘
 *  16 u64 sequence of the last entry          52 u32 series
 *  24 f64 number of the segment ─┐            56 u32 zero
 *  32 u32 run tag                │            60 u32 CRC of bytes 0..59
 *     ... up to the salt's end: what the segment's key is made from
 * ```
 * AES-GCM keeps lengths, so an entry's position in the file is the same in clear and encrypted.
 */
import { crcOfWords } from './crc.ts';
import { entryHeaderBytes, type Memory, padded, payloadBytesMax } from './layout.ts';

export const frameHeaderBytes = 64;
export const frameTagBytes = 16;
/** What a frame adds to its entries. */
export const frameOverheadBytes = frameHeaderBytes + frameTagBytes;
/**
 * A frame takes no further entry beyond so many bytes, so only one that is larger by itself makes a larger frame. Smaller: more ciphers
 * (sealing a byte costs in frames of 16 KiB 1.6 times as much, of 4 KiB four times; bench/dlq-encryption). Larger: a damaged byte
 * costs more events, and it saves a tenth.
 */
export const frameEntriesBytesMax = 64 * 1024;
/** The bytes of a header that a segment's key is made from, that are the nonce, and that are authenticated. */
export const keySaltRange = [24, 48] as const;
export const nonceRange = [40, 52] as const;
export const additionalBytes = 60;

const frameMagic = 0x584c5053;
const lengthMax = padded(entryHeaderBytes + payloadBytesMax);

export interface FrameHeader {
  /** Of the entries. */
  readonly length: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly number: number;
  readonly tag: number;
  readonly keyId: number;
  readonly salt: readonly [number, number];
  readonly index: number;
  readonly kind: number;
}

export function writeFrameHeader({ words, floats }: Memory, offset: number, header: FrameHeader): void {
  const word = offset >>> 2;
  words[word] = frameMagic;
  words[word + 1] = header.length;
  words[word + 2] = header.firstSequence;
  words[word + 3] = header.firstSequence / 4294967296;
  words[word + 4] = header.lastSequence;
  words[word + 5] = header.lastSequence / 4294967296;
  floats[(offset >>> 3) + 3] = header.number;
  words[word + 8] = header.tag;
  words[word + 9] = header.keyId;
  words[word + 10] = header.salt[0];
  words[word + 11] = header.salt[1];
  words[word + 12] = header.index;
  words[word + 13] = header.kind;
  words[word + 14] = 0;
  words[word + 15] = crcOfWords(words, word, 15);
}

/** The word with which a frame begins stands at `offset`: there may be one. */
export function mayBeFrame({ words }: Memory, offset: number): boolean {
  return words[offset >>> 2] === frameMagic;
}

/** True when an undamaged frame header of the run `tag` (undefined: of any run) stands at `offset`, a multiple of 8. */
export function isFrameHeader(memory: Memory, offset: number, tag: number | undefined): boolean {
  const { words } = memory;
  const word = offset >>> 2;
  if (!mayBeFrame(memory, offset) || words[word + 15] !== crcOfWords(words, word, 15)) return false;
  if (tag !== undefined && words[word + 8] !== tag) return false;
  const length = words[word + 1]!;
  return length >= entryHeaderBytes && length <= lengthMax && length % 8 === 0;
}

/** Fields of the frame at an offset, once {@link isFrameHeader} has vouched for its header. */
export const frame = {
  length: ({ words }: Memory, offset: number): number => words[(offset >>> 2) + 1]!,
  /** Header, entries and tag. */
  bytes: ({ words }: Memory, offset: number): number => words[(offset >>> 2) + 1]! + frameOverheadBytes,
  firstSequence: ({ words }: Memory, offset: number): number =>
    (words[(offset >>> 2) + 3]! >>> 0) * 4294967296 + (words[(offset >>> 2) + 2]! >>> 0),
  lastSequence: ({ words }: Memory, offset: number): number =>
    (words[(offset >>> 2) + 5]! >>> 0) * 4294967296 + (words[(offset >>> 2) + 4]! >>> 0),
  number: ({ floats }: Memory, offset: number): number => floats[(offset >>> 3) + 3]!,
  tag: ({ words }: Memory, offset: number): number => words[(offset >>> 2) + 8]!,
  keyId: ({ words }: Memory, offset: number): number => words[(offset >>> 2) + 9]!,
  kind: ({ words }: Memory, offset: number): number => words[(offset >>> 2) + 13]!,
} as const;
