/**
 * Where everything stands in a segment: with frames.ts, for encrypted ones, the only file that knows offsets of the format.
 * `FORMAT.md` is its prose. Any thread.
 *
 * ```
 *  segment header, 64 bytes                           entry, 48 bytes + payload, a multiple of 8
 *   0 u32 magic "SPLS"                                 0 u32 magic "SPLE"
 *   4 u32 version                                      4 u32 payload length without padding
 *   8 u32 series: 1 spill, 2 dead, 3 journal           8 u64 sequence
 *  12 u32 run tag                                     16 f64 first seen, microseconds since 1970
 *  16 f64 segment number                              24 u32 attempts
 *  24 f64 first sequence                              28 u8  series, u8 reason, u8 name length, u8 flags (1: hash key)
 *  32 f64 created, milliseconds since 1970            32 u32 partition key length
 *  40 f64 number of the segment it continues, or 0    36 u32 run tag
 *  48 u32 key id in version 2, else zero              40 u32 CRC of the padded payload
 *  52 u32 x 2 zero                                    44 u32 CRC of bytes 0..43
 *  60 u32 CRC of bytes 0..59                          48 stream name, [hash key: 16], partition key, data, zeros to 8
 * ```
 */
import { endianness } from 'node:os';
import { assert } from '../base/assert.ts';
import { crcOfWords } from './crc.ts';

assert(endianness() === 'LE', 'segments are little-endian, and so is the machine');

/** Entries as they are. */
export const formatVersion = 1;
/** Entries in encrypted frames. */
export const sealedVersion = 2;

export function isKnownVersion(version: number): boolean {
  return version === formatVersion || version === sealedVersion;
}

/**
 * The series of segments: spills go back by themselves, dead letters stay; the journal has what is in rings and was promised to
 * be on disk, and what it holds of an ended run goes back as that run's spills. The values stand on disk.
 */
export const Kind = { spill: 1, dead: 2, journal: 3 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];
export const kindNames = { [Kind.spill]: 'spill', [Kind.dead]: 'dead', [Kind.journal]: 'journal' } as const;

export const segmentHeaderBytes = 64;
export const entryHeaderBytes = 48;
export const hashKeyBytes = 16;
/** Longest stream name in UTF-8 bytes: one byte holds its length. */
export const streamNameBytesMax = 255;
/** Largest payload that a reader believes in: Kinesis' 10 MiB record, its key, a hash key, a name, and as much again. */
export const payloadBytesMax = 24 * 1024 ** 2;

const segmentMagic = 0x534c5053;
const entryMagic = 0x454c5053;
const hashKeyFlag = 1;

/** Memory that entries are written to or read from: three views of the same bytes, each from the memory's start. */
export interface Memory {
  readonly buffer: Buffer;
  readonly words: Int32Array;
  readonly floats: Float64Array;
}

/** Memory outside of the arena, for recovery and tools. */
export function heapMemory(length: number): Memory {
  const bytes = new ArrayBuffer(Math.ceil(length / 8) * 8);
  return { buffer: Buffer.from(bytes), words: new Int32Array(bytes), floats: new Float64Array(bytes) };
}

/** The next multiple of 8: entries stay aligned, so words can be read in place and a scan need not look at every byte. */
export function padded(length: number): number {
  return (length + 7) & ~7;
}

/** Bytes that one event takes in a segment. */
export function entryBytes(nameLength: number, hasHashKey: boolean, keyLength: number, dataLength: number): number {
  return entryHeaderBytes + padded(nameLength + (hasHashKey ? hashKeyBytes : 0) + keyLength + dataLength);
}

export interface SegmentHeader {
  readonly version: number;
  readonly kind: number;
  /** Chosen at random by each run: an entry inside of somebody's data cannot pass for an entry of the segment. */
  readonly tag: number;
  readonly number: number;
  readonly firstSequence: number;
  readonly createdMs: number;
  /** The segment that could not be written to its end: its entries from `firstSequence` on stand here instead. 0: none. */
  readonly continues: number;
  /** Of the key that its frames were encrypted with; means nothing in {@link formatVersion}. */
  readonly keyId: number;
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const { buffer, words, floats } = heapMemory(segmentHeaderBytes);
  words[0] = segmentMagic;
  words[1] = header.version;
  words[2] = header.kind;
  words[3] = header.tag;
  floats[2] = header.number;
  floats[3] = header.firstSequence;
  floats[4] = header.createdMs;
  floats[5] = header.continues;
  words[12] = header.keyId;
  words[15] = crcOfWords(words, 0, 15);
  return buffer;
}

/** The header at the start of `memory`, or undefined when it is damaged. The version is not judged. */
export function decodeSegmentHeader({ words, floats }: Memory): SegmentHeader | undefined {
  if (words[0] !== segmentMagic || words[15] !== crcOfWords(words, 0, 15)) return undefined;
  return {
    version: words[1]!,
    kind: words[2]!,
    tag: words[3]!,
    number: floats[2]!,
    firstSequence: floats[3]!,
    createdMs: floats[4]!,
    continues: floats[5]!,
    keyId: words[12]!,
  };
}

/** Writes all of an entry's header but its two checksums at `offset`, a multiple of 8. */
export function writeEntryHeader(
  { words, floats }: Memory,
  offset: number,
  kind: Kind,
  payloadLength: number,
  sequence: number,
  firstSeenUs: number,
  attempts: number,
  reason: number,
  nameLength: number,
  hasHashKey: boolean,
  keyLength: number,
  tag: number,
): void {
  const word = offset >>> 2;
  words[word] = entryMagic;
  words[word + 1] = payloadLength;
  words[word + 2] = sequence;
  words[word + 3] = sequence / 4294967296;
  floats[(offset >>> 3) + 2] = firstSeenUs;
  words[word + 6] = attempts;
  words[word + 7] = kind | (reason << 8) | (nameLength << 16) | ((hasHashKey ? hashKeyFlag : 0) << 24);
  words[word + 8] = keyLength;
  words[word + 9] = tag;
}

/** Completes a header: the payload's checksum, then the header's own, which makes the entry whole. */
export function sealEntryHeader({ words }: Memory, offset: number, payloadCrc: number): void {
  const word = offset >>> 2;
  words[word + 10] = payloadCrc;
  words[word + 11] = crcOfWords(words, word, 11);
}

/** True when an undamaged entry header of the run `tag` (undefined: of any run) stands at `offset`, a multiple of 8. */
export function isEntryHeader({ words }: Memory, offset: number, tag: number | undefined): boolean {
  const word = offset >>> 2;
  if (words[word] !== entryMagic || words[word + 11] !== crcOfWords(words, word, 11)) return false;
  if (tag !== undefined && words[word + 9] !== tag) return false;
  const payloadLength = words[word + 1]!;
  if (payloadLength < 0 || payloadLength > payloadBytesMax) return false;
  return entry.dataOffset({ words }, offset) <= offset + entryHeaderBytes + payloadLength;
}

/** Fields of the entry at an offset, once {@link isEntryHeader} has vouched for its header. All offsets are the memory's. */
export const entry = {
  payloadLength: ({ words }: Words, offset: number): number => words[(offset >>> 2) + 1]!,
  bytes: ({ words }: Words, offset: number): number => entryHeaderBytes + padded(words[(offset >>> 2) + 1]!),
  sequence: ({ words }: Words, offset: number): number =>
    (words[(offset >>> 2) + 3]! >>> 0) * 4294967296 + (words[(offset >>> 2) + 2]! >>> 0),
  firstSeenUs: ({ floats }: Memory, offset: number): number => floats[(offset >>> 3) + 2]!,
  attempts: ({ words }: Words, offset: number): number => words[(offset >>> 2) + 6]! >>> 0,
  kind: ({ words }: Words, offset: number): number => words[(offset >>> 2) + 7]! & 255,
  reason: ({ words }: Words, offset: number): number => (words[(offset >>> 2) + 7]! >>> 8) & 255,
  nameLength: ({ words }: Words, offset: number): number => (words[(offset >>> 2) + 7]! >>> 16) & 255,
  hasHashKey: ({ words }: Words, offset: number): boolean => words[(offset >>> 2) + 7]! >>> 24 === hashKeyFlag,
  keyLength: ({ words }: Words, offset: number): number => words[(offset >>> 2) + 8]!,
  tag: ({ words }: Words, offset: number): number => words[(offset >>> 2) + 9]!,
  payloadCrc: ({ words }: Words, offset: number): number => words[(offset >>> 2) + 10]!,
  nameOffset: (offset: number): number => offset + entryHeaderBytes,
  /** Of the 16 bytes, big-endian; 0 when the entry has none. */
  hashKeyOffset: (memory: Words, offset: number): number =>
    entry.hasHashKey(memory, offset) ? offset + entryHeaderBytes + entry.nameLength(memory, offset) : 0,
  keyOffset: (memory: Words, offset: number): number =>
    offset +
    entryHeaderBytes +
    entry.nameLength(memory, offset) +
    (entry.hasHashKey(memory, offset) ? hashKeyBytes : 0),
  dataOffset: (memory: Words, offset: number): number =>
    entry.keyOffset(memory, offset) + entry.keyLength(memory, offset),
  dataLength: (memory: Words, offset: number): number =>
    offset + entryHeaderBytes + entry.payloadLength(memory, offset) - entry.dataOffset(memory, offset),
} as const;

interface Words {
  readonly words: Int32Array;
}
