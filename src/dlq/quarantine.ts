/**
 * Keeps what cannot be read as entries: damaged ranges are copied into files of their own beside the segment. Main thread.
 *
 * Nothing that was once in the queue is deleted because it is damaged; an operator decides. Finding the same damage again
 * (after a restart, or once by its header and once by its payload) changes nothing: the file's name says where the range
 * starts, and an existing file is left alone. A copy gets that name when it is complete; recovery removes those that are not.
 * Memory is bounded by one buffer.
 */
import type { OpenFile } from '../edges/files.ts';
import { type DlqContext, errorFields, isOfTheFile } from './context.ts';
import { Kind } from './layout.ts';
import { quarantineRangesMax } from './options.ts';
import type { DamageCause } from './reader.ts';
import { asideCopiesMax, asideName, parseName, rangeName, type Segment } from './segment.ts';

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
  // What cannot be looked at counts as there.
  if (await isTaken(context, name).catch(() => true)) return;
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
  if (segment.file.keep) {
    const isAside = await setAside(context, segment.name, 'it holds damage that could not be copied elsewhere');
    segment.file.isAside ||= isAside;
    return isAside;
  }
  const unlinked = await context.attempt('unlink', () => files.unlink(path));
  if (!unlinked) return false;
  context.space.usedBytes -= segment.file.bytes;
  context.report({ change: 'segment_removed', segment: segment.name, bytes: segment.file.bytes });
  return true;
}

/**
 * Renames a segment that cannot be used: its entries must not be taken for replayed once the checkpoint has passed them. A
 * file that was set aside before is never overwritten. False: it has its old name.
 */
export async function setAside(context: DlqContext, name: string, why: string): Promise<boolean> {
  try {
    return await renameAside(context, name, why);
  } catch (error) {
    context.reserve.saw(error);
    context.report({ change: 'attempt_failed', what: 'rename', ...errorFields(error) });
    return false;
  }
}

/** Sets a segment aside that nobody has read: what it holds is not known, so until it has its new name no checkpoint is written. */
export async function setAsideUnread(context: DlqContext, name: string, why: string): Promise<void> {
  if (!(await setAside(context, name, why)) && parseName(name)?.kind !== Kind.dead) context.unkept.set(name, why);
}

/**
 * Makes sure that what was set aside has its new name on disk: a checkpoint that is written afterwards may pass it. Rejects with
 * what the disk reported: then none may be written.
 */
export async function keepAsides(context: DlqContext): Promise<void> {
  for (const [name, why] of context.unkept) {
    try {
      if (!(await renameAside(context, name, why))) throw new Error(`${name} has its old name: ${why}`);
    } catch (error) {
      // One that is gone needs no keeping.
      if (errorFields(error).code !== 'ENOENT') throw error;
    }
    context.unkept.delete(name);
  }
  if (!context.areAsidesUnsynced || context.syncs === 'none') return;
  context.areAsidesUnsynced = false;
  try {
    await context.options.files.syncDirectory(context.options.directory);
  } catch (error) {
    context.areAsidesUnsynced = true;
    throw error;
  }
}

/** False: there are too many files of this name already. Rejects with what the disk reported. */
async function renameAside(context: DlqContext, name: string, why: string): Promise<boolean> {
  const { files } = context.options;
  for (let copy = 0; copy < asideCopiesMax; copy++) {
    const aside = asideName(name, copy);
    if (await isTaken(context, aside)) continue;
    await files.rename(context.path(name), context.path(aside));
    context.areAsidesUnsynced = true;
    context.report({ change: 'set_aside', segment: name, file: aside, why });
    return true;
  }
  context.report({ change: 'skipped', name, why: `${why}; it was set aside ${asideCopiesMax} times already` });
  return false;
}

/** Whether anything has this name. Rejects where the disk does not say. */
async function isTaken(context: DlqContext, name: string): Promise<boolean> {
  try {
    await (await context.options.files.open(context.path(name), 'read')).close();
    return true;
  } catch (error) {
    if (errorFields(error).code === 'ENOENT') return false;
    if (isOfTheFile(error)) return true;
    throw error;
  }
}
