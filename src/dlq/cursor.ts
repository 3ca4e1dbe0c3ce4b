/**
 * Hands the spills of one stream out for replay, oldest first, through a window of the arena. Main thread; one per stream, and
 * one for all streams that are not configured any more.
 *
 * ```
 *   for (;;) {
 *     if (!(await cursor.load())) wait for more spills;      // false: caught up, no window, or the disk cannot be read now
 *     while (cursor.next()) { no room in the ring? cursor.unread(), wait, go on; else copy the fields' bytes away }
 *   }
 * ```
 * What `next` hands out is no longer counted as spilled: it is in flight, and its file stays until a checkpoint covers it.
 * Entries of streams that are no longer configured, and those larger than their stream now takes, become dead letters here.
 * The window must hold the largest entry; a larger one is quarantined, not lost. Damage met on the way is quarantined and
 * skipped. `rewind` takes back what was handed out and came back undelivered: it is handed out again, in its old order.
 *
 * Long because reading, taking back and setting aside move one position, and must be read together.
 */
import { assert } from '../base/assert.ts';
import { SpillwayError } from '../base/errors.ts';
import type { OpenFile } from '../edges/files.ts';
import { type Positions, positionOf } from './checkpoint.ts';
import { type DlqContext, errorFields } from './context.ts';
import { entry } from './layout.ts';
import { fullRetryMs, readFailuresMax, readRetryMs } from './options.ts';
import { quarantine } from './quarantine.ts';
import { type DamageCause, SegmentReader } from './reader.ts';
import { Reason } from './reasons.ts';
import type { Segment } from './segment.ts';
import { Appended, type Series } from './series.ts';
import type { StreamNames } from './streams.ts';
import type { Window, WindowPool } from './windows.ts';

export interface CursorParts {
  readonly context: DlqContext;
  readonly windows: WindowPool;
  /** Its stream; -1: all that are not configured. */
  readonly stream: number;
  /** A larger event, data and key, must not enter a ring. */
  readonly eventBytesMax: number;
  /** What the last run's checkpoint says: of a stream that is not configured, its own entries are done up to there. */
  readonly found: Positions;
  readonly spills: Series;
  readonly deads: Series;
  readonly streams: StreamNames;
  /** Position at which earlier runs ended. */
  readonly checkpoint: number;
  /** Told when the cursor has passed entries without handing them out. */
  readonly onPassed: () => void;
}

interface OpenSegment {
  readonly segment: Segment;
  readonly file: OpenFile;
  readonly reader: SegmentReader;
  /** Of an earlier run's journal: its entries up to here are done. */
  readonly markedTo: number;
}

export class ReplayCursor {
  /** Fields of the entry that `next` stepped to; offsets are the arena's, valid until the next `load`. */
  readonly stream: number;
  reason = 0;
  attempts = 0;
  firstSeenUs = 0;
  keyOffset = 0;
  keyLength = 0;
  /** Of 16 bytes, big-endian; 0: none. */
  ehkOffset = 0;
  dataOffset = 0;
  dataLength = 0;
  /** Orders all spills over all runs; what `rewind` takes. */
  sequence = 0;
  /** What `checkpoint` takes: up to there all that was handed out is done when this entry is. */
  position = 0;
  /** Position of the last entry that was handed out: once a checkpoint covers it, nothing of the cursor is on its way. */
  handedPosition: number;

  readonly #context: DlqContext;
  readonly #windows: WindowPool;
  #window: Window | undefined;
  readonly #spills: Series;
  readonly #deads: Series;
  readonly #streams: StreamNames;
  readonly #eventBytesMax: number;
  readonly #found: Positions;
  readonly #onPassed: () => void;
  #open: OpenSegment | undefined;
  /** Position of the last entry that was handed out or passed: those up to here are skipped when they appear again. */
  #done: number;
  /** Sequences up to {@link #done} that are to be handed out again, in their order, and the next of them. */
  #again: readonly number[] = [];
  #againNext = 0;
  /** Sequence of the last entry that was handed out since it went back; all before that is done or will be said to be. */
  #lastHanded = 0;
  #lastHandedBefore = 0;
  /** Events that were first seen before this are dropped, in microseconds; 0: none. */
  #dropBeforeUs = 0;
  #droppedOld = 0;
  #canUnread = false;
  #loading: Promise<boolean> | undefined;
  #closed = false;
  #readFailures = 0;
  /** Why a dead letter was not taken: its entry is still the next one. */
  #deadsRefused: Appended = Appended.ok;
  readonly #copies: Promise<void>[] = [];

  constructor(parts: CursorParts) {
    this.#context = parts.context;
    this.#windows = parts.windows;
    this.stream = parts.stream;
    this.#eventBytesMax = parts.eventBytesMax;
    this.#found = parts.found;
    this.#spills = parts.spills;
    this.#deads = parts.deads;
    this.#streams = parts.streams;
    this.#done = parts.checkpoint;
    this.handedPosition = parts.checkpoint;
    this.#handedBefore = parts.checkpoint;
    this.#onPassed = parts.onPassed;
  }

  /** Position of the last entry that was handed out or passed. */
  get donePosition(): number {
    return this.#done;
  }

  /** It has a window: its next load needs no other. */
  get hasWindow(): boolean {
    return this.#window !== undefined;
  }

  /** A load is under way. */
  get isLoading(): boolean {
    return this.#loading !== undefined;
  }

  /** Lends its window to others: the next `load` reads again what was not handed out yet. Not while it loads. */
  release(): void {
    assert(this.#loading === undefined, 'no window is given away while it is read into');
    this.#canUnread = false;
    if (this.#window === undefined) return;
    this.#windows.giveBack(this.#window);
    this.#window = undefined;
  }

  /** Hands out no more of its next segment, though what it has handed out of it may come back. False: it is reading now. */
  pass(segment: Segment): boolean {
    if (!this.letGo(segment)) return false;
    segment.finished = true;
    this.#done = Math.max(this.#done, segment.lastSequence);
    this.#passAgain(segment.lastSequence + 1);
    this.#onPassed();
    return true;
  }

  /** Forgets a segment that is to be removed, if it stands in it. False: it is reading now. */
  letGo(segment: Segment): boolean {
    if (this.#loading !== undefined) return false;
    if (this.#open?.segment === segment) {
      this.release();
      this.#copies.push(this.#closeOpen());
    }
    return true;
  }

  /**
   * Reads the next piece, overwriting the window. True: call `next` until it is false, then `load` again. False: nothing to
   * read now; the segment being written was closed and left, so that it can be removed once a checkpoint covers it.
   */
  async load(): Promise<boolean> {
    assert(this.#loading === undefined, 'one load at a time');
    this.#canUnread = false;
    const { maxAgeMs, clock } = this.#context.options;
    this.#dropBeforeUs = maxAgeMs === undefined ? 0 : (clock.nowMs() - maxAgeMs) * 1000;
    this.#loading = this.#load();
    try {
      return await this.#loading;
    } finally {
      this.#loading = undefined;
    }
  }

  /** Steps to the next spill and sets the fields; false when the window holds no more. */
  next(): boolean {
    if (this.#open === undefined || this.#window === undefined || this.#loading !== undefined) return false;
    const { reader, segment } = this.#open;
    const { arena } = this.#context.options;
    while (reader.step()) {
      const sequence = entry.sequence(arena, reader.at);
      const isAgain = sequence <= this.#done;
      if ((isAgain && !this.#isWantedAgain(sequence)) || !this.#isOwn(reader.at, sequence)) continue;
      this.#readFields(reader.at, sequence);
      const bytes = this.keyLength + this.dataLength;
      const isOld = this.firstSeenUs < this.#dropBeforeUs;
      const isDead = !isOld && (this.stream < 0 || bytes > this.#eventBytesMax);
      if (isDead && !this.#moveToDeads(reader)) return false;
      if (isOld) this.#dropOld();
      segment.tally.count(this.stream, bytes, -1);
      this.#spills.tally.count(this.stream, bytes, -1);
      this.#unreadTo = isAgain ? undefined : this.#done;
      if (!isAgain) this.#done = sequence;
      else if (isDead || isOld) this.#passAgain(sequence + 1);
      else this.#againNext += 1;
      if (!isDead && !isOld) {
        this.#canUnread = true;
        this.#lastHandedBefore = this.#lastHanded;
        this.#lastHanded = sequence;
        this.#handedBefore = this.handedPosition;
        this.handedPosition = Math.max(this.handedPosition, sequence);
        // What was handed out with the last of these and is not among them was done before.
        this.position = isAgain && this.#againNext === this.#again.length ? this.handedPosition : sequence;
        return true;
      }
      this.#onPassed();
    }
    this.#canUnread = false;
    this.#tellOld();
    return false;
  }
  /** Undefined: the entry was handed out again. */
  #unreadTo: number | undefined = 0;
  #handedBefore: number;

  /** Takes the last `next` back: its entry counts as spilled again and is the next one. Once, directly after a `next`. */
  unread(): void {
    assert(this.#canUnread && this.#open !== undefined, 'unread follows a next that returned true');
    this.#canUnread = false;
    this.#open.reader.unstep();
    this.#open.segment.tally.count(this.stream, this.keyLength + this.dataLength, 1);
    this.#spills.tally.count(this.stream, this.keyLength + this.dataLength, 1);
    if (this.#unreadTo === undefined) this.#againNext -= 1;
    else this.#done = this.#unreadTo;
    this.handedPosition = this.#handedBefore;
    this.#lastHanded = this.#lastHandedBefore;
  }

  /** An event that was handed out came back undelivered, and was not appended again: it counts as spilled from now on. */
  takeBack(bytes: number): void {
    this.#spills.tally.count(this.stream, bytes, 1);
  }

  /**
   * Hands these out again before anything else: sequences in ascending order, all above the last checkpoint, each taken back
   * before, with their bytes. Not while a load is under way.
   */
  rewind(sequences: readonly number[], bytes: readonly number[]): void {
    assert(this.#loading === undefined, 'nothing is read while the cursor goes back');
    const first = sequences[0];
    if (first === undefined) return;
    const left = this.#again.slice(this.#againNext);
    // What was to be handed out again and was not yet comes behind: it was taken out in order.
    assert((sequences.at(-1) ?? 0) < (left[0] ?? Number.POSITIVE_INFINITY), 'what came back stood before what is left');
    this.#again = [...sequences, ...left];
    this.#againNext = 0;
    this.#lastHanded = first - 1;
    this.release();
    this.#copies.push(this.#closeOpen());
    const { segments } = this.#spills.writer;
    let index = 0;
    for (const segment of segments) {
      if (segment.lastSequence >= first) segment.finished = false;
      for (; index < sequences.length && sequences[index]! <= segment.lastSequence; index++) {
        segment.tally.count(this.stream, bytes[index]!, 1);
      }
    }
    assert(index === sequences.length, 'what came back is still on disk');
  }

  /** Ends a load that is under way, then the reading. The writers must still be running: the load may wait for them. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#loading;
    this.#tellOld();
    await this.#closeFile();
    this.release();
  }

  async #closeFile(): Promise<void> {
    await Promise.all(this.#copies.splice(0));
    await this.#closeOpen();
  }

  async #closeOpen(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open !== undefined) await this.#context.attempt('close', () => open.file.close());
  }

  async #load(): Promise<boolean> {
    const loaded = await this.#loadNext();
    if (!loaded && this.#window !== undefined) {
      this.#windows.giveBack(this.#window);
      this.#window = undefined;
    }
    return loaded;
  }

  async #loadNext(): Promise<boolean> {
    if (this.#deadsRefused !== Appended.ok) await this.#waitForDeads();
    if (this.#window === undefined) {
      this.#window = this.#windows.take();
      if (this.#window === undefined) return false;
      this.#open?.reader.useWindow(this.#window);
    }
    while (!this.#closed) {
      try {
        this.#open ??= await this.#openNext();
        if (this.#open === undefined) {
          if (this.#mustWaitForIndex || !(await this.#awaitWrites())) return false;
          continue;
        }
        const { segment, reader } = this.#open;
        const limit = segment.bytes;
        reader.limit = limit;
        const loaded = await reader.load();
        if (!loaded && reader.limit < limit && !segment.sealed) throw shortSegment(segment);
        this.#readFailures = 0;
        if (loaded) return true;
        if (segment.sealed) await this.#finish();
        else if (segment.bytes > reader.limit) continue;
        else if (!(await this.#awaitWrites())) {
          await this.#spills.rotate();
          if (!segment.sealed) return false;
        }
      } catch (error) {
        if (!(await this.#setAsideAfter(error))) return false;
      }
    }
    return false;
  }

  async #openNext(): Promise<OpenSegment | undefined> {
    const segment = this.#nextSegment();
    if (segment === undefined) return undefined;
    const file = await this.#context.options.files.open(this.#context.path(segment.name), 'read');
    const reader = new SegmentReader({
      file,
      memory: this.#context.options.arena,
      window: this.#window!,
      limit: segment.bytes,
      tag: segment.tag,
      payloads: true,
      keys: this.#context.options.keys,
      onDamage: (from, to, cause) => this.#onDamage(segment, file, from, to, cause),
    });
    const { marks } = segment;
    const name = this.#context.options.streams[this.stream];
    const markedTo = marks === undefined || name === undefined ? 0 : positionOf(marks, name);
    return { segment, file, reader, markedTo };
  }

  #nextSegment(): Segment | undefined {
    return this.#mustWaitForIndex ? undefined : this.#spills.writer.segments.find(({ finished }) => !finished);
  }

  /**
   * What may come before the next segment is not known yet: entries are handed out in the order of their sequences. Those of
   * streams that are not configured stand in segments that may overlap, so all of them are waited for.
   */
  get #mustWaitForIndex(): boolean {
    const { isIndexed, tag } = this.#context;
    if (isIndexed) return false;
    const next = this.#spills.writer.segments.find(({ finished }) => !finished);
    return this.stream < 0 || next === undefined || next.tag === tag;
  }

  /** True when spills that were only in memory have become readable. */
  async #awaitWrites(): Promise<boolean> {
    if (this.#spills.unwrittenEvents === 0) return false;
    const { writer } = this.#spills;
    const before = writer.lastWrittenSequence;
    this.#spills.push();
    await writer.written();
    return writer.lastWrittenSequence > before;
  }

  /** Whether an entry that was handed out before came back; moves past those that damage has taken in the meantime. */
  #isWantedAgain(sequence: number): boolean {
    this.#passAgain(sequence);
    return this.#again[this.#againNext] === sequence;
  }

  /** Those before `sequence` are not handed out again. When they were the last, nobody will say that they are done. */
  #passAgain(sequence: number): void {
    if (this.#againNext === this.#again.length) return;
    while ((this.#again[this.#againNext] ?? sequence) < sequence) this.#againNext += 1;
    if (this.#againNext === this.#again.length) this.handedPosition = this.#lastHanded;
  }

  /** Whether an entry belongs here: segments of an earlier version hold those of all streams. */
  #isOwn(at: number, sequence: number): boolean {
    const { arena } = this.#context.options;
    const nameOffset = entry.nameOffset(at);
    const nameLength = entry.nameLength(arena, at);
    if (this.#streams.find(arena.buffer, nameOffset, nameLength) !== this.stream) return false;
    const { segment, markedTo } = this.#open!;
    if (this.stream >= 0) return sequence > markedTo;
    const name = arena.buffer.toString('utf8', nameOffset, nameOffset + nameLength);
    const isMarked = segment.marks !== undefined && sequence <= positionOf(segment.marks, name);
    return !isMarked && sequence > positionOf(this.#found, name);
  }

  #readFields(at: number, sequence: number): void {
    const { arena } = this.#context.options;
    this.reason = entry.reason(arena, at);
    this.attempts = entry.attempts(arena, at);
    this.firstSeenUs = entry.firstSeenUs(arena, at);
    this.ehkOffset = entry.hashKeyOffset(arena, at);
    this.keyOffset = entry.keyOffset(arena, at);
    this.keyLength = entry.keyLength(arena, at);
    this.dataOffset = entry.dataOffset(arena, at);
    this.dataLength = entry.dataLength(arena, at);
    this.sequence = this.position = sequence;
  }

  #dropOld(): void {
    this.#droppedOld += 1;
    this.#context.drop(this.stream, 1, 'max_age');
  }

  /** Once per piece that is read, not per event. */
  #tellOld(): void {
    if (this.#droppedOld === 0) return;
    const stream = this.#context.options.streams[this.stream] ?? '';
    this.#context.report({ change: 'dropped', reason: 'max_age', events: this.#droppedOld, stream });
    this.#droppedOld = 0;
  }

  #moveToDeads(reader: SegmentReader): boolean {
    const { arena } = this.#context.options;
    const reason = this.stream < 0 ? Reason.unknownStreamOnReplay : Reason.tooLarge;
    const appended = this.#deads.append(
      this.stream, entry.nameOffset(reader.at), entry.nameLength(arena, reader.at), reason, this.attempts,
      this.firstSeenUs, this.keyOffset, this.keyLength, this.ehkOffset, this.dataOffset, this.dataLength,
    ); // biome-ignore format: two lines of arguments
    if (appended === Appended.ok) return true;
    reader.unstep();
    this.#deadsRefused = appended;
    return false;
  }

  /** Blocks come back when they are written, room when an operator makes it: the wait ends at the next change or retry. */
  async #waitForDeads(): Promise<void> {
    const isFull = this.#deadsRefused === Appended.full;
    this.#deadsRefused = Appended.ok;
    this.#deads.push();
    await this.#deads.writer.written();
    if (isFull) await this.#context.delay(fullRetryMs);
  }

  #onDamage(segment: Segment, file: OpenFile, from: number, to: number, cause: DamageCause): void {
    this.#copies.push(quarantine(this.#context, segment, file, from, to, cause));
  }

  /** Leaves a segment that was read to its end. What it still counts is lost to damage. */
  async #finish(): Promise<void> {
    const { segment } = this.#open!;
    await this.#closeFile();
    this.#leave(segment);
  }

  #leave(segment: Segment): void {
    segment.finished = true;
    const { totalEvents } = segment.tally;
    if (totalEvents > 0) {
      this.#context.report({ change: 'damaged_events', segment: segment.name, events: totalEvents });
      this.#context.drop(this.stream, totalEvents, 'damaged');
      this.#spills.tally.add(segment.tally, -1);
      segment.tally.clear();
    }
    this.#done = Math.max(this.#done, segment.lastSequence);
    this.#passAgain(segment.lastSequence + 1);
    this.#onPassed();
  }

  /** Counts a failed read; after some, sets the segment aside so that those behind it go on. False: try again later. */
  async #setAsideAfter(error: unknown): Promise<boolean> {
    this.#readFailures += 1;
    this.#context.report({ change: 'read_failed', failures: this.#readFailures, ...errorFields(error) });
    const segment = this.#open?.segment ?? this.#nextSegment();
    const isHopeless = this.#readFailures >= readFailuresMax && segment !== undefined;
    if (isHopeless && !segment.sealed) await this.#spills.rotate();
    if (!isHopeless || !segment.sealed) {
      await this.#context.delay(readRetryMs);
      return false;
    }
    this.#readFailures = 0;
    await this.#closeFile();
    segment.file.keep = true;
    this.#leave(segment);
    return true;
  }
}

/** What was written is not there: somebody else cut the file, or the disk lies. */
function shortSegment({ name, bytes }: Segment): SpillwayError {
  return new SpillwayError('dlq_short_segment', `${name} is shorter than the ${bytes} bytes that were written to it`);
}
