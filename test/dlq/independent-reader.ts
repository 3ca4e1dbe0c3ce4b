/**
 * Reads segments the way src/dlq/FORMAT.md describes them, sharing no code with src/dlq, so that one mistake in both directions
 * cannot hide. Only tests import it; slow, and strict: it stops at the first byte that is not as described.
 */
import { createDecipheriv, hkdfSync } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

export interface ReadEntry {
  readonly sequence: number;
  readonly firstSeenUs: number;
  readonly attempts: number;
  readonly series: number;
  readonly reason: number;
  readonly stream: string;
  readonly hashKey: string | undefined;
  readonly key: string;
  readonly data: string;
}

/**
 * Whole entries from the start of a segment's bytes, and where the first byte lies that is none; undefined: a bad header. `key`: of
 * segments that are encrypted.
 */
export function readSegment(bytes: Buffer, key?: Buffer): { entries: ReadEntry[]; end: number } | undefined {
  if (bytes.length < 64 || bytes.toString('latin1', 0, 4) !== 'SPLS') return undefined;
  if (bytes.readUInt32LE(60) !== crc32(bytes.subarray(0, 60))) return undefined;
  const [version, tag] = [bytes.readUInt32LE(4), bytes.readUInt32LE(12)];
  if (version === 2)
    return key === undefined || bytes.readUInt32LE(48) !== idOf(key) ? undefined : readFrames(bytes, tag, key);
  return version === 1 ? readEntries(bytes, 64, bytes.length, tag) : undefined;
}

function readEntries(bytes: Buffer, from: number, to: number, tag: number): { entries: ReadEntry[]; end: number } {
  const entries: ReadEntry[] = [];
  for (let at = from; ; ) {
    const found = readEntry(bytes.subarray(0, to), at, tag);
    if (found === undefined) return { entries, end: at };
    entries.push(found.entry);
    at = found.end;
  }
}

/** The key's id, as segments and frames have it. */
export function idOf(key: Buffer): number {
  return Buffer.from(hkdfSync('sha256', key, '', 'spillway key id', 4)).readUInt32LE(0);
}

function readFrames(bytes: Buffer, tag: number, key: Buffer): { entries: ReadEntry[]; end: number } {
  const entries: ReadEntry[] = [];
  for (let at = 64; ; ) {
    const plain = openFrame(bytes, at, tag, key);
    if (plain === undefined) return { entries, end: at };
    const inside = readEntries(plain, 0, plain.length, tag);
    const [first, last] = [inside.entries[0], inside.entries.at(-1)];
    const isWhole = inside.end === plain.length && first?.sequence === Number(bytes.readBigUInt64LE(at + 8));
    if (!isWhole || last?.sequence !== Number(bytes.readBigUInt64LE(at + 16)))
      throw new Error(`frame at ${at}: not its entries`);
    entries.push(...inside.entries);
    at += 80 + plain.length;
  }
}

/** What stands in the frame at `at`, in clear; undefined: there is no whole one. */
function openFrame(bytes: Buffer, at: number, tag: number, key: Buffer): Buffer | undefined {
  if (at + 64 > bytes.length || bytes.toString('latin1', at, at + 4) !== 'SPLX') return undefined;
  const header = bytes.subarray(at, at + 64);
  if (header.readUInt32LE(60) !== crc32(header.subarray(0, 60)) || header.readUInt32LE(32) !== tag) return undefined;
  const isOfSegment =
    header.readDoubleLE(24) === bytes.readDoubleLE(16) && header.readUInt32LE(52) === bytes.readUInt32LE(8);
  const end = at + 64 + header.readUInt32LE(4);
  if (!isOfSegment || header.readUInt32LE(36) !== idOf(key) || end + 16 > bytes.length) return undefined;
  const segmentKey = Buffer.from(hkdfSync('sha256', key, header.subarray(24, 48), 'spillway segment', 32));
  const decipher = createDecipheriv('aes-256-gcm', segmentKey, header.subarray(40, 52));
  decipher.setAAD(header.subarray(0, 60)).setAuthTag(bytes.subarray(end, end + 16));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(at + 64, end)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function readEntry(bytes: Buffer, at: number, tag: number): { entry: ReadEntry; end: number } | undefined {
  if (at + 48 > bytes.length || bytes.toString('latin1', at, at + 4) !== 'SPLE') return undefined;
  if (bytes.readUInt32LE(at + 44) !== crc32(bytes.subarray(at, at + 44))) return undefined;
  const length = bytes.readUInt32LE(at + 4);
  const end = at + 48 + Math.ceil(length / 8) * 8;
  if (end > bytes.length || bytes.readUInt32LE(at + 36) !== tag) return undefined;
  if (bytes.readUInt32LE(at + 40) !== crc32(bytes.subarray(at + 48, end))) return undefined;
  const name = at + 48;
  const hashKey = name + bytes.readUInt8(at + 30);
  const hasHashKey = bytes.readUInt8(at + 31) === 1;
  const key = hashKey + (hasHashKey ? 16 : 0);
  const data = key + bytes.readUInt32LE(at + 32);
  const entry = {
    sequence: Number(bytes.readBigUInt64LE(at + 8)),
    firstSeenUs: bytes.readDoubleLE(at + 16),
    attempts: bytes.readUInt32LE(at + 24),
    series: bytes.readUInt8(at + 28),
    reason: bytes.readUInt8(at + 29),
    stream: bytes.toString('utf8', name, hashKey),
    hashKey: hasHashKey ? bytes.toString('hex', hashKey, key) : undefined,
    key: bytes.toString('utf8', key, data),
    data: bytes.toString('latin1', data, at + 48 + length),
  };
  return { entry, end };
}

/** Names of the segments of a series in a directory, in order. */
export function segmentNames(directory: string, series: 'spill' | 'dead'): string[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith(`${series}-`) && name.endsWith('.seg'))
    .sort();
}

/** All whole entries of a series in a directory, in the order of their files. One that is removed meanwhile has none. */
export function readSeries(directory: string, series: 'spill' | 'dead', key?: Buffer): ReadEntry[] {
  return segmentNames(directory, series).flatMap((name) => {
    const path = join(directory, name);
    return existsSync(path) ? (readSegment(readFileSync(path), key)?.entries ?? []) : [];
  });
}
