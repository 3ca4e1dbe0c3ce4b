/**
 * Reads segments the way src/dlq/FORMAT.md describes them, sharing no code with src/dlq, so that one mistake in both directions
 * cannot hide. Only tests import it; slow, and strict: it stops at the first byte that is not as described.
 */
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

/** Whole entries from the start of a segment's bytes, and where the first byte lies that is none; undefined: a bad header. */
export function readSegment(bytes: Buffer): { readonly entries: ReadEntry[]; readonly end: number } | undefined {
  if (bytes.length < 64 || bytes.toString('latin1', 0, 4) !== 'SPLS') return undefined;
  if (bytes.readUInt32LE(4) !== 1 || bytes.readUInt32LE(60) !== crc32(bytes.subarray(0, 60))) return undefined;
  const tag = bytes.readUInt32LE(12);
  const entries: ReadEntry[] = [];
  let at = 64;
  for (;;) {
    const found = readEntry(bytes, at, tag);
    if (found === undefined) return { entries, end: at };
    entries.push(found.entry);
    at = found.end;
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
export function readSeries(directory: string, series: 'spill' | 'dead'): ReadEntry[] {
  return segmentNames(directory, series).flatMap((name) => {
    const path = join(directory, name);
    return existsSync(path) ? (readSegment(readFileSync(path))?.entries ?? []) : [];
  });
}
