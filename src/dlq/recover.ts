/**
 * What a new run makes of the directory that it finds. Main thread, once, before anything is appended.
 *
 * It reads all headers first, puts the segments of each series in the order of their sequences (names are only names), and
 * counts what is still to be done. Damage never stops it: damaged ranges are kept in files of their own, a segment that
 * cannot be read or is of another version is set aside, what is not ours is left alone; each is reported in one line. It
 * appends to nothing, and removes only what the checkpoint covers or what holds no entry. Doing it twice changes nothing, and
 * neither does dying in the middle of it.
 * Memory: one buffer of {@link scanBytes} and one {@link Segment} per file.
 */
import type { OpenFile } from '../edges/files.ts';
import { checkpointName, checkpointTemporaryName, readCheckpoint } from './checkpoint.ts';
import { type DlqContext, errorFields } from './context.ts';
import { entry, formatVersion, heapMemory, Kind, type Memory, segmentHeaderBytes } from './layout.ts';
import { quarantineRangesMax, scanBytes } from './options.ts';
import { quarantine, removeSegment, setAside } from './quarantine.ts';
import { type DamageCause, readSegmentHeader, SegmentReader } from './reader.ts';
import { newSegment, type ParsedName, parseName, type Segment } from './segment.ts';
import type { StreamNames } from './streams.ts';

export interface Recovered {
  /** Oldest first; all sealed. */
  readonly spills: Segment[];
  readonly deads: Segment[];
  /** Position that the last durable checkpoint covers. */
  readonly checkpoint: number;
}

interface Found {
  readonly kind: Kind;
  readonly segment: Segment;
  readonly size: number;
  /** The number that its header carries: what `continues` of another header refers to. */
  readonly ownNumber: number;
  readonly continues: number;
  readonly isHeaderDamaged: boolean;
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly cause: DamageCause;
}

export async function recover(context: DlqContext, streams: StreamNames): Promise<Recovered> {
  const memory = heapMemory(scanBytes);
  const checkpoint = await recoverCheckpoint(context);
  context.lastSequence = checkpoint;
  const found = await findSegments(context, memory);
  const recovered = { spills: [] as Segment[], deads: [] as Segment[], checkpoint };
  const lastCounted = { [Kind.spill]: checkpoint, [Kind.dead]: 0 };
  found.sort((a, b) => a.segment.firstSequence - b.segment.firstSequence || a.segment.number - b.segment.number);
  const continuations = new Map(
    found.toReversed().map((item) => [`${item.kind} ${item.continues}`, item.segment.firstSequence]),
  );
  for (const item of found) {
    const { segment, kind } = item;
    const clip = continuations.get(`${kind} ${item.ownNumber}`) ?? Number.POSITIVE_INFINITY;
    if (!(await readSegment(context, streams, memory, item, clip, lastCounted[kind]))) continue;
    const isDone = segment.lastSequence <= (kind === Kind.spill ? checkpoint : 0);
    const isRepeated = !isDone && segment.tally.totalEvents === 0;
    context.lastSequence = Math.max(context.lastSequence, segment.lastSequence);
    lastCounted[kind] = Math.max(lastCounted[kind], segment.lastSequence);
    if (isDone && (await removeSegment(context, segment))) continue;
    if (isRepeated && (await setAside(context, segment.name, 'other segments hold all of its entries'))) continue;
    (kind === Kind.spill ? recovered.spills : recovered.deads).push(segment);
  }
  return recovered;
}

async function recoverCheckpoint(context: DlqContext): Promise<number> {
  const { files } = context.options;
  const result = await readCheckpoint(files, context.path(checkpointName));
  if ('position' in result) return result.position;
  context.report({
    change: 'checkpoint_damaged',
    message: result.damage,
    cure: 'none needed: all spills are replayed',
  });
  return 0;
}

async function findSegments(context: DlqContext, memory: Memory): Promise<Found[]> {
  const { files, directory } = context.options;
  const found: Found[] = [];
  for (const { name, kind } of await files.list(directory)) {
    const parsed = parseName(name);
    if (parsed !== undefined) context.seeSegmentNumber(parsed.number);
    if (name === checkpointName && kind === 'file') continue;
    if (kind === 'file' && (name === checkpointTemporaryName || parsed?.form === 'partial')) {
      await context.attempt('unlink', () => files.unlink(context.path(name)));
    } else if (parsed === undefined || kind !== 'file') {
      context.report({ change: 'skipped', name, why: kind === 'file' ? 'foreign' : kind });
    } else {
      const item = await inspect(context, memory, name, parsed);
      if (item !== undefined) found.push(item);
    }
  }
  return found;
}

/** Reads a file's size and header; undefined when it holds nothing for the queue. */
async function inspect(
  context: DlqContext,
  memory: Memory,
  name: string,
  parsed: ParsedName,
): Promise<Found | undefined> {
  let file: OpenFile | undefined;
  try {
    file = await context.options.files.open(context.path(name), 'read');
    const size = await file.size();
    context.space.usedBytes += size;
    if (parsed.form === 'quarantine') return undefined;
    const header = await readSegmentHeader(file, memory);
    if (header !== undefined && header.version !== formatVersion) {
      await setAside(context, name, `its format version is ${header.version}, this build reads ${formatVersion}`);
      return undefined;
    }
    const kind = header?.kind === Kind.spill || header?.kind === Kind.dead ? header.kind : parsed.kind;
    const ownNumber = header?.number ?? parsed.number;
    if (kind !== parsed.kind || ownNumber !== parsed.number) {
      context.report({ change: 'misnamed', segment: name, number: ownNumber });
    }
    context.seeSegmentNumber(ownNumber);
    const first = header?.firstSequence ?? (await firstSequenceIn(file, memory, size));
    const segment = { ...newSegment(kind, parsed.number, header?.tag, first, context.options.streams.length), name };
    segment.sealed = true;
    segment.fileBytes = size;
    const isHeaderDamaged = header === undefined;
    return { kind, segment, size, ownNumber, continues: header?.continues ?? 0, isHeaderDamaged };
  } catch (error) {
    await setAside(context, name, errorFields(error).message);
    return undefined;
  } finally {
    const opened = file;
    if (opened !== undefined) await context.attempt('close', () => opened.close());
  }
}

async function firstSequenceIn(file: OpenFile, memory: Memory, size: number): Promise<number> {
  const reader = scanner(file, memory, size, undefined, () => undefined);
  while (await reader.load()) {
    if (reader.step()) return entry.sequence(memory, reader.at);
  }
  return 0;
}

function scanner(
  file: OpenFile,
  memory: Memory,
  limit: number,
  tag: number | undefined,
  onDamage: (from: number, to: number, cause: DamageCause) => void,
): SegmentReader {
  const window = { offset: 0, length: scanBytes };
  return new SegmentReader({ file, memory, window, limit, tag, payloads: false, onDamage });
}

/** Counts a segment's entries after `counted` and before `clip`, and keeps its damage. False: it had to be set aside. */
async function readSegment(
  context: DlqContext,
  streams: StreamNames,
  memory: Memory,
  item: Found,
  clip: number,
  counted: number,
): Promise<boolean> {
  const { segment, size } = item;
  const ranges: Range[] = [];
  const addRange = (from: number, to: number, cause: DamageCause): void => {
    if (ranges.length <= quarantineRangesMax) ranges.push({ from, to, cause });
  };
  if (item.isHeaderDamaged && size > 0) addRange(0, Math.min(size, segmentHeaderBytes), 'header');
  let file: OpenFile | undefined;
  try {
    file = await context.options.files.open(context.path(segment.name), 'read');
    const reader = scanner(file, memory, size, segment.tag, addRange);
    countEntries: while (await reader.load()) {
      while (reader.step()) {
        if (entry.sequence(memory, reader.at) >= clip) break countEntries;
        countEntry(streams, memory, reader.at, segment, counted);
        segment.bytes = reader.validEnd;
      }
    }
    for (const { from, to, cause } of ranges) {
      if (cause === 'tail') context.report({ change: 'torn', segment: segment.name, bytes: to - from });
      await quarantine(context, segment, file, from, to, cause);
    }
  } catch (error) {
    await setAside(context, segment.name, errorFields(error).message);
    return false;
  } finally {
    const opened = file;
    if (opened !== undefined) await context.attempt('close', () => opened.close());
  }
  segment.bytes = Math.max(segment.bytes, segmentHeaderBytes);
  if (ranges.some(({ cause }) => cause === 'tail') && !segment.keep) await cutTail(context, segment);
  return true;
}

function countEntry(streams: StreamNames, memory: Memory, at: number, segment: Segment, counted: number): void {
  const sequence = entry.sequence(memory, at);
  segment.lastSequence = sequence;
  if (sequence <= counted) return;
  const stream = streams.find(memory.buffer, entry.nameOffset(at), entry.nameLength(memory, at));
  segment.tally.count(stream, entry.keyLength(memory, at) + entry.dataLength(memory, at), 1);
  segment.oldestUs = Math.min(segment.oldestUs, entry.firstSeenUs(memory, at));
}

async function cutTail(context: DlqContext, segment: Segment): Promise<void> {
  if (segment.fileBytes <= segment.bytes) return;
  const { files } = context.options;
  await context.attempt('truncate', async () => {
    const file = await files.open(context.path(segment.name), 'edit');
    try {
      await file.truncate(segment.bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    context.space.usedBytes -= segment.fileBytes - segment.bytes;
    segment.fileBytes = segment.bytes;
  });
}
