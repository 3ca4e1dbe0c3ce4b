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
 * The window must hold the largest entry; a larger one (of a config that allowed more) is quarantined, not lost. Entries of
 * streams that are no longer configured become dead letters here. Damage met on the way is quarantined and skipped.
 *
 * Long because reading, taking back and setting aside move one position, and must be read together.
 */
import { assert } from '../base/assert.ts';
import type { OpenFile } from '../edges/files.ts';
import { type DlqContext, errorFields } from './context.ts';
import { entry } from './layout.ts';
import { readFailuresMax } from './options.ts';
import { quarantine } from './quarantine.ts';
import { type DamageCause, SegmentReader } from './reader.ts';
import { Reason } from './reasons.ts';
import type { Segment } from './segment.ts';
import { Appended, type Series } from './series.ts';
import type { StreamNames } from './streams.ts';
import type { Tally } from './tally.ts';

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
  readonly #damaged: Tally;
  /** Told when the cursor has passed entries without handing them out. */
  readonly #onPassed: () => void;
  #open: { readonly segment: Segment; readonly file: OpenFile; readonly reader: SegmentReader } | undefined;
  /** Position of the last entry that was handed out or passed: those up to here are skipped when they appear again. */
  #done: number;
  #canUnread = false;
  #loading = false;
  #readFailures = 0;
  /** A dead letter found no block: its entry is still the next one. */
  #isWaitingForDeads = false;
  readonly #copies: Promise<void>[] = [];

  constructor(
    context: DlqContext,
    window: { readonly offset: number; readonly length: number },
    spills: Series,
    deads: Series,
    streams: StreamNames,
    damaged: Tally,
    checkpoint: number,
    onPassed: () => void,
  ) {
    this.#context = context;
    this.#window = window;
    this.#spills = spills;
    this.#deads = deads;
    this.#streams = streams;
    this.#damaged = damaged;
    this.#done = checkpoint;
    this.handedPosition = checkpoint;
    this.#handedBefore = checkpoint;
    this.#onPassed = onPassed;
  }

  /** Position of the last entry that was handed out or passed. */
  get donePosition(): number {
    return this.#done;
  }

  /**
   * Reads the next piece, overwriting the window. True: call `next` until it is false, then `load` again. False: nothing to
   * read now; the segment being written is closed, so that it can be removed once a checkpoint covers it.
   */
  async load(): Promise<boolean> {
    assert(!this.#loading, 'one load at a time');
    this.#loading = true;
    this.#canUnread = false;
    try {
      if (this.#isWaitingForDeads) await this.#waitForDeads();
      return await this.#load();
    } finally {
      this.#loading = false;
    }
  }

  /** Steps to the next spill and sets the fields; false when the window holds no more. */
  next(): boolean {
    if (this.#open === undefined || this.#loading) return false;
    const { reader, segment } = this.#open;
    const { arena } = this.#context.options;
    while (reader.step()) {
      const sequence = entry.sequence(arena, reader.at);
      if (sequence <= this.#done) continue;
      this.#readFields(reader.at, sequence);
      if (this.stream < 0 && !this.#moveToDeads(reader)) return false;
      segment.tally.count(this.stream, this.keyLength + this.dataLength, -1);
      this.#spills.tally.count(this.stream, this.keyLength + this.dataLength, -1);
      this.#unreadTo = this.#done;
      this.#done = sequence;
      if (this.stream >= 0) {
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

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open !== undefined) await this.#context.attempt('close', () => open.file.close());
  }

  async #load(): Promise<boolean> {
    for (;;) {
      try {
        this.#open ??= await this.#openNext();
        if (this.#open === undefined) {
          if (!(await this.#awaitWrites())) return false;
          continue;
        }
        const { segment, reader } = this.#open;
        reader.limit = segment.bytes;
        const loaded = await reader.load();
        this.#readFailures = 0;
        if (loaded) return true;
        if (segment.sealed) await this.#finish();
        else if (segment.bytes > reader.limit) continue;
        else if (!(await this.#awaitWrites())) {
          this.#spills.rotate();
          return false;
        }
      } catch (error) {
        if (!(await this.#setAsideAfter(error))) return false;
      }
    }
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
    const before = this.#spills.unwrittenEvents;
    if (before === 0) return false;
    this.#spills.push();
    await this.#spills.writer.written();
    return this.#spills.unwrittenEvents < before;
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
    const appended = this.#deads.append(
      -1, entry.nameOffset(reader.at), entry.nameLength(arena, reader.at), Reason.unknownStreamOnReplay, this.attempts,
      this.firstSeenUs, this.keyOffset, this.keyLength, this.ehkOffset, this.dataOffset, this.dataLength,
    ); // biome-ignore format: two lines of arguments
    if (appended === Appended.ok) return true;
    reader.unstep();
    this.#isWaitingForDeads = true;
    return false;
  }

  /** Blocks come back when they are written, room when an operator makes it: the wait ends at the next change or retry. */
  async #waitForDeads(): Promise<void> {
    this.#isWaitingForDeads = false;
    this.#deads.push();
    await this.#deads.writer.written();
  }

  #onDamage(segment: Segment, file: OpenFile, from: number, to: number, cause: DamageCause): void {
    this.#copies.push(quarantine(this.#context, segment, file, from, to, cause));
  }

  /** Leaves a segment that was read to its end. What it still counts is lost to damage. */
  async #finish(): Promise<void> {
    const { segment, file } = this.#open!;
    await Promise.all(this.#copies.splice(0));
    await this.#context.attempt('close', () => file.close());
    this.#open = undefined;
    this.#leave(segment);
  }

  #leave(segment: Segment): void {
    segment.finished = true;
    const { totalEvents } = segment.tally;
    if (totalEvents > 0) {
      this.#context.report({ change: 'damaged_events', segment: segment.name, events: totalEvents });
      this.#damaged.add(segment.tally, 1);
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
    if (this.#readFailures < readFailuresMax || segment === undefined || !segment.sealed) return false;
    this.#readFailures = 0;
    await this.close();
    segment.keep = true;
    this.#leave(segment);
    return true;
  }
}
