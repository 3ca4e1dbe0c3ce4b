/**
 * Counts what a segment that an earlier run left still holds, and for which streams. Main thread; the index asks it of one
 * segment after the other, in the order of their sequences; the next ones are opened and begun meanwhile, since a disk that has
 * several files to read is several times as fast. It keeps the damage that it meets, and cuts off a torn tail. It holds the
 * event loop for one window of {@link scanWindow} at a time.
 */
import type { OpenFile } from '../edges/files.ts';
import { type Positions, positionOf } from './checkpoint.ts';
import { type DlqContext, errorFields } from './context.ts';
import type { Found, FoundKind } from './heads.ts';
import { entry, Kind, type Memory, segmentHeaderBytes } from './layout.ts';
import { quarantineRangesMax } from './options.ts';
import { quarantine, setAsideUnread } from './quarantine.ts';
import { type DamageCause, SegmentReader } from './reader.ts';
import { newSegment, type Segment } from './segment.ts';
import type { StreamNames } from './streams.ts';

interface Range {
  readonly from: number;
  readonly to: number;
  readonly cause: DamageCause;
}

/** One pass over the segments. A slot is a stream, and the last slot all that are not configured; dead letters have one. */
export interface Pass {
  readonly context: DlqContext;
  readonly streams: StreamNames;
  /** By kind and slot: sequence up to which entries are done. */
  readonly done: Readonly<Record<FoundKind, readonly number[]>>;
  readonly positions: Positions;
  /** By kind and slot: sequence of the last entry that was counted, so that none is counted twice. */
  readonly counted: Record<FoundKind, number[]>;
  /** Sequence after which this run's own begin. */
  readonly lastSequence: number;
}

/** A segment that is being read. */
export interface Reading {
  readonly item: Found;
  readonly memory: Memory;
  readonly ranges: Range[];
  file: OpenFile | undefined;
  reader: SegmentReader | undefined;
  /** Its first window is in the memory, or there is none; rejects with what the disk reported. */
  readonly begun: Promise<boolean>;
}

/** What one segment holds. */
export interface Contents {
  readonly bySlot: Map<number, Segment>;
  /** Entries that no checkpoint covers, those that stand in other segments too included. */
  undone: number;
  /** Of the last entry; 0: there is none. */
  lastSequence: number;
}

export function newPass(context: DlqContext, streams: StreamNames, positions: Positions): Pass {
  const { streams: names } = context.options;
  // What of the last slot is done depends on the name: see countEntry.
  const done = [...names.map((name) => positionOf(positions, name)), 0];
  return {
    context,
    streams,
    done: { [Kind.spill]: done, [Kind.dead]: [0] },
    positions,
    counted: { [Kind.spill]: [...done], [Kind.dead]: [0] },
    lastSequence: context.lastSequence,
  };
}

/** Opens a segment and reads its first window into `memory`, of {@link scanWindow}. */
export function beginSegment(context: DlqContext, item: Found, memory: Memory): Reading {
  const ranges: Range[] = [];
  const begin = async (): Promise<boolean> => {
    const file = await context.insist(() => context.options.files.open(context.path(item.name), 'read'));
    reading.file = file;
    const reader = new SegmentReader({
      file,
      memory,
      window: { offset: 0, length: memory.buffer.length },
      limit: item.file.bytes,
      tag: item.tag,
      payloads: false,
      keys: context.options.keys,
      onDamage: (from, to, cause) => {
        if (ranges.length <= quarantineRangesMax) ranges.push({ from, to, cause });
      },
      onLost: (entries) => {
        const [first, last] = [entries[0], entries.at(-1)];
        const { uncounted } = item.file;
        if (first === undefined || last === undefined || uncounted.length > quarantineRangesMax) return;
        uncounted.push([entry.sequence(memory, first), entry.sequence(memory, last)]);
      },
    });
    reading.reader = reader;
    return context.insist(() => reader.load());
  };
  const begun = Promise.resolve().then(begin);
  // Whoever waits for it hears of it.
  begun.catch(() => undefined);
  const reading: Reading = { item, memory, ranges, file: undefined, reader: undefined, begun };
  return reading;
}

/** Closes what was opened, whether it was read or not. */
export async function endSegment(context: DlqContext, { begun, file }: Reading): Promise<void> {
  await begun.catch(() => undefined);
  if (file !== undefined) await context.attempt('close', () => file.close());
}

/** Counts a segment's entries before `clip`, and keeps its damage. Undefined: it had to be set aside. */
export async function readSegment(pass: Pass, reading: Reading, clip: number): Promise<Contents | undefined> {
  const { context } = pass;
  const { item, memory, ranges } = reading;
  const { name, file } = item;
  const contents: Contents = { bySlot: new Map(), undone: 0, lastSequence: 0 };
  let validBytes = segmentHeaderBytes;
  try {
    let loaded = await reading.begun;
    const [opened, reader] = [reading.file!, reading.reader!];
    if (item.isHeaderDamaged && file.bytes > 0) {
      ranges.unshift({ from: 0, to: Math.min(file.bytes, segmentHeaderBytes), cause: 'header' });
    }
    countEntries: for (; loaded; loaded = await context.insist(() => reader.load())) {
      while (reader.step()) {
        if (entry.sequence(memory, reader.at) >= clip) break countEntries;
        countEntry(pass, reading, contents, reader.at);
        validBytes = reader.validEnd;
      }
    }
    if (contents.lastSequence > pass.lastSequence) {
      await setAsideUnread(context, name, `its last sequence, ${contents.lastSequence}, is beyond that of all others`);
      return undefined;
    }
    const tail = ranges.at(-1);
    // Zeros were written ahead of entries: nothing was lost there.
    const isZeroed = tail?.cause === 'tail' && (await isZero(opened, memory, tail.from, tail.to));
    for (const { from, to, cause } of isZeroed ? ranges.slice(0, -1) : ranges) {
      if (cause === 'tail') context.report({ change: 'torn', segment: name, bytes: to - from });
      await quarantine(context, item, opened, from, to, cause);
    }
  } catch (error) {
    await setAsideUnread(context, name, errorFields(error).message);
    return undefined;
  }
  if (ranges.some(({ cause }) => cause === 'tail') && !file.keep) await cutTail(context, item, validBytes);
  const counted = pass.counted[item.kind];
  for (const [slot, part] of contents.bySlot) {
    part.bytes = validBytes;
    counted[slot] = Math.max(counted[slot]!, part.lastSequence);
  }
  return contents;
}

function countEntry(pass: Pass, { item, memory }: Reading, contents: Contents, at: number): void {
  const { streams, done, counted, context } = pass;
  const { kind } = item;
  const sequence = entry.sequence(memory, at);
  contents.lastSequence = sequence;
  const nameOffset = entry.nameOffset(at);
  const stream = streams.find(memory.buffer, nameOffset, entry.nameLength(memory, at));
  const slot = kind === Kind.dead ? 0 : stream < 0 ? context.options.streams.length : stream;
  let part = contents.bySlot.get(slot);
  if (part === undefined) {
    part = partOf(context, item, sequence);
    contents.bySlot.set(slot, part);
  }
  part.lastSequence = sequence;
  if (sequence <= done[kind][slot]!) return;
  if (kind === Kind.spill && stream < 0) {
    const name = memory.buffer.toString('utf8', nameOffset, nameOffset + entry.nameLength(memory, at));
    if (sequence <= positionOf(pass.positions, name)) return;
  }
  if (item.marks !== undefined) {
    const name = memory.buffer.toString('utf8', nameOffset, nameOffset + entry.nameLength(memory, at));
    if (sequence <= positionOf(item.marks, name)) return;
  }
  contents.undone += 1;
  if (sequence <= counted[kind][slot]!) return;
  part.tally.count(stream, entry.keyLength(memory, at) + entry.dataLength(memory, at), 1);
  part.oldestUs = Math.min(part.oldestUs, entry.firstSeenUs(memory, at));
  part.newestUs = Math.max(part.newestUs, entry.firstSeenUs(memory, at));
}

/** What one series needs of a file that was found. */
export function partOf(context: DlqContext, item: Found, firstSequence: number): Segment {
  const { kind, number, tag, name, file, marks } = item;
  const { streams } = context.options;
  return { ...newSegment(kind, number, tag, firstSequence, streams.length, marks), name, file, sealed: true };
}

async function isZero(file: OpenFile, { buffer }: Memory, from: number, to: number): Promise<boolean> {
  for (let position = from; position < to; ) {
    const length = await file.read(buffer, 0, Math.min(buffer.length, to - position), position);
    if (length === 0) return false;
    for (let index = 0; index < length; index++) if (buffer[index] !== 0) return false;
    position += length;
  }
  return true;
}

async function cutTail(context: DlqContext, { name, file }: Found, bytes: number): Promise<void> {
  if (file.bytes <= bytes) return;
  const { files } = context.options;
  await context.attempt('truncate', async () => {
    const opened = await files.open(context.path(name), 'edit');
    try {
      await opened.truncate(bytes);
      await opened.sync();
    } finally {
      await opened.close();
    }
    context.space.usedBytes -= file.bytes - bytes;
    file.bytes = bytes;
  });
}
