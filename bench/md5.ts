/**
 * What does the MD5 of a partition key cost, and the MD5 of an aggregate's bytes?
 *
 * ```
 *   10-byte keys, private or shared memory ──▶ md5Short │ crypto.hash │ createHash ──▶ four words
 *   1, 4 or 8 aggregates of 256 KiB        ──▶ Md5Group ──▶ a digest behind each
 * ```
 *
 * One thread. The baseline is `crypto.hash`, the runtime's own one-call digest.
 */
import { createHash, hash } from 'node:crypto';
import { md5Short } from '../src/batch/md5.ts';
import { groupMax, Md5Group } from '../src/batch/md5-group.ts';
import { createArena } from '../src/ring/arena.ts';
import { type BenchCase, benchSwitches, runCases } from './harness.ts';

const switches = benchSwitches();
const keyBytes = 10;
const keys = 20_000;

/** Decimal keys "0000000000", "0000000001", ... one after the other. */
function fillKeys(bytes: Uint8Array): Uint8Array {
  for (let key = 0; key < keys; key++) {
    let rest = key;
    for (let at = keyBytes - 1; at >= 0; at--) {
      bytes[key * keyBytes + at] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
  }
  return bytes;
}

const privateKeys = fillKeys(new Uint8Array(keys * keyBytes));
const sharedKeys = fillKeys(new Uint8Array(new SharedArrayBuffer(keys * keyBytes)));
const longKeys = new Uint8Array(keys * keyBytes).fill(0x61);
const words = new Uint32Array(4);

const aggregateBytes = 262_144;
const arena = createArena(65_536 + groupMax * (aggregateBytes + 128));
const group = new Md5Group(arena, 0);
for (let at = 65_536; at < arena.length; at++) arena.bytes[at] = Math.imul(at, 0x9e37_79b1) >>> 24;

/** Digests so many aggregates as one group; returns a word of the last digest. */
function grouped(messages: number): number {
  let end = 0;
  for (let message = 0; message < messages; message++) {
    const start = 65_536 + message * (aggregateBytes + 128);
    end = start + aggregateBytes;
    group.add(start, end);
  }
  group.digest();
  return arena.words[end >>> 2]!;
}

function own(bytes: Uint8Array, length: number): number {
  let sum = 0;
  for (let key = 0; key + length <= bytes.length; key += length) {
    md5Short(bytes, key, length, words, 0);
    sum = (sum + words[0]!) | 0;
  }
  return sum;
}

function byDigest(digest: (key: Uint8Array) => Buffer): number {
  let sum = 0;
  for (let key = 0; key < keys * keyBytes; key += keyBytes) {
    sum = (sum + digest(privateKeys.subarray(key, key + keyBytes)).readInt32LE(0)) | 0;
  }
  return sum;
}

const body = Buffer.alloc(1_000_000, 'spillway');
const cases: BenchCase[] = [
  { name: 'md5Short, 10 B key', unit: 'key', units: keys, run: () => own(privateKeys, keyBytes) },
  { name: 'md5Short, 10 B key, shared memory', unit: 'key', units: keys, run: () => own(sharedKeys, keyBytes) },
  { name: 'md5Short, 55 B key', unit: 'key', units: Math.floor((keys * keyBytes) / 55), run: () => own(longKeys, 55) },
  { name: 'crypto.hash, 10 B key', unit: 'key', units: keys, run: () => byDigest((key) => hash('md5', key, 'buffer')) },
  {
    name: 'createHash, 10 B key',
    unit: 'key',
    units: keys,
    run: () => byDigest((key) => createHash('md5').update(key).digest()),
  },
  ...[1, 4, groupMax].map((messages) => ({
    name: `Md5Group, ${messages} aggregates`,
    unit: 'byte',
    units: messages * aggregateBytes,
    run: () => grouped(messages),
  })),
  {
    name: 'crypto.hash, 1 MB body',
    unit: 'byte',
    units: body.length,
    run: () => hash('md5', body, 'buffer').readInt32LE(0),
  },
];
await runCases(cases, switches);
