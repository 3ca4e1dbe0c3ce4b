/**
 * Keeps what cannot be read as entries: damaged ranges are copied into files of their own beside the segment. Main thread.
 *
 * Nothing that was once in the queue is deleted because it is damaged; an operator decides. Finding the same damage again
 * (after a restart, or once by its header and once by its payload) changes nothing: the file's name says where the range
 * starts, and an existing file is left alone. A copy gets that name when it is complete; recovery removes those that are not.
 * Memory is bounded by one buffer.
 */
import type { OpenFile } from '../edges/files.ts';
import { type DlqContext, errorFields } from './context.ts';
import { Kind } from './layout.ts';
import { quarantineRangesMax } from './options.ts';
import type { DamageCause } from './reader.ts';
import { asideCopiesMax, asideName, rangeName, type Segment } from './segment.ts';

/** What it needs of a segment. */
type NamedFile = Pick<Segment, 'name' | 'file'>;

const copyBytes = 64 * 1024;

/** Copies bytes `from` up to `to` of a segment; when that cannot be done the segment itself will be kept. */
export async function quarantine(
  context: DlqContext,
  segment: NamedFile,
  file: OpenFile,
  from: number,
  to: number,
  cause: DamageCause,
): Promise<void> {
  segment.file.damagedRanges += 1;
  if (segment.file.damagedRanges > quarantineRangesMax || !context.space.hasRoom(Kind.dead, to - from)) {
    segment.file.keep = true;
    context.report({ change: 'damaged', segment: segment.name, from, bytes: to - from, cause, kept: 'segment' });
    return;
  }
  const name = rangeName(segment.name, from);
  if (await exists(context, name)) return;
  const partial = context.path(`${name}.tmp`);
  const { files } = context.options;
  let copy: OpenFile | undefined;
  try {
    copy = await files.open(partial, 'replace');
    const buffer = Buffer.allocUnsafe(Math.min(copyBytes, to - from));
    for (let position = from; position < to; ) {
      const length = await file.read(buffer, 0, Math.min(buffer.length, to - position), position);
      if (length === 0) break;
      await copy.write(buffer, 0, length, position - from);
      position += length;
    }
    await copy.sync();
    await files.rename(partial, context.path(name));
    await files.syncDirectory(context.options.directory);
    context.space.usedBytes += to - from;
    context.report({ change: 'quarantined', segment: segment.name, from, bytes: to - from, cause, file: name });
  } catch (error) {
    context.reserve.saw(error);
    segment.file.keep = true;
    const { message } = errorFields(error);
    context.report({
      change: 'damaged',
      segment: segment.name,
      from,
      bytes: to - from,
      cause,
      kept: 'segment',
      message,
    });
    if (copy !== undefined) await context.attempt('unlink', () => files.unlink(partial));
  } finally {
    const opened = copy;
    if (opened !== undefined) await context.attempt('close', () => opened.close());
  }
}

/**
 * Gives up a segment whose entries of its series are all covered. The last series that needs its file removes it, or sets it
 * aside when it holds damage that was not copied. False: it could not be removed now.
 */
export async function removeSegment(context: DlqContext, segment: NamedFile): Promise<boolean> {
  const { files } = context.options;
  if (segment.file.users > 1) {
    segment.file.users -= 1;
    return true;
  }
  const path = context.path(segment.name);
  if (segment.file.keep) return setAside(context, segment.name, 'it holds damage that could not be copied elsewhere');
  const unlinked = await context.attempt('unlink', () => files.unlink(path));
  if (!unlinked) return false;
  context.space.usedBytes -= segment.file.bytes;
  context.report({ change: 'segment_removed', segment: segment.name, bytes: segment.file.bytes });
  return true;
}

/**
 * Renames a segment that cannot be used: its entries must not be taken for replayed once the checkpoint has passed them. A
 * file that was set aside before is never overwritten.
 */
export async function setAside(context: DlqContext, name: string, why: string): Promise<boolean> {
  for (let copy = 0; copy < asideCopiesMax; copy++) {
    const aside = asideName(name, copy);
    if (await exists(context, aside)) continue;
    const { files } = context.options;
    const renamed = await context.attempt('rename', () => files.rename(context.path(name), context.path(aside)));
    if (renamed) context.report({ change: 'set_aside', segment: name, file: aside, why });
    return renamed;
  }
  context.report({ change: 'skipped', name, why: `${why}; it was set aside ${asideCopiesMax} times already` });
  return false;
}

/** Whether anything has this name; what cannot be looked at counts as there. */
async function exists(context: DlqContext, name: string): Promise<boolean> {
  try {
    await (await context.options.files.open(context.path(name), 'read')).close();
    return true;
  } catch (error) {
    return errorFields(error).code !== 'ENOENT';
  }
}
