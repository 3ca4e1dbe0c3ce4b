/**
 * How far the spills of each stream were replayed: the one small file that changes in place. Main thread.
 *
 * ```
 *  header, 32 bytes                                               per configured stream               end
 *   0 u32 magic "SPLC"   4 u32 version: 2                          +0  f64 position                    u32 CRC of all before
 *   8 f64 position of streams that have no record                  +8  u32 bytes of its name           u32 zero
 *  16 f64 written, milliseconds since 1970                         +12 its name (UTF-8), zeros to 8
 *  24 u32 records   28 u32 zero
 * ```
 * Version 1 is 32 bytes with one position for all streams, and the CRC of bytes 0 to 27 at 28; it is read, not written.
 * The file is replaced, never overwritten: temporary file, fsync, rename, directory fsync. A checkpoint that is missing or
 * damaged means that more is replayed than necessary, never that the DLQ does not open.
 */
import type { Files } from '../edges/files.ts';
import { type DlqContext, errorFields } from './context.ts';
import { crcOfWords } from './crc.ts';
import { heapMemory, type Memory, padded } from './layout.ts';

export const checkpointName = 'checkpoint';
export const checkpointTemporaryName = 'checkpoint.tmp';

const checkpointMagic = 0x434c5053;
const checkpointVersion = 2;
const headerBytes = 32;
const recordHeaderBytes = 12;
const endBytes = 8;
/** Largest file that is read: thousands of streams with the longest names. */
const checkpointBytesMax = 1024 * 1024;

/** Positions up to which spills are done: by name, and of all names that have none of their own. */
export interface Positions {
  readonly others: number;
  readonly byName: ReadonlyMap<string, number>;
}

/** Up to where the spills of the stream `name` are done. */
export function positionOf({ others, byName }: Positions, name: string): number {
  return byName.get(name) ?? others;
}

/** Bytes of a checkpoint with a record for each of these streams. */
export function checkpointBytes(names: Iterable<string>): number {
  let bytes = headerBytes + endBytes;
  for (const name of names) bytes += padded(recordHeaderBytes + Buffer.byteLength(name));
  return bytes;
}

/** Makes `positions` the place where the next run starts. Rejects with what the disk reported; the old one then still holds. */
export async function writeCheckpoint(context: DlqContext, positions: Positions): Promise<void> {
  const { files, directory, clock, fsync } = context.options;
  const { others, byName } = positions;
  const head = { magic: checkpointMagic, version: checkpointVersion, first: others, nowMs: clock.nowMs(), tag: 0 };
  const memory = encodeRecords(head, byName);
  const temporary = context.path(checkpointTemporaryName);
  const file = await files.open(temporary, 'replace');
  try {
    await file.write(memory.buffer, 0, memory.buffer.length, 0);
    if (fsync.kind !== 'none') await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(temporary, context.path(checkpointName));
  if (fsync.kind !== 'none') await files.syncDirectory(directory);
}

/** The positions, all 0 when there is no checkpoint, or why the one that is there says nothing. */
export async function readCheckpoint(files: Files, path: string): Promise<Positions | { readonly damage: string }> {
  try {
    const file = await files.open(path, 'read');
    try {
      const size = Math.min(await file.size(), checkpointBytesMax);
      const memory = heapMemory(size);
      const length = await file.read(memory.buffer, 0, size, 0);
      return decode(memory, length);
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code, message } = errorFields(error);
    return code === 'ENOENT' ? { others: 0, byName: new Map() } : { damage: message };
  }
}

/** What stands before the records of a checkpoint, and of a slot of a journal's marks. */
export interface RecordsHead {
  readonly magic: number;
  readonly version: number;
  /** At 8. */
  readonly first: number;
  readonly nowMs: number;
  /** At 28. */
  readonly tag: number;
}

/** A head, a position for each stream, and their checksum. */
export function encodeRecords({ magic, version, first, nowMs, tag }: RecordsHead, byName: Positions['byName']): Memory {
  const memory = heapMemory(checkpointBytes(byName.keys()));
  const { buffer, words, floats } = memory;
  words[0] = magic;
  words[1] = version;
  floats[1] = first;
  floats[2] = nowMs;
  words[6] = byName.size;
  words[7] = tag;
  let at = headerBytes;
  for (const [name, position] of byName) {
    const length = buffer.write(name, at + recordHeaderBytes);
    floats[at >>> 3] = position;
    words[(at + 8) >>> 2] = length;
    at += padded(recordHeaderBytes + length);
  }
  words[at >>> 2] = crcOfWords(words, 0, at >>> 2);
  return memory;
}

function decode(memory: Memory, length: number): Positions | { readonly damage: string } {
  const { words, floats } = memory;
  if (length < headerBytes || length % 8 !== 0) return { damage: `it has ${length} bytes` };
  const isOld = words[1] === 1 && length === headerBytes;
  const crcWord = isOld ? 7 : (length - endBytes) >>> 2;
  const isWhole = words[crcWord] === crcOfWords(words, 0, crcWord) && (isOld || words[crcWord + 1] === 0);
  if (words[0] !== checkpointMagic || !isWhole) {
    return { damage: 'its checksum is wrong' };
  }
  if (!isOld && words[1] !== checkpointVersion) return { damage: `it is of version ${words[1]}` };
  const others = floats[1]!;
  const byName = isOld ? new Map<string, number>() : recordsOf(memory, length - endBytes);
  const positions = byName === undefined ? [Number.NaN] : [others, ...byName.values()];
  const arePositions = positions.every((position) => Number.isSafeInteger(position) && position >= 0);
  return byName !== undefined && arePositions ? { others, byName } : { damage: 'its positions are no positions' };
}

/** The records before `end`; undefined when they do not fill the file. */
export function recordsOf({ buffer, words, floats }: Memory, end: number): Map<string, number> | undefined {
  const byName = new Map<string, number>();
  let at = headerBytes;
  for (let left = words[6]!; left > 0; left--) {
    if (at + recordHeaderBytes > end) return undefined;
    const name = at + recordHeaderBytes;
    const length = words[(at + 8) >>> 2]!;
    if (length < 1 || name + length > end) return undefined;
    byName.set(buffer.toString('utf8', name, name + length), floats[at >>> 3]!);
    at += padded(recordHeaderBytes + length);
  }
  return at === end ? byName : undefined;
}
