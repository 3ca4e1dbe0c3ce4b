/**
 * Keeps what cannot be read as entries: damaged ranges are copied into files of their own beside the segment. Main thread.
 *
 * Nothing that was once in the queue is deleted because it is damaged; an operator decides. Finding the same damage again
 * (after a restart, or once by its header and once by its payload) changes nothing: the file's name says where the range
 * starts, and an existing file is left alone. Memory is bounded by one buffer.
 */
import type { OpenFile } from '../edges/files.ts';
import { type DlqContext, errorFields } from './context.ts';
import { quarantineRangesMax } from './options.ts';
import type { DamageCause } from './reader.ts';
import { quarantineName, type Segment } from './segment.ts';

const copyBytes = 64 * 1024;

/** Copies bytes `from` up to `to` of a segment; when that cannot be done the segment itself will be kept. */
export async function quarantine(
  context: DlqContext,
  segment: Segment,
  file: OpenFile,
  from: number,
  to: number,
  cause: DamageCause,
): Promise<void> {
  segment.damagedRanges += 1;
  if (segment.damagedRanges > quarantineRangesMax || !hasRoom(context, to - from)) {
    segment.keep = true;
    context.report({ change: 'damaged', segment: segment.name, from, bytes: to - from, cause, kept: 'segment' });
    return;
  }
  const name = quarantineName(segment.name, from);
  const path = context.path(name);
  const { files } = context.options;
  let copy: OpenFile | undefined;
  try {
    copy = await files.open(path, 'create');
    const buffer = Buffer.allocUnsafe(Math.min(copyBytes, to - from));
    for (let position = from; position < to; ) {
      const length = await file.read(buffer, 0, Math.min(buffer.length, to - position), position);
      if (length === 0) break;
      await copy.write(buffer, 0, length, position - from);
      position += length;
    }
    await copy.sync();
    await files.syncDirectory(context.options.directory);
    context.space.usedBytes += to - from;
    context.report({ change: 'quarantined', segment: segment.name, from, bytes: to - from, cause, file: name });
  } catch (error) {
    if (errorFields(error).code === 'EEXIST') return;
    segment.keep = true;
    context.report({ change: 'damaged', segment: segment.name, from, bytes: to - from, cause, kept: 'segment' });
    if (copy !== undefined) await context.attempt('unlink', () => files.unlink(path));
  } finally {
    const opened = copy;
    if (opened !== undefined) await context.attempt('close', () => opened.close());
  }
}

/** Removes a segment whose entries are all covered, or sets it aside when it holds damage that was not copied. */
export async function removeSegment(context: DlqContext, segment: Segment): Promise<boolean> {
  const { files } = context.options;
  const path = context.path(segment.name);
  if (segment.keep) {
    const aside = quarantineName(segment.name);
    const renamed = await context.attempt('rename', () => files.rename(path, context.path(aside)));
    if (renamed)
      context.report({ change: 'quarantined', segment: segment.name, bytes: segment.fileBytes, file: aside });
    return renamed;
  }
  const unlinked = await context.attempt('unlink', () => files.unlink(path));
  if (!unlinked) return false;
  context.space.usedBytes -= segment.fileBytes;
  context.report({ change: 'segment_removed', segment: segment.name, bytes: segment.fileBytes });
  return true;
}

function hasRoom({ space }: DlqContext, bytes: number): boolean {
  return space.usedBytes + bytes <= space.maxBytes;
}
