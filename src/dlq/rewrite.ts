/**
 * Writes a segment anew without some of its bytes. Main thread; for purge and replay of dead letters, on segments that nobody
 * writes to.
 *
 * ```
 *   dead-0000000005.seg ──copy what stays──▶ dead-0000000005.seg.tmp ──fdatasync──▶ rename over the old one ──▶ fsync of the directory
 * ```
 * Whatever instruction it dies at, the name has the old bytes or the new ones; a start removes a copy that was not finished. Who
 * is just reading the old file goes on with it.
 */
import { join } from 'node:path';
import type { Files, OpenFile } from '../edges/files.ts';
import type { Ranges } from './ranges.ts';
import { partialName } from './segment.ts';

const copyBytes = 256 * 1024;

export interface Rewrite {
  readonly files: Files;
  readonly directory: string;
  readonly name: string;
  /** Of the segment; what stands behind is left out, too. */
  readonly bytes: number;
}

/** Resolves to the new length. Rejects with what the disk reported: then nothing has changed. */
export async function rewriteWithout({ files, directory, name, bytes }: Rewrite, drops: Ranges): Promise<number> {
  const path = join(directory, name);
  const partial = join(directory, partialName(name));
  const source = await files.open(path, 'read');
  let length = 0;
  try {
    const copy = await files.open(partial, 'replace');
    try {
      for (const [from, to] of drops.gaps(bytes)) {
        await copyRange(source, copy, from, to, length);
        length += to - from;
      }
      await copy.sync();
    } finally {
      await copy.close();
    }
    await files.rename(partial, path);
    await files.syncDirectory(directory);
  } catch (error) {
    await files.unlink(partial).catch(() => undefined);
    throw error;
  } finally {
    await source.close();
  }
  return length;
}

async function copyRange(source: OpenFile, copy: OpenFile, from: number, to: number, at: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(copyBytes, to - from));
  for (let position = from; position < to; ) {
    const length = await source.read(buffer, 0, Math.min(buffer.length, to - position), position);
    if (length === 0) throw Object.assign(new Error('the segment is shorter than it was'), { code: 'EIO' });
    await copy.write(buffer, 0, length, at + position - from);
    position += length;
  }
}
