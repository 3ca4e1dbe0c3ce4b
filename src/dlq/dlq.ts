/**
 * The dead-letter queue as the daemon sees it: a series of spills for each stream, with a way back of its own, and one series
 * of dead letters, in one directory. Main thread; opened once by the daemon. `append` is on the admission path: it touches
 * memory only; all disk work is asynchronous. FORMAT.md, beside this file, describes the files and what is promised of them.
 *
 * Long because it is where all parts of the DLQ are put together, and the order of their beginnings and ends is its business.
 */
import { assert } from '../base/assert.ts';
import { BlockPool } from './blocks.ts';
import { checkpointBytes, positionOf } from './checkpoint.ts';
import { Checkpoints, type SpillQueue } from './checkpoints.ts';
import { conditionOf, type DlqCondition } from './condition.ts';
import { DlqContext } from './context.ts';
import { ReplayCursor } from './cursor.ts';
import { DeadLetters } from './dead-letters.ts';
import { DurableLogs, type DurableWatch } from './durable-logs.ts';
import { removeMarks } from './found-marks.ts';
import { DlqIndex, type IndexProgress } from './indexer.ts';
import type { JournalOptions } from './journal.ts';
import { Kind } from './layout.ts';
import type { DlqOptions, WindowArea } from './options.ts';
import { type Survey, survey } from './recover.ts';
import { Reserve } from './reserve.ts';
import { Retention } from './retention.ts';
import type { Appended } from './series.ts';
import { Series } from './series.ts';
import { Space } from './space.ts';
import { StreamNames } from './streams.ts';
import { WindowPool } from './windows.ts';

export interface OpenDlqOptions extends DlqOptions {
  /** Where replay reads. */
  readonly replayWindows: WindowArea;
  /** Largest event, data and key, that goes back to each stream; a larger one becomes a dead letter. */
  readonly eventBytesMax: readonly number[];
  /** Up to so many bytes in segments of earlier runs are counted before the opening is done, more in the background; absent: all. */
  readonly indexAtOnceBytes?: number;
}

/** What is in the queue, of one stream or in all. Bytes are those of data and partition keys. */
export interface Holdings {
  readonly spilled: number;
  readonly dead: number;
  readonly bytes: number;
  readonly spilledBytes: number;
  /** When the oldest spill was first seen, in microseconds since the epoch, exact to the segment; 0: none. */
  readonly oldestUs: number;
}

/** Opens the queue in `options.directory`: sees what earlier runs left, and appends to segments of its own. */
export async function openDlq(options: OpenDlqOptions): Promise<Dlq> {
  await options.files.makeDirectory(options.directory);
  const context = new DlqContext(
    options,
    new BlockPool(options.blocks),
    new Space(options.maxBytes, options.reserveBytes),
  );
  context.space.usedBytes += checkpointBytes(options.streams);
  const streams = new StreamNames(options.streams);
  const found = await survey(context);
  const reserve = new Reserve(context);
  context.reserve = reserve;
  await reserve.open();
  const dlq = new Dlq(context, options, streams, found, reserve);
  await dlq.start(options.indexAtOnceBytes ?? Number.POSITIVE_INFINITY);
  return dlq;
}

export class Dlq {
  #logs: DurableLogs | undefined;
  readonly #names: StreamNames;
  readonly #found: Survey;
  readonly #context: DlqContext;
  /** By stream; last that of streams that are not configured, which takes nothing new. */
  readonly #queues: readonly SpillQueue[];
  readonly #deads: Series;
  readonly #windows: WindowPool;
  readonly #checkpoints: Checkpoints;
  readonly #index: DlqIndex;
  readonly #retention: Retention;
  readonly #reserve: Reserve;
  /** What an operator does with dead letters. */
  readonly deadLetters: DeadLetters;

  constructor(context: DlqContext, options: OpenDlqOptions, streams: StreamNames, found: Survey, reserve: Reserve) {
    const names = options.streams;
    this.#context = context;
    this.#reserve = reserve;
    this.#names = streams;
    this.#found = found;
    this.#windows = new WindowPool(options.replayWindows);
    this.#deads = this.#series(Kind.dead, streams);
    this.#queues = [...names, undefined].map((name, slot) => {
      const checkpoint = name === undefined ? 0 : positionOf(found.positions, name);
      const series = this.#series(Kind.spill, streams);
      const cursor = new ReplayCursor({
        context,
        windows: this.#windows,
        stream: name === undefined ? -1 : slot,
        eventBytesMax: options.eventBytesMax[slot] ?? 0,
        found: found.positions,
        spills: series,
        deads: this.#deads,
        streams,
        checkpoint,
        onPassed: () => this.#checkpoints.soon(),
      });
      return { series, cursor, covered: checkpoint, written: checkpoint, held: [] };
    });
    this.#checkpoints = new Checkpoints(context, this.#queues, found.positions, () => this.flush());
    this.#index = new DlqIndex({
      context,
      streams,
      survey: found,
      adopt: (kind, slot, segment) => {
        const { writer, tally } = kind === Kind.dead ? this.#deads : this.#queue(slot).series;
        writer.adopt(segment);
        tally.add(segment.tally, 1);
      },
      onFound: (stream, events) => context.options.onFound?.(stream, events),
      onDone: () => this.#removeMarks(),
    });
    this.#retention = new Retention(context, this.#queues, this.#deads, () => this.deadLetters.isBusy);
    this.deadLetters = new DeadLetters({
      context,
      deads: this.#deads,
      spills: this.#queues.map(({ series }) => series),
      streams,
      eventBytesMax: options.eventBytesMax,
      windows: this.#windows,
      flush: () => this.flush(),
    });
  }

  #series(kind: Kind, streams: StreamNames): Series {
    return new Series(kind, this.#context, streams, () => this.#relieve());
  }

  /** Begins to count what earlier runs left; resolves when that is done, or at once with more than `atOnceBytes`. */
  start(atOnceBytes: number): Promise<void> {
    return this.#index.start(atOnceBytes);
  }

  /** All that earlier runs left is counted: until then a stream may have more spills than {@link holdings} says. */
  get isIndexed(): boolean {
    return this.#context.isIndexed;
  }

  get indexProgress(): IndexProgress {
    return this.#index.progress;
  }

  /** Once, for events that are acknowledged when they are on disk. */
  openJournal(options: JournalOptions, watch: DurableWatch): DurableLogs {
    assert(this.#logs === undefined, 'there is one journal');
    const spills = this.#queues.slice(0, -1).map(({ series }) => series);
    this.#logs = new DurableLogs(this.#context, options, watch, spills, this.#names, () => this.flush());
    // What a journal had may come back undelivered: it was promised to be on disk.
    if (this.#found.hadJournal) this.#logs.mustSync();
    return this.#logs;
  }

  /** Marks of journals of which nothing is left: as long as segments are not read, that is not known. */
  async #removeMarks(): Promise<void> {
    const spills = this.#queues.flatMap(({ series }) => series.writer.segments);
    await removeMarks(this.#context, this.#found.marks, spills);
  }

  /**
   * The pool is dry. Blocks that are being written come back by themselves: only when there are none are half-full ones written
   * before their time. Otherwise every event of several busy streams would soon cost a write of its own.
   */
  #relieve(): void {
    if (this.#all().some(({ writer }) => writer.isBehind)) return;
    this.#pushAll();
  }

  #all(): readonly Series[] {
    return [this.#deads, ...this.#queues.map(({ series }) => series)];
  }

  /** Hands half-full blocks of all series to their writers: somebody waits for what is in them, or for the blocks. */
  #pushAll(): void {
    this.#deads.push();
    for (const { series } of this.#queues) series.push();
  }

  /** Takes one event; all offsets are the arena's, its bytes are copied before it returns. Allocates nothing per event. */
  append(
    kind: Kind,
    stream: number,
    reason: number,
    attempts: number,
    firstSeenUs: number,
    keyOffset: number,
    keyLength: number,
    ehkOffset: number,
    dataOffset: number,
    dataLength: number,
  ): Appended {
    const series = kind === Kind.dead ? this.#deads : this.#queue(stream).series;
    return series.append(
      stream, 0, 0, reason, attempts, firstSeenUs, keyOffset, keyLength, ehkOffset, dataOffset, dataLength,
    ); // biome-ignore format: one line of arguments
  }

  /** Runs `resume` once when an append that answered `busy` may succeed. */
  whenWritable(resume: () => void): void {
    this.#context.pool.whenWritable(resume);
  }

  /** How many queues of spills there are: one for each stream, and the last for those that are not configured. */
  get queueCount(): number {
    return this.#queues.length;
  }

  /** The way back of a stream's spills. */
  cursor(queue: number): ReplayCursor {
    return this.#queue(queue).cursor;
  }

  /** Spills of a queue that wait for their replay. */
  spilledEvents(queue: number): number {
    return this.#queue(queue).series.tally.totalEvents;
  }

  /** A cursor that now begins to load would find no window. */
  get areWindowsTaken(): boolean {
    return this.#windows.isDry;
  }

  #queue(queue: number): SpillQueue {
    return this.#queues[queue] as SpillQueue;
  }

  /** Bytes on disk, or about to be. */
  get diskBytes(): number {
    return this.#context.space.usedBytes + this.#reserve.heldBytes;
  }

  /** What spills may still take of `max_bytes`. */
  get spillRoomBytes(): number {
    return this.#context.space.spillRoomBytes;
  }

  get condition(): DlqCondition {
    return conditionOf(this.#context, this.#reserve, this.#all());
  }

  /** Whether spills of so many bytes, entry headers and all, would be taken now. */
  hasRoom(bytes: number): boolean {
    return this.#context.space.hasRoom(Kind.spill, bytes) && this.#queues.every(({ series }) => !series.writer.failing);
  }

  holdings(stream: number | undefined): Holdings {
    const queues = stream === undefined ? this.#queues : [this.#queue(stream)];
    const { tally: deads } = this.#deads;
    const dead = stream === undefined ? deads.totalEvents : deads.events[stream]!;
    const deadBytes = stream === undefined ? deads.totalBytes : deads.bytes[stream]!;
    let [spilled, spilledBytes, oldestUs] = [0, 0, Number.POSITIVE_INFINITY];
    for (const { series } of queues) {
      spilled += series.tally.totalEvents;
      spilledBytes += series.tally.totalBytes;
      oldestUs = Math.min(oldestUs, series.oldestUs());
    }
    const isOldKnown = spilled > 0 && Number.isFinite(oldestUs);
    return { spilled, dead, bytes: spilledBytes + deadBytes, spilledBytes, oldestUs: isOldKnown ? oldestUs : 0 };
  }

  /** Everything of the queue up to `position` is delivered or was set aside anew. Made durable within `checkpointMs`. */
  checkpoint(queue: number, position: number): void {
    const state = this.#queue(queue);
    if (position <= state.covered) return;
    state.covered = position;
    this.#checkpoints.soon();
  }

  /** Names of the segments that are being written. */
  get openSegments(): string[] {
    return this.#all().flatMap(({ writer }) => writer.segments.filter(({ sealed }) => !sealed).map(({ name }) => name));
  }

  /** True when all that was appended is as durable as the fsync policy makes it; false when the disk keeps failing. */
  async flush(): Promise<boolean> {
    this.#pushAll();
    const settled = await Promise.all(this.#all().map(({ writer }) => writer.settled()));
    return settled.every((ok) => ok);
  }

  /**
   * From now on `max_bytes` refuses nothing: the daemon ends, and what its rings still hold was accepted and has no other
   * place to go. What this can take beyond the limit is bounded by the rings.
   */
  liftLimit(): void {
    this.#context.space.lift();
  }

  /** Takes over what may change while it is open; the reserve and the journal stay as they are. */
  retune(limits: Pick<DlqOptions, 'maxBytes' | 'whenFull' | 'maxAgeMs'>): void {
    this.#context.options = { ...this.#context.options, ...limits };
    this.#context.space.resize(limits.maxBytes);
    this.#retention.retune();
    this.#context.pool.wake();
  }

  /** Writes everything down. False: the disk keeps failing and events remain in memory. */
  async close(): Promise<boolean> {
    await this.#index.stop();
    await this.#retention.close();
    await this.#checkpoints.close();
    for (const { cursor } of this.#queues) await cursor.close();
    this.#pushAll();
    const closed = await Promise.all(this.#all().map(({ writer }) => writer.close()));
    const isWritten = closed.every((ok) => ok);
    if (isWritten) {
      await this.#checkpoints.write();
      if (this.isIndexed) await this.#removeMarks();
    }
    for (const series of this.#all()) series.refusals.close();
    await this.#logs?.journal.close(isWritten);
    await this.#reserve.close();
    return isWritten;
  }
}
