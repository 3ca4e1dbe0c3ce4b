/**
 * How far spills were replayed: the one small file that changes in place. Main thread.
 *
 * ```
 *  0 u32 magic "SPLC"   4 u32 version   8 f64 position   16 f64 written, milliseconds since 1970   24 u32 zero   28 u32 CRC of 0..27
 * ```
 * It is replaced, never overwritten: temporary file, fsync, rename, directory fsync. A checkpoint that is missing or damaged
 * means that more is replayed than necessary, never that the DLQ does not open.
 */
import type { Files } from '../edges/files.ts';
import { type DlqContext, errorFields } from './context.ts';
import { crcOfWords } from './crc.ts';
import { formatVersion, heapMemory } from './layout.ts';

export const checkpointName = 'checkpoint';
export const checkpointTemporaryName = 'checkpoint.tmp';
export const checkpointBytes = 32;

const checkpointMagic = 0x434c5053;

/** Makes `position` the place where the next run starts. Rejects with what the disk reported; the old one then still holds. */
export async function writeCheckpoint(context: DlqContext, position: number): Promise<void> {
  const { files, directory, clock, fsync } = context.options;
  const { buffer, words, floats } = heapMemory(checkpointBytes);
  words[0] = checkpointMagic;
  words[1] = formatVersion;
  floats[1] = position;
  floats[2] = clock.nowMs();
  words[7] = crcOfWords(words, 0, 7);
  const temporary = context.path(checkpointTemporaryName);
  const file = await files.open(temporary, 'replace');
  try {
    await file.write(buffer, 0, checkpointBytes, 0);
    if (fsync.kind !== 'none') await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(temporary, context.path(checkpointName));
  if (fsync.kind !== 'none') await files.syncDirectory(directory);
}

/** The position, `0` when there is no checkpoint, or why the one that is there says nothing. */
export async function readCheckpoint(
  files: Files,
  path: string,
): Promise<{ readonly position: number } | { readonly damage: string }> {
  try {
    const file = await files.open(path, 'read');
    try {
      const memory = heapMemory(checkpointBytes);
      const length = await file.read(memory.buffer, 0, checkpointBytes, 0);
      return decode(memory, length);
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code, message } = errorFields(error);
    return code === 'ENOENT' ? { position: 0 } : { damage: message };
  }
}

function decode(
  { words, floats }: { readonly words: Int32Array; readonly floats: Float64Array },
  length: number,
): { readonly position: number } | { readonly damage: string } {
  if (length !== checkpointBytes) return { damage: `it has ${length} bytes instead of ${checkpointBytes}` };
  if (words[0] !== checkpointMagic || words[7] !== crcOfWords(words, 0, 7)) return { damage: 'its checksum is wrong' };
  if (words[1] !== formatVersion) return { damage: `it is of version ${words[1]}` };
  const position = floats[1]!;
  return Number.isSafeInteger(position) && position >= 0 ? { position } : { damage: 'its position is no position' };
}
