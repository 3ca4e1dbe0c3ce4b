/**
 * What an operator has done with dead letters: thrown away, or sent again. Main thread; one piece of work at a time, for the
 * daemon's control socket and for the command on a directory at rest. It never touches spills that are there already.
 *
 * ```
 *   close the open segment ─▶ for each segment, oldest first:
 *     purge    read ─▶ write the segment anew without them ─▶ count them as dropped
 *     replay   read ─▶ append each to the spills of its stream ─▶ make those durable ─▶ write the segment anew without them
 *              └────────────────── at most chunkMs, or the whole segment ──────────────────┘ and so on
 * ```
 * A letter that is sent again is a spill from then on: it has a new sequence, and goes back as every spill does. A crash between
 * the last two steps leaves it in both places, so it is sent twice; no crash loses one. Damage that is met is quarantined.
 *
 * Long because reading, moving and the accounts of a segment are one sequence of steps.
 */
import { SpillwayError } from '../base/errors.ts';
import type { OpenFile } from '../edges/files.ts';
import { type DlqContext, errorFields } from './context.ts';
import { type Filter, type Judge, judgeOf } from './filter.ts';
import { frameOverheadBytes } from './frames.ts';
import { entry, segmentHeaderBytes } from './layout.ts';
import { quarantine, removeSegment } from './quarantine.ts';
import { Ranges } from './ranges.ts';
import { type DamageCause, SegmentReader } from './reader.ts';
import { Reason } from './reasons.ts';
import { rewriteWithout } from './rewrite.ts';
import type { Segment } from './segment.ts';
import { Appended, type Series } from './series.ts';
import type { StreamNames } from './streams.ts';
import { Tally } from './tally.ts';
import type { Window, WindowPool } from './windows.ts';

/** Letters that were moved are taken out of their segment at least this often: what a crash repeats is bounded by it. */
const chunkMs = 5_000;
/** How often a wait for a window or for a block looks whether it is over. */
const waitMs = 5;
/** The pace is kept by waits of this length: shorter ones would read the same bytes again and again, longer ones hold up a stop. */
const paceMsLeast = 50;
const paceMsMost = 200;

export interface Work {
  readonly filter: Filter;
  /** Absent: they are thrown away. */
  readonly replay?:
    | {
        /** Index of the stream that they go to; absent: each to its own. */
        readonly to?: number | undefined;
        readonly perSecond?: number | undefined;
      }
    | undefined;
  /** Asked at every step; true ends the work when what was begun is finished. */
  readonly isStopped: () => boolean;
  readonly onProgress: (counts: WorkCounts) => void;
  /** `events` letters of `stream` (-1: not configured) went to the spills of `to`; of a configured one: or were thrown away. */
  readonly onGone: (stream: number, events: number, to: number | undefined) => void;
}

export interface WorkCounts {
  /** Of all segments that are looked at, and how many of them were. */
  totalBytes: number;
  readBytes: number;
  /** Thrown away, or sent again. */
  events: number;
  bytes: number;
  /** Meant by the filter, but left: their stream is not configured, or takes no event of that size. */
  unknownStream: number;
  tooLarge: number;
  /** Found damaged and quarantined. */
  damaged: number;
  /** It ended before its time. */
  isStopped: boolean;
}

export interface DeadLettersParts {
  readonly context: DlqContext;
  readonly deads: Series;
  /** By stream. */
  readonly spills: readonly Series[];
  readonly streams: StreamNames;
  readonly eventBytesMax: readonly number[];
  readonly windows: WindowPool;
  /** Makes all that was appended durable; false when the disk keeps failing. */
  readonly flush: () => Promise<boolean>;
}

/** The work on one segment. */
interface Task {
  readonly work: Work;
  readonly judge: Judge;
  readonly counts: WorkCounts;
  readonly segment: Segment;
  readonly file: OpenFile;
  /** Entries up to here stand in an earlier segment: they go without being counted. */
  readonly repeatedTo: number;
  /** Entries up to here were judged before the segment was written anew. */
  judgedTo: number;
  /** What goes; kept out of {@link drops} as long as it is not copied: what is damaged. */
  readonly drops: Ranges;
  readonly damaged: Ranges;
  /** Whole entries of which the payload is damaged: stream and bytes. */
  readonly unreadable: { readonly stream: number; readonly bytes: number }[];
  readonly copies: Promise<void>[];
  /** Letters that are to be thrown away. */
  readonly purged: Tally;
  /** Bytes of the segments before. */
  readonly bytesBefore: number;
}

export class DeadLetters {
  readonly #parts: DeadLettersParts;
  #isBusy = false;
  #isWindowWanted = false;
  /** Letters that were sent again and could not be taken out of their segment, by its name: not to be sent once more. */
  readonly #leftovers = new Map<string, Ranges>();
  #pacedFromMs = 0;
  #paced = 0;

  constructor(parts: DeadLettersParts) {
    this.#parts = parts;
  }

  /** The work waits for a window: a stream that cannot go on should lend its own. */
  get isWindowWanted(): boolean {
    return this.#isWindowWanted;
  }

  /** Whether somebody works on the segments: then nobody else may take any away. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Rejects when there is such work already, and with what the disk reports; all that was done until then stays done. */
  async run(work: Work): Promise<WorkCounts> {
    if (this.#isBusy) {
      throw new SpillwayError('dlq_busy', 'another purge or replay is under way: wait until it has ended, or stop it', {
        retryable: true,
      });
    }
    this.#isBusy = true;
    try {
      return await this.#run(work);
    } finally {
      this.#isBusy = false;
    }
  }

  async #run(work: Work): Promise<WorkCounts> {
    const { deads, context } = this.#parts;
    // All letters are meant, those of segments that are not read yet as well.
    while (!context.isIndexed && !work.isStopped()) await context.delay(waitMs);
    deads.push();
    // Full segments close by themselves meanwhile; the last one is closed when all is in it.
    await deads.writer.written();
    await deads.rotate();
    const { segments } = deads.writer;
    const sealed = segments.filter((segment) => segment.sealed);
    const totalBytes = sealed.reduce((sum, { bytes }) => sum + bytes, 0);
    const counts: WorkCounts = {
      totalBytes, readBytes: 0, events: 0, bytes: 0, unknownStream: 0, tooLarge: 0, damaged: 0, isStopped: false,
    }; // biome-ignore format: two lines of counts
    this.#pacedFromMs = context.options.clock.nowMs();
    this.#paced = 0;
    const judge = judgeOf(work.filter);
    let repeatedTo = 0;
    for (const segment of sealed) {
      if (work.isStopped()) break;
      const { bytes, lastSequence } = segment;
      const bytesBefore = counts.readBytes;
      let judgedTo = 0;
      for (let isEnd = false; !isEnd; ) {
        ({ isEnd, judgedTo } = await this.#chunk(work, judge, counts, segment, bytesBefore, repeatedTo, judgedTo));
        if (work.isStopped()) break;
      }
      counts.readBytes = bytesBefore + bytes;
      work.onProgress(counts);
      repeatedTo = Math.max(repeatedTo, lastSequence);
    }
    counts.isStopped = work.isStopped();
    const change = work.replay === undefined ? 'purged' : 'sent_again';
    if (counts.events > 0) context.report({ change, events: counts.events, bytes: counts.bytes });
    return counts;
  }

  /** One go at a segment: reads, and takes out of it what is gone. */
  async #chunk(
    work: Work,
    judge: Judge,
    counts: WorkCounts,
    segment: Segment,
    bytesBefore: number,
    repeatedTo: number,
    judgedTo: number,
  ): Promise<{ isEnd: boolean; judgedTo: number }> {
    const { context } = this.#parts;
    const file = await context.options.files.open(context.path(segment.name), 'read');
    const task: Task = {
      work, judge, counts, segment, file, bytesBefore, repeatedTo, judgedTo, drops: new Ranges(), damaged: new Ranges(),
      unreadable: [], copies: [], purged: new Tally(context.options.streams.length),
    }; // biome-ignore format: two lines of fields
    const lent = work.replay === undefined ? 0 : this.#roomFor(segment);
    context.space.usedBytes -= lent;
    let isEnd: boolean;
    let failure: Error | undefined;
    try {
      isEnd = await this.#read(task);
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      isEnd = true;
    }
    try {
      await Promise.all(task.copies);
      await this.#takeOut(task);
    } finally {
      context.space.usedBytes += lent;
      work.onProgress(counts);
      await context.attempt('close', () => file.close());
    }
    if (failure !== undefined) throw failure;
    return { isEnd, judgedTo: task.judgedTo };
  }

  /**
   * What is moved out of a segment needs its room before it is given back, also where dead letters have filled what spills must leave
   * to them: the segment's bytes, headers for segments of all streams that it may begin, and where they are encrypted, a frame each.
   */
  #roomFor({ file, tally }: Segment): number {
    const { context } = this.#parts;
    const { usedBytes, spillMaxBytes } = context.space;
    const headers = (this.#parts.spills.length + 2) * segmentHeaderBytes;
    const frames = context.options.keys?.currentId === undefined ? 0 : tally.totalEvents * frameOverheadBytes;
    return file.bytes + headers + frames + Math.max(0, usedBytes - spillMaxBytes);
  }

  /** Reads on until the segment ends (true), or it is time to take out what was moved. */
  async #read(task: Task): Promise<boolean> {
    const { context, windows } = this.#parts;
    const { segment, file, work } = task;
    const untilMs = context.options.clock.nowMs() + chunkMs;
    let window = await this.#window(work.isStopped);
    if (window === undefined) return true;
    const reader: SegmentReader = new SegmentReader({
      file,
      memory: context.options.arena,
      window,
      limit: segment.bytes,
      tag: segment.tag,
      payloads: true,
      keys: context.options.keys,
      onDamage: (from, to, cause) => this.#onDamage(task, reader.at, from, to, cause),
      onLost: (entries) => this.#onLost(task, entries),
    });
    try {
      while (await reader.load()) {
        let heldMs = 0;
        while (heldMs === 0 && reader.step()) {
          heldMs = this.#judge(task, reader);
          if (heldMs > 0) reader.unstep();
        }
        task.counts.readBytes = task.bytesBefore + reader.position;
        work.onProgress(task.counts);
        if (work.isStopped()) return true;
        if (work.replay !== undefined && context.options.clock.nowMs() >= untilMs) return false;
        // Others may read while this waits: for the pace, or for the disk.
        windows.giveBack(window);
        window = undefined;
        if (heldMs > 0) await context.delay(heldMs);
        window = await this.#window(work.isStopped);
        if (window === undefined) return true;
        reader.useWindow(window);
      }
      return true;
    } finally {
      if (window !== undefined) windows.giveBack(window);
    }
  }

  /** Undefined: it was stopped. In an outage streams may hold all windows for as long as that lasts: they are asked for one. */
  async #window(isStopped: () => boolean): Promise<Window | undefined> {
    const { windows, context } = this.#parts;
    try {
      while (!isStopped()) {
        const window = windows.take();
        if (window !== undefined) return window;
        this.#isWindowWanted = true;
        await context.delay(waitMs);
      }
      return undefined;
    } finally {
      this.#isWindowWanted = false;
    }
  }

  /** 0, or how long to wait before the same entry is judged again, in ms. */
  #judge(task: Task, { at, position, extent }: SegmentReader): number {
    const { context, streams } = this.#parts;
    const { arena } = context.options;
    const { work, counts, segment } = task;
    const sequence = entry.sequence(arena, at);
    if (sequence <= task.judgedTo) return 0;
    if (sequence <= task.repeatedTo || this.#leftovers.get(segment.name)?.has(position) === true) {
      if (sequence <= task.repeatedTo) task.drops.add(...extent);
    } else if (task.judge(arena, at)) {
      const stream = streams.find(arena.buffer, entry.nameOffset(at), entry.nameLength(arena, at));
      const bytes = entry.keyLength(arena, at) + entry.dataLength(arena, at);
      const to = work.replay === undefined ? undefined : (work.replay.to ?? stream);
      if (to !== undefined && to < 0) counts.unknownStream += 1;
      else if (to !== undefined && bytes > (this.#parts.eventBytesMax[to] ?? 0)) counts.tooLarge += 1;
      else {
        const heldMs = to === undefined ? 0 : this.#move(task, at, stream, to, bytes);
        if (heldMs > 0) return heldMs;
        task.drops.add(...extent);
        if (to === undefined) task.purged.count(stream, bytes, 1);
      }
    }
    task.judgedTo = sequence;
    return 0;
  }

  /** Appends a letter to the spills of `to`. 0, or how long to wait before that is tried again, in ms. */
  #move({ work, segment, counts }: Task, at: number, stream: number, to: number, bytes: number): number {
    const { context, spills, deads } = this.#parts;
    const { arena, clock } = context.options;
    const perSecond = work.replay?.perSecond;
    if (perSecond !== undefined) {
      const earlyMs = this.#pacedFromMs + (1_000 * this.#paced) / perSecond - clock.nowMs();
      if (earlyMs > 0) return Math.min(paceMsMost, Math.max(paceMsLeast, earlyMs));
    }
    const appended = (spills[to] as Series).append(
      to, 0, 0, Reason.operator, 0, entry.firstSeenUs(arena, at),
      entry.keyOffset(arena, at), entry.keyLength(arena, at), entry.hashKeyOffset(arena, at),
      entry.dataOffset(arena, at), entry.dataLength(arena, at),
    ); // biome-ignore format: three lines of arguments
    if (appended === Appended.busy) return waitMs;
    if (appended === Appended.full) throw noRoom();
    this.#paced += 1;
    segment.tally.count(stream, bytes, -1);
    deads.tally.count(stream, bytes, -1);
    work.onGone(stream, 1, to);
    counts.events += 1;
    counts.bytes += bytes;
    return 0;
  }

  #onDamage(task: Task, at: number, from: number, to: number, cause: DamageCause): void {
    const { context } = this.#parts;
    // It is whole, and stays where it is.
    if (cause === 'larger_than_window') return;
    task.damaged.add(from, to);
    if (cause === 'payload') this.#onLost(task, [at]);
    task.copies.push(quarantine(context, task.segment, task.file, from, to, cause));
  }

  /** Letters that cannot be read any more, some of which may be counted. */
  #onLost({ segment, repeatedTo, unreadable }: Task, entries: readonly number[]): void {
    const { context, streams } = this.#parts;
    const { arena } = context.options;
    for (const at of entries) {
      const sequence = entry.sequence(arena, at);
      const isCounted = !segment.file.uncounted.some(([first, last]) => first <= sequence && sequence <= last);
      if (sequence <= repeatedTo || !isCounted) continue;
      const stream = streams.find(arena.buffer, entry.nameOffset(at), entry.nameLength(arena, at));
      unreadable.push({ stream, bytes: entry.keyLength(arena, at) + entry.dataLength(arena, at) });
    }
  }

  /** Takes what is gone out of the segment, and out of the books. */
  async #takeOut(task: Task): Promise<void> {
    const { context, deads, flush } = this.#parts;
    const { segment, work } = task;
    const isMoved = work.replay !== undefined;
    const leftover = this.#leftovers.get(segment.name);
    let drops = leftover === undefined ? task.drops : task.drops.with(leftover);
    const areCopied = !task.damaged.isEmpty && !segment.file.keep;
    if (areCopied) drops = drops.with(task.damaged);
    if (drops.isEmpty) return;
    try {
      if (isMoved && !(await flush())) throw new SpillwayError('dlq_unwritable', 'the disk takes no spills');
      await this.#rewrite(segment, drops);
      this.#leftovers.delete(segment.name);
    } catch (error) {
      if (isMoved) this.#leftovers.set(segment.name, leftover === undefined ? task.drops : leftover.with(task.drops));
      throw notWritten(segment.name, error);
    }
    if (areCopied) this.#forgetDamaged(task);
    if (isMoved) return;
    segment.tally.add(task.purged, -1);
    deads.tally.add(task.purged, -1);
    task.counts.events += task.purged.totalEvents;
    task.counts.bytes += task.purged.totalBytes;
    context.options.streams.forEach((_, stream) => {
      const events = task.purged.events[stream] as number;
      if (events > 0) work.onGone(stream, events, undefined);
    });
    // Who was refused for want of room is told when a block is free.
    context.pool.wake();
  }

  #forgetDamaged({ segment, unreadable, counts }: Task): void {
    const { context, deads } = this.#parts;
    for (const { stream, bytes } of unreadable) {
      segment.tally.count(stream, bytes, -1);
      deads.tally.count(stream, bytes, -1);
      context.drop(stream, 1, 'damaged');
    }
    counts.damaged += unreadable.length;
    if (unreadable.length === 0) return;
    context.report({ change: 'damaged_events', segment: segment.name, events: unreadable.length });
  }

  async #rewrite(segment: Segment, drops: Ranges): Promise<void> {
    const { context, deads } = this.#parts;
    const { files, directory, keys, randomWord } = context.options;
    const { segments } = deads.writer;
    const [first, ...others] = drops.gaps(segment.bytes);
    const isAllGone = others.length === 0 && (first === undefined || first[1] <= segmentHeaderBytes);
    if (isAllGone && !segment.file.keep) {
      if (!(await removeSegment(context, segment))) throw new SpillwayError('dlq_unwritable', 'it cannot be removed');
      segments.splice(segments.indexOf(segment), 1);
      return;
    }
    const before = segment.file.bytes;
    const { name, bytes, tag } = segment;
    const length = await rewriteWithout({ files, directory, name, bytes, tag, keys, randomWord }, drops);
    segment.bytes = segment.file.bytes = length;
    context.space.usedBytes -= before - length;
  }
}

function noRoom(): SpillwayError {
  const message =
    'the DLQ has no room for more spills: wait until some are delivered, purge what is not needed, or raise dlq.max_bytes';
  return new SpillwayError('dlq_full', message, { retryable: true });
}

function notWritten(name: string, cause: unknown): SpillwayError {
  const { message } = errorFields(cause);
  const cure = 'make room on the disk or mend it, and start again: what was done stays done';
  return new SpillwayError('dlq_unwritable', `${name} cannot be written anew: ${message}; ${cure}`, { cause });
}
