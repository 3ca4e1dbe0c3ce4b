/**
 * Counts what earlier runs left, segment by segment, oldest first, while the daemon already works. Main thread; one per DLQ.
 *
 * ```
 *   found at start:  [ s1 | s2 | s3 | s4 | s5 | s6 ]           this run's: [ s7 | s8 ...
 *                     adopted   ▲ read now: not counted, not replayed       replayed when all before are adopted
 * ```
 * A segment that is read joins its series, or several where it holds entries of several streams; its events are in the books
 * from that moment on. Until the last one is read, nobody knows what a stream still has on disk: the cursors stop before this
 * run's segments, and streams that keep order let nothing pass. What the checkpoint covers and what holds no entry is removed.
 * Stopping it anywhere, or dying, changes nothing. Memory: {@link readAhead} buffers, and one {@link Segment} per segment and
 * stream. Open files: as many as buffers.
 */
import { beginSegment, endSegment, newPass, type Pass, partOf, type Reading, readSegment } from './census.ts';
import type { DlqContext } from './context.ts';
import type { Found } from './heads.ts';
import { heapMemory, Kind, type Memory } from './layout.ts';
import { indexReportMs, scanWindow } from './options.ts';
import { removeSegment, setAside } from './quarantine.ts';
import type { Survey } from './recover.ts';
import type { Segment } from './segment.ts';
import type { StreamNames } from './streams.ts';

/** Segments that are begun before their turn comes: measured on a cold cache, 1: 68 to 158 MB/s, 4: 248, 8: 157. */
const readAhead = 4;

/** To open and close a file takes as long as to read so much of it. */
const openingBytes = 64 * 1024;

/** How far the index is. */
export interface IndexProgress {
  /** Segments that were found at start. */
  readonly segments: number;
  readonly indexed: number;
}

export interface DlqIndexParts {
  readonly context: DlqContext;
  readonly streams: StreamNames;
  readonly survey: Survey;
  /** A segment belongs to the series of its kind and slot from now on; only spills have slots. */
  readonly adopt: (kind: Kind, slot: number, segment: Segment) => void;
  /** All is read. */
  readonly onDone: () => Promise<void>;
  /** So many events of a configured stream were found. */
  readonly onFound: (stream: number, events: number) => void;
}

export class DlqIndex {
  readonly #parts: DlqIndexParts;
  readonly #pass: Pass;
  /** By kind and number: where the segment that continues it takes over. */
  readonly #continuations: ReadonlyMap<string, number>;
  readonly #segments: number;
  #found: readonly Found[];
  #indexed = 0;
  #spilled = 0;
  #dead = 0;
  #kept = 0;
  #reportedMs = 0;
  #isInBackground = false;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(parts: DlqIndexParts) {
    const { context, streams, survey } = parts;
    this.#parts = parts;
    this.#pass = newPass(context, streams, survey.positions);
    this.#found = survey.found;
    this.#segments = survey.found.length;
    const continuing = survey.found.filter(({ continues }) => continues > 0).toReversed();
    this.#continuations = new Map(continuing.map((item) => [`${item.kind} ${item.continues}`, item.firstSequence]));
  }

  get progress(): IndexProgress {
    return { segments: this.#segments, indexed: this.#indexed };
  }

  /** Resolves when all is read; with more than `atOnceBytes` at once, and all is read in the background. */
  async start(atOnceBytes: number): Promise<void> {
    const bytes = this.#found.reduce((sum, { file }) => sum + Math.max(file.bytes, openingBytes), 0);
    this.#isInBackground = bytes > atOnceBytes;
    if (this.#isInBackground) this.#report();
    this.#running = this.#run();
    if (!this.#isInBackground) await this.#running;
  }

  /** Resolves when the segment that is being read is done; reads no more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const { context } = this.#parts;
    const begun: Reading[] = [];
    const largest = this.#found.reduce((most, { file }) => Math.max(most, file.bytes), 0);
    const window = scanWindow(largest);
    const free: Memory[] = Array.from({ length: Math.min(readAhead, this.#segments) }, () => heapMemory(window));
    for (let next = 0; this.#indexed < this.#segments && !this.#stopped; ) {
      while (free.length > 0 && next < this.#segments) {
        begun.push(beginSegment(context, this.#found[next++]!, free.pop()!));
      }
      const reading = begun.shift()!;
      await this.#read(reading);
      free.push(reading.memory);
      this.#indexed += 1;
      if (this.#isInBackground && context.options.clock.nowMs() - this.#reportedMs >= indexReportMs) this.#report();
    }
    for (const reading of begun) await endSegment(context, reading);
    if (this.#stopped) return;
    this.#found = [];
    context.isIndexed = true;
    await this.#parts.onDone();
    if (this.#spilled + this.#dead === 0) return;
    context.report({ change: 'recovered', spilled: this.#spilled, dead: this.#dead, segments: this.#kept });
  }

  #report(): void {
    const { context } = this.#parts;
    this.#reportedMs = context.options.clock.nowMs();
    const events = this.#spilled + this.#dead;
    context.report({ change: 'indexing', segments: this.#segments, indexed: this.#indexed, events });
  }

  async #read(reading: Reading): Promise<void> {
    const { context } = this.#parts;
    const { item } = reading;
    const clip = this.#continuations.get(`${item.kind} ${item.ownNumber}`) ?? Number.POSITIVE_INFINITY;
    const contents = await readSegment(this.#pass, reading, clip);
    await endSegment(context, reading);
    if (contents === undefined) return;
    const needed = [...contents.bySlot].filter(([, part]) => part.tally.totalEvents > 0);
    item.file.users = Math.max(1, needed.length);
    if (contents.undone === 0 && (await removeSegment(context, item))) return;
    const isRepeated = contents.undone > 0 && needed.length === 0;
    if (isRepeated && (await setAside(context, item.name, 'other segments hold all of its entries'))) return;
    // What could not be removed is tried again by the last slot's series, which finds nothing to do in it.
    const lastSlot = context.options.streams.length;
    const rest = { ...partOf(context, item, item.firstSequence), lastSequence: contents.lastSequence };
    this.#kept += 1;
    for (const [slot, part] of needed.length > 0 ? needed : [[lastSlot, rest] as const]) {
      this.#parts.adopt(item.kind, slot, part);
      this.#count(item.kind, slot, part);
    }
  }

  #count(kind: Kind, slot: number, { tally }: Segment): void {
    const { context, onFound } = this.#parts;
    const streams = context.options.streams.length;
    if (kind === Kind.spill) {
      this.#spilled += tally.totalEvents;
      if (slot < streams) onFound(slot, tally.totalEvents);
      return;
    }
    this.#dead += tally.totalEvents;
    for (let stream = 0; stream < streams; stream++) onFound(stream, tally.events[stream]!);
  }
}
