/**
 * The journal: what entered a ring and was promised to be on disk, until it is delivered or durable in the DLQ. Main thread;
 * owned by the Dlq. `append` is called once per event of ack level `disk`; it touches memory only and allocates nothing.
 *
 * ```
 *   append ─▶ series ─▶ group commit ─▶ durable: the sender is told
 *      └─▶ JournalRing: (commit, ring position) ─▶ trim: the ring gave it back ─▶ what the DLQ took is durable there
 *                                                            ─▶ marks say so ─▶ segments that they cover are removed
 * ```
 * It has blocks and a limit of its own: a disk that stalls stops senders of level `disk` and nobody else. It is one series for all
 * streams, so that one fdatasync serves them all, and is never appended to by another run: that replays what the marks do not
 * cover, as spills of this one.
 *
 * Its sequences begin {@link journalLead} behind those of the spills, so that the next run reads all spills of this one first, then
 * its journal: of a stream that keeps order, what is in both comes in order, and what is only here was younger.
 */
import { BlockPool } from './blocks.ts';
import { DlqContext, errorFields } from './context.ts';
import { type CommitWatch, GroupCommit } from './group-commit.ts';
import { MarksFile } from './journal-marks.ts';
import { type JournalledRing, JournalRing } from './journal-rings.ts';
import { Kind } from './layout.ts';
import {
  type BlockArea,
  journalFlushMs,
  journalLead,
  journalSegmentBytesMax,
  journalSegmentsLeast,
  marksRetryMs,
  zeroAheadBytes,
} from './options.ts';
import { removeSegment } from './quarantine.ts';
import { Reason } from './reasons.ts';
import { Appended, Series } from './series.ts';
import { Space } from './space.ts';
import type { StreamNames } from './streams.ts';

export interface JournalOptions {
  /** Where its entries wait for the disk. */
  readonly blocks: BlockArea;
  /** Most bytes on disk. */
  readonly maxBytes: number;
  /** How long a commit waits for company, in ms; 0: to the end of the turn. */
  readonly commitWindowMs: number;
  /** By lane, then by stream. */
  readonly rings: readonly JournalledRing[];
  /** Small commits go over zeros that were written so far ahead; absent: {@link zeroAheadBytes}. */
  readonly zeroAheadBytes?: number;
}

export interface JournalStatus {
  readonly bytes: number;
  /** Events that were journalled, and fdatasync calls that succeeded, since the start. */
  readonly events: number;
  readonly syncs: number;
  /** Streams of which some entry is not marked as done. */
  readonly behind: number;
  /** How often marks were written. */
  readonly marksWritten: number;
}

export class Journal {
  readonly #context: DlqContext;
  readonly #dlq: DlqContext;
  readonly #series: Series;
  readonly #commits: GroupCommit;
  readonly #rings: readonly JournalRing[];
  readonly #streams: number;
  /** By stream: up to where all is done, and what the marks say of it. */
  readonly #done: Float64Array;
  readonly #marked: Float64Array;
  readonly #marks: MarksFile;
  readonly #flushDlq: () => Promise<boolean>;
  /** Rings with events of this turn. */
  #touched: JournalRing[] = [];
  #trimming: Promise<void> | undefined;
  /** The DLQ took entries from rings that may be in the journal, and has not been made durable since. */
  #isFlushDue = false;
  #flushedMs = 0;
  /** Marks could not be written: not to be tried again before. */
  #retryMs = 0;
  #events = 0;
  #syncs = 0;
  #marksWritten = 0;
  #closed = false;

  /** `flushDlq` makes all that the DLQ has taken durable; false when the disk keeps failing. */
  constructor(
    dlq: DlqContext,
    options: JournalOptions,
    names: StreamNames,
    watch: CommitWatch,
    flushDlq: () => Promise<boolean>,
  ) {
    const { maxBytes, blocks } = options;
    const segmentBytes = Math.min(journalSegmentBytesMax, Math.floor(maxBytes / journalSegmentsLeast));
    const fsync = { kind: 'each' as const };
    const ahead = options.zeroAheadBytes ?? zeroAheadBytes;
    const own = { ...dlq.options, maxBytes, blocks, segmentBytes, fsync, zeroAheadBytes: ahead };
    const context = new DlqContext(own, new BlockPool(blocks), new Space(maxBytes, 0, dlq.space), dlq);
    this.#dlq = dlq;
    this.#context = context;
    this.#streams = own.streams.length;
    this.#series = new Series(Kind.journal, context, names, () => this.#series.push(), {
      onSegment: () => this.#begin(),
    });
    this.#commits = new GroupCommit(this.#series, own.clock, options.commitWindowMs, {
      durable: (sequence) => watch.durable(sequence),
      lost: (sequence) => watch.lost(sequence),
      synced: (tookMs) => {
        this.#syncs++;
        watch.synced(tookMs);
      },
    });
    this.#rings = options.rings.map((ring) => new JournalRing(ring));
    this.#done = new Float64Array(this.#streams);
    this.#marked = new Float64Array(this.#streams);
    this.#marks = new MarksFile(context);
    this.#flushDlq = flushDlq;
  }

  /** Takes the event that has just entered `ring`. Offsets are the arena's, as the DLQ's append has them. */
  append(
    ring: number,
    stream: number,
    firstSeenUs: number,
    keyOffset: number,
    keyLength: number,
    ehkOffset: number,
    dataOffset: number,
    dataLength: number,
  ): Appended {
    const appended = this.#series.append(
      stream, 0, 0, Reason.journalled, 0, firstSeenUs, keyOffset, keyLength, ehkOffset, dataOffset, dataLength,
    ); // biome-ignore format: one line of arguments
    if (appended !== Appended.ok) return appended;
    this.#events++;
    const place = this.#rings[ring]!;
    if (place.entered(this.#series.lastSequence)) this.#touched.push(place);
    return appended;
  }

  /** Sequence of the last event that was taken. */
  get lastSequence(): number {
    return this.#series.lastSequence;
  }

  /** What was taken in this turn is in its rings, and its senders wait. */
  commit(): void {
    for (const ring of this.#touched) ring.commit();
    this.#touched = [];
    this.#commits.commit();
  }

  /** Runs `resume` once when an append that answered `busy` may succeed. */
  whenWritable(resume: () => void): void {
    this.#context.pool.whenWritable(resume);
  }

  /** The DLQ has taken an entry from a ring. */
  moved(): void {
    this.#isFlushDue = true;
  }

  status(): JournalStatus {
    const behind = this.#marked.reduce((sum, marked) => sum + (marked < this.#series.lastSequence ? 1 : 0), 0);
    const { usedBytes } = this.#context.space;
    return { bytes: usedBytes, events: this.#events, syncs: this.#syncs, behind, marksWritten: this.#marksWritten };
  }

  /** Every few milliseconds: looks how far the rings are. One pass of work at a time; nothing is done while nothing has changed. */
  trim(): void {
    if (this.#trimming !== undefined || this.#closed || this.#events === 0) return;
    if (!this.#lookAtRings() || !this.#mayFlush()) return;
    const done = this.#done.slice();
    this.#trimming = this.#advance(done).finally(() => {
      this.#trimming = undefined;
    });
  }

  /** All of it is delivered or durable in the DLQ: nothing is left behind. `isDone` false: that is not so, and all is kept. */
  async close(isDone: boolean): Promise<void> {
    this.#closed = true;
    await this.#trimming;
    this.#series.push();
    await this.#series.writer.close();
    if (!isDone) return;
    for (const segment of this.#series.writer.segments) await removeSegment(this.#context, segment);
    await this.#marks.remove();
  }

  /** A segment begins: its sequences shall be behind all spills until then, and some more. */
  #begin(): void {
    this.#context.lastSequence = Math.max(this.#context.lastSequence, this.#dlq.lastSequence + journalLead);
    if (this.#dlq.sequenceEnd === Number.POSITIVE_INFINITY) this.#dlq.sequenceEnd = this.#context.lastSequence;
  }

  /** Whether something more is done than the marks say. */
  #lookAtRings(): boolean {
    const { lastSequence } = this.#series;
    let isNew = false;
    for (let stream = 0; stream < this.#streams; stream++) {
      let done = lastSequence;
      for (let i = stream; i < this.#rings.length; i += this.#streams) {
        done = Math.min(done, this.#rings[i]!.doneTo(lastSequence));
      }
      this.#done[stream] = done;
      if (done > this.#marked[stream]!) isNew = true;
    }
    return isNew;
  }

  #mayFlush(): boolean {
    const nowMs = this.#context.options.clock.nowMs();
    return nowMs >= this.#retryMs && (!this.#isFlushDue || nowMs - this.#flushedMs >= journalFlushMs);
  }

  async #advance(done: Float64Array): Promise<void> {
    if (this.#isFlushDue) {
      this.#isFlushDue = false;
      this.#flushedMs = this.#context.options.clock.nowMs();
      if (!(await this.#flushDlq())) {
        this.#isFlushDue = true;
        return;
      }
    }
    try {
      await this.#marks.write(done);
      this.#marked.set(done);
      this.#marksWritten++;
    } catch (error) {
      this.#context.report({ change: 'marks_failed', ...errorFields(error) });
      this.#retryMs = this.#context.options.clock.nowMs() + marksRetryMs;
    }
    await this.#removeCovered(Math.min(...done));
  }

  async #removeCovered(done: number): Promise<void> {
    const { segments } = this.#series.writer;
    for (;;) {
      const [segment] = segments;
      if (segment === undefined || !segment.sealed || segment.lastSequence > done) break;
      if (!(await removeSegment(this.#context, segment))) break;
      segments.shift();
      this.#series.tally.add(segment.tally, -1);
    }
    // While one is open or waits to be written, it bounds the spills as well.
    if (segments[0] !== undefined) this.#dlq.sequenceEnd = segments[0].firstSequence;
  }
}
