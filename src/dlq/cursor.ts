/**
 * Hands spills out for replay, oldest first, through a window of the arena. Main thread; one per DLQ.
 *
 * ```
 *   for (;;) {
 *     if (!(await cursor.load())) wait for more spills;      // false: caught up, or the disk cannot be read now
 *     while (cursor.next()) { no room in the ring? cursor.unread(), wait, go on; else copy the fields' bytes away }
 *   }
 * ```
 * What `next` hands out is no longer counted as spilled: it is in flight, and its file stays until a checkpoint covers it.
 * Entries of streams that are no longer configured, and those larger than their stream now takes, become dead letters here.
 * The window must hold the largest entry; a larger one is quarantined, not lost. Damage met on the way is quarantined and
 * skipped.
 *
 * Long because reading, taking back and setting aside move one position, and must be read together.
 */
import { assert } from '../base/assert.ts';
import { SpillwayError } from '../base/errors.ts';
import type { OpenFile } from '../edges/files.ts';
import { type DlqContext, errorFields } from './context.ts';
import { entry } from './layout.ts';
import { fullRetryMs, readFailuresMax, readRetryMs } from './options.ts';
import { quarantine } from './quarantine.ts';
import { type DamageCause, SegmentReader } from './reader.ts';
import { Reason } from './reasons.ts';
import type { Segment } from './segment.ts';
import { Appended, type Series } from './series.ts';
import type { StreamNames } from './streams.ts';

export interface CursorParts {
  readonly context: DlqContext;
  readonly window: { readonly offset: number; readonly length: number };
  /** By stream: a larger event, data and key, must not enter a ring. */
  readonly eventBytesMax: readonly number[];
  readonly spills: Series;
  readonly deads: Series;
  readonly streams: StreamNames;
  /** Position at which earlier runs ended. */
  readonly checkpoint: number;
  /** Told when the cursor has passed entries without handing them out. */
  readonly onPassed: () => void;
}

export class ReplayCursor {
  /** Fields of the entry that `next` stepped to; offsets are the arena's, valid until the next `load`. */
  stream = 0;
  reason = 0;
  attempts = 0;
  firstSeenUs = 0;
  keyOffset = 0;
  keyLength = 0;
  /** Of 16 bytes, big-endian; 0: none. */
  ehkOffset = 0;
  dataOffset = 0;
  dataLength = 0;
  /** Orders all spills over all runs; what `checkpoint` takes. */
  position = 0;
  /** Position of the last entry that was handed out: once a checkpoint covers it, nothing of the cursor is on its way. */
  handedPosition: number;

  readonly #context: DlqContext;
  readonly #window: { readonly offset: number; readonly length: number };
  readonly #spills: Series;
  readonly #deads: Series;
  readonly #streams: StreamNames;
  readonly #eventBytesMax: readonly number[];
  readonly #onPassed: () => void;
  #open: { readonly segment: Segment; readonly file: OpenFile; readonly reader: SegmentReader } | undefined;
  /** Position of the last entry that was handed out or passed: those up to here are skipped when they appear again. */
  #done: number;
  #canUnread = false;
  #loading: Promise<boolean> | undefined;
  #closed = false;
  #readFailures = 0;
  /** Why a dead letter was not taken: its entry is still the next one. */
  #deadsRefused: Appended = Appended.ok;
  readonly #copies: Promise<void>[] = [];

  constructor(parts: CursorParts) {
    this.#context = parts.context;
    this.#window = parts.window;
    this.#eventBytesMax = parts.eventBytesMax;
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

  /**
   * Reads the next piece, overwriting the window. True: call `next` until it is false, then `load` again. False: nothing to
   * read now; the segment being written was closed and left, so that it can be removed once a checkpoint covers it.
   */
  async load(): Promise<boolean> {
    assert(this.#loading === undefined, 'one load at a time');
    this.#canUnread = false;
    this.#loading = this.#load();
    try {
      return await this.#loading;
    } finally {
      this.#loading = undefined;
    }
  }

  /** Steps to the next spill and sets the fields; false when the window holds no more. */
  next(): boolean {
    if (this.#open === undefined || this.#loading !== undefined) return false;
    const { reader, segment } = this.#open;
    const { arena } = this.#context.options;
    while (reader.step()) {
      const sequence = entry.sequence(arena, reader.at);
      if (sequence <= this.#done) continue;
      this.#readFields(reader.at, sequence);
      const isDead = this.stream < 0 || this.keyLength + this.dataLength > this.#eventBytesMax[this.stream]!;
      if (isDead && !this.#moveToDeads(reader)) return false;
      segment.tally.count(this.stream, this.keyLength + this.dataLength, -1);
      this.#spills.tally.count(this.stream, this.keyLength + this.dataLength, -1);
      this.#unreadTo = this.#done;
      this.#done = sequence;
      if (!isDead) {
        this.#canUnread = true;
        this.#handedBefore = this.handedPosition;
        this.handedPosition = sequence;
        return true;
      }
      this.#onPassed();
    }
    this.#canUnread = false;
    return false;
  }
  #unreadTo = 0;
  #handedBefore: number;

  /** Takes the last `next` back: its entry counts as spilled again and is the next one. Once, directly after a `next`. */
  unread(): void {
    assert(this.#canUnread && this.#open !== undefined, 'unread follows a next that returned true');
    this.#canUnread = false;
    this.#open.reader.unstep();
    this.#open.segment.tally.count(this.stream, this.keyLength + this.dataLength, 1);
    this.#spills.tally.count(this.stream, this.keyLength + this.dataLength, 1);
    this.#done = this.#unreadTo;
    this.handedPosition = this.#handedBefore;
  }

  /** Ends a load that is under way, then the reading. The writers must still be running: the load may wait for them. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#loading;
    await this.#closeFile();
  }

  async #closeFile(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await Promise.all(this.#copies.splice(0));
    if (open !== undefined) await this.#context.attempt('close', () => open.file.close());
  }

  async #load(): Promise<boolean> {
    if (this.#deadsRefused !== Appended.ok) await this.#waitForDeads();
    while (!this.#closed) {
      try {
        this.#open ??= await this.#openNext();
        if (this.#open === undefined) {
          if (!(await this.#awaitWrites())) return false;
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

  async #openNext(): Promise<{ segment: Segment; file: OpenFile; reader: SegmentReader } | undefined> {
    const segment = this.#spills.writer.segments.find(({ finished }) => !finished);
    if (segment === undefined) return undefined;
    const file = await this.#context.options.files.open(this.#context.path(segment.name), 'read');
    const reader = new SegmentReader({
      file,
      memory: this.#context.options.arena,
      window: this.#window,
      limit: segment.bytes,
      tag: segment.tag,
      payloads: true,
      onDamage: (from, to, cause) => this.#onDamage(segment, file, from, to, cause),
    });
    return { segment, file, reader };
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

  #readFields(at: number, sequence: number): void {
    const { arena } = this.#context.options;
    this.stream = this.#streams.find(arena.buffer, entry.nameOffset(at), entry.nameLength(arena, at));
    this.reason = entry.reason(arena, at);
    this.attempts = entry.attempts(arena, at);
    this.firstSeenUs = entry.firstSeenUs(arena, at);
    this.ehkOffset = entry.hashKeyOffset(arena, at);
    this.keyOffset = entry.keyOffset(arena, at);
    this.keyLength = entry.keyLength(arena, at);
    this.dataOffset = entry.dataOffset(arena, at);
    this.dataLength = entry.dataLength(arena, at);
    this.position = sequence;
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
      const { options } = this.#context;
      this.#context.report({ change: 'damaged_events', segment: segment.name, events: totalEvents });
      options.streams.forEach((_, stream) => {
        const events = segment.tally.events[stream]!;
        if (events > 0) options.onUnreadable(stream, events);
      });
      this.#spills.tally.add(segment.tally, -1);
      segment.tally.clear();
    }
    this.#done = Math.max(this.#done, segment.lastSequence);
    this.#onPassed();
  }

  /** Counts a failed read; after some, sets the segment aside so that those behind it go on. False: try again later. */
  async #setAsideAfter(error: unknown): Promise<boolean> {
    this.#readFailures += 1;
    this.#context.report({ change: 'read_failed', failures: this.#readFailures, ...errorFields(error) });
    const segment = this.#open?.segment ?? this.#spills.writer.segments.find(({ finished }) => !finished);
    const isHopeless = this.#readFailures >= readFailuresMax && segment !== undefined;
    if (isHopeless && !segment.sealed) await this.#spills.rotate();
    if (!isHopeless || !segment.sealed) {
      await this.#context.delay(readRetryMs);
      return false;
    }
    this.#readFailures = 0;
    await this.#closeFile();
    segment.keep = true;
    this.#leave(segment);
    return true;
  }
}

/** What was written is not there: somebody else cut the file, or the disk lies. */
function shortSegment({ name, bytes }: Segment): SpillwayError {
  return new SpillwayError('dlq_short_segment', `${name} is shorter than the ${bytes} bytes that were written to it`);
}
