/**
 * Counts what a segment that an earlier run left still holds, and for which streams. Main thread; recovery asks it of one
 * segment after the other, in the order of their sequences. It keeps the damage that it meets, and cuts off a torn tail.
 */
import type { OpenFile } from '../edges/files.ts';
import { type Positions, positionOf } from './checkpoint.ts';
import { type DlqContext, errorFields } from './context.ts';
import { entry, heapMemory, Kind, type Memory, segmentHeaderBytes } from './layout.ts';
import { quarantineRangesMax, scanBytes } from './options.ts';
import { quarantine, setAside } from './quarantine.ts';
import { type DamageCause, SegmentReader } from './reader.ts';
import { newSegment, type Segment } from './segment.ts';
import type { StreamNames } from './streams.ts';

/** What an earlier run left: its journal is read as its spills. */
type FoundKind = typeof Kind.spill | typeof Kind.dead;

/** A segment file as its size and its header tell it. */
export interface Found {
  readonly kind: FoundKind;
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

/** One pass over the segments. A slot is a stream, and the last slot all that are not configured; dead letters have one. */
export interface Pass {
  readonly context: DlqContext;
  readonly streams: StreamNames;
  readonly memory: Memory;
  /** By kind and slot: sequence up to which entries are done. */
  readonly done: Readonly<Record<FoundKind, readonly number[]>>;
  readonly positions: Positions;
  /** By kind and slot: sequence of the last entry that was counted, so that none is counted twice. */
  readonly counted: Record<FoundKind, number[]>;
}

/** What one segment holds. */
export interface Contents {
  readonly bySlot: Map<number, Segment>;
  /** Entries that no checkpoint covers, those that stand in other segments too included. */
  undone: number;
}

export function newPass(context: DlqContext, streams: StreamNames, positions: Positions): Pass {
  const { streams: names } = context.options;
  // What of the last slot is done depends on the name: see countEntry.
  const done = [...names.map((name) => positionOf(positions, name)), 0];
  return {
    context,
    streams,
    memory: heapMemory(scanBytes),
    done: { [Kind.spill]: done, [Kind.dead]: [0] },
    positions,
    counted: { [Kind.spill]: [...done], [Kind.dead]: [0] },
  };
}

/** Walks the headers of a segment's entries. */
export function scanner(
  file: OpenFile,
  memory: Memory,
  limit: number,
  tag: number | undefined,
  onDamage: (from: number, to: number, cause: DamageCause) => void,
): SegmentReader {
  const window = { offset: 0, length: scanBytes };
  return new SegmentReader({ file, memory, window, limit, tag, payloads: false, onDamage });
}

/** Counts a segment's entries before `clip`, and keeps its damage. Undefined: it had to be set aside. */
export async function readSegment(pass: Pass, item: Found, clip: number): Promise<Contents | undefined> {
  const { context, memory } = pass;
  const { segment, size } = item;
  const contents: Contents = { bySlot: new Map(), undone: 0 };
  const ranges: Range[] = [];
  const addRange = (from: number, to: number, cause: DamageCause): void => {
    if (ranges.length <= quarantineRangesMax) ranges.push({ from, to, cause });
  };
  if (item.isHeaderDamaged && size > 0) addRange(0, Math.min(size, segmentHeaderBytes), 'header');
  let file: OpenFile | undefined;
  try {
    file = await context.insist(() => context.options.files.open(context.path(segment.name), 'read'));
    const reader = scanner(file, memory, size, segment.tag, addRange);
    countEntries: while (await context.insist(() => reader.load())) {
      while (reader.step()) {
        if (entry.sequence(memory, reader.at) >= clip) break countEntries;
        countEntry(pass, item, contents, reader.at);
        segment.bytes = reader.validEnd;
      }
    }
    const tail = ranges.at(-1);
    // Zeros were written ahead of entries: nothing was lost there.
    const isZeroed = tail?.cause === 'tail' && (await isZero(file, memory, tail.from, tail.to));
    for (const { from, to, cause } of isZeroed ? ranges.slice(0, -1) : ranges) {
      if (cause === 'tail') context.report({ change: 'torn', segment: segment.name, bytes: to - from });
      await quarantine(context, segment, file, from, to, cause);
    }
  } catch (error) {
    await setAside(context, segment.name, errorFields(error).message);
    return undefined;
  } finally {
    const opened = file;
    if (opened !== undefined) await context.attempt('close', () => opened.close());
  }
  segment.bytes = Math.max(segment.bytes, segmentHeaderBytes);
  if (ranges.some(({ cause }) => cause === 'tail') && !segment.file.keep) await cutTail(context, segment);
  for (const [slot, part] of contents.bySlot) {
    part.bytes = segment.bytes;
    const counted = pass.counted[item.kind];
    counted[slot] = Math.max(counted[slot]!, part.lastSequence);
  }
  return contents;
}

function countEntry(pass: Pass, { kind, segment }: Found, contents: Contents, at: number): void {
  const { memory, streams, done, counted, context } = pass;
  const sequence = entry.sequence(memory, at);
  segment.lastSequence = sequence;
  const nameOffset = entry.nameOffset(at);
  const stream = streams.find(memory.buffer, nameOffset, entry.nameLength(memory, at));
  const slot = kind === Kind.dead ? 0 : stream < 0 ? context.options.streams.length : stream;
  let part = contents.bySlot.get(slot);
  if (part === undefined) {
    const { tag, number, name, file, marks } = segment;
    const own = newSegment(kind, number, tag, sequence, context.options.streams.length, marks);
    part = { ...own, name, file, sealed: true };
    contents.bySlot.set(slot, part);
  }
  part.lastSequence = sequence;
  if (sequence <= done[kind][slot]!) return;
  if (kind === Kind.spill && stream < 0) {
    const name = memory.buffer.toString('utf8', nameOffset, nameOffset + entry.nameLength(memory, at));
    if (sequence <= positionOf(pass.positions, name)) return;
  }
  if (segment.marks !== undefined) {
    const name = memory.buffer.toString('utf8', nameOffset, nameOffset + entry.nameLength(memory, at));
    if (sequence <= positionOf(segment.marks, name)) return;
  }
  contents.undone += 1;
  if (sequence <= counted[kind][slot]!) return;
  part.tally.count(stream, entry.keyLength(memory, at) + entry.dataLength(memory, at), 1);
  part.oldestUs = Math.min(part.oldestUs, entry.firstSeenUs(memory, at));
  part.newestUs = Math.max(part.newestUs, entry.firstSeenUs(memory, at));
}

async function isZero(file: OpenFile, { buffer }: Memory, from: number, to: number): Promise<boolean> {
  for (let position = from; position < to; ) {
    const length = await file.read(buffer, 0, Math.min(scanBytes, to - position), position);
    if (length === 0) return false;
    for (let index = 0; index < length; index++) if (buffer[index] !== 0) return false;
    position += length;
  }
  return true;
}

async function cutTail(context: DlqContext, segment: Segment): Promise<void> {
  if (segment.file.bytes <= segment.bytes) return;
  const { files } = context.options;
  await context.attempt('truncate', async () => {
    const file = await files.open(context.path(segment.name), 'edit');
    try {
      await file.truncate(segment.bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    context.space.usedBytes -= segment.file.bytes - segment.bytes;
    segment.file.bytes = segment.bytes;
  });
}
