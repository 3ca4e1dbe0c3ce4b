/**
 * The dead-letter queue as the daemon sees it: two series of segments (spills and dead letters) in one directory, and the way
 * back for spills. Main thread; opened once by the daemon. `append` is on the admission path: it touches memory only; all
 * disk work is asynchronous. FORMAT.md, beside this file, describes the files and what is promised of them.
 */
import { BlockPool } from './blocks.ts';
import { checkpointBytes, writeCheckpoint } from './checkpoint.ts';
import { DlqContext, errorFields } from './context.ts';
import { ReplayCursor } from './cursor.ts';
import { Kind } from './layout.ts';
import { checkpointMs, type DlqOptions } from './options.ts';
import { removeSegment } from './quarantine.ts';
import { recover } from './recover.ts';
import type { Segment } from './segment.ts';
import type { Appended } from './series.ts';
import { Series } from './series.ts';
import { Space } from './space.ts';
import { StreamNames } from './streams.ts';
import { Tally } from './tally.ts';

export interface OpenDlqOptions extends DlqOptions {
  /** Where replay reads: must hold the largest entry. */
  readonly replayWindow: { readonly offset: number; readonly length: number };
  /** Largest event, data and key, that goes back to each stream; a larger one becomes a dead letter. */
  readonly eventBytesMax: readonly number[];
}

/** What is in the queue, of one stream or in all. Bytes are those of data and partition keys. */
export interface Holdings {
  readonly spilled: number;
  readonly dead: number;
  readonly bytes: number;
  readonly spilledBytes: number;
  /** When the oldest spill of any stream was first seen, in microseconds since the epoch, exact to the segment; 0: none. */
  readonly oldestUs: number;
}

/** Opens the queue in `options.directory`: reads what earlier runs left, and appends to segments of its own. */
export async function openDlq(options: OpenDlqOptions): Promise<Dlq> {
  await options.files.makeDirectory(options.directory);
  const context = new DlqContext(options, new BlockPool(options.blocks), new Space(options.maxBytes));
  context.space.usedBytes += checkpointBytes;
  const streams = new StreamNames(options.streams);
  const { spills, deads, checkpoint } = await recover(context, streams);
  return new Dlq(context, options, streams, spills, deads, checkpoint);
}

export class Dlq {
  readonly cursor: ReplayCursor;
  readonly #context: DlqContext;
  readonly #spills: Series;
  readonly #deads: Series;
  /** Position up to which the caller has said that everything is done. */
  #covered: number;
  #written: number;
  #writing: Promise<void> | undefined;
  /** Another checkpoint was asked for while one was being written. */
  #isCheckpointDue = false;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(
    context: DlqContext,
    options: OpenDlqOptions,
    streams: StreamNames,
    spills: Segment[],
    deads: Segment[],
    checkpoint: number,
  ) {
    const count = context.options.streams.length;
    this.#context = context;
    this.#covered = checkpoint;
    this.#written = checkpoint;
    const tallies = [spills, deads].map((segments) => {
      const tally = new Tally(count);
      for (const segment of segments) tally.add(segment.tally, 1);
      return tally;
    }) as [Tally, Tally];
    this.#spills = new Series(Kind.spill, context, streams, spills, tallies[0], () => this.#deads.push());
    this.#deads = new Series(Kind.dead, context, streams, deads, tallies[1], () => this.#spills.push());
    this.cursor = new ReplayCursor({
      context,
      window: options.replayWindow,
      eventBytesMax: options.eventBytesMax,
      spills: this.#spills,
      deads: this.#deads,
      streams,
      checkpoint,
      onPassed: () => this.#checkpointSoon(),
    });
    const [recoveredSpills, recoveredDeads] = tallies;
    if (recoveredSpills.totalEvents + recoveredDeads.totalEvents > 0) {
      const fields = { spilled: recoveredSpills.totalEvents, dead: recoveredDeads.totalEvents };
      context.report({ change: 'recovered', ...fields, segments: spills.length + deads.length });
    }
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
    const series = kind === Kind.dead ? this.#deads : this.#spills;
    return series.append(
      stream, 0, 0, reason, attempts, firstSeenUs, keyOffset, keyLength, ehkOffset, dataOffset, dataLength,
    ); // biome-ignore format: one line of arguments
  }

  /** Runs `resume` once when an append that answered `busy` may succeed. */
  whenWritable(resume: () => void): void {
    this.#context.pool.whenWritable(resume);
  }

  /** Spills that wait for their replay. */
  get spilledEvents(): number {
    return this.#spills.tally.totalEvents;
  }

  /** Bytes on disk, or about to be. */
  get diskBytes(): number {
    return this.#context.space.usedBytes;
  }

  holdings(stream: number | undefined): Holdings {
    const [spills, deads] = [this.#spills.tally, this.#deads.tally];
    const oldest = this.#spills.oldestUs();
    const oldestUs = Number.isFinite(oldest) ? oldest : 0;
    if (stream === undefined) {
      const spilledBytes = spills.totalBytes;
      return {
        spilled: spills.totalEvents,
        dead: deads.totalEvents,
        bytes: spilledBytes + deads.totalBytes,
        spilledBytes,
        oldestUs,
      };
    }
    const spilledBytes = spills.bytes[stream] ?? 0;
    const spilled = spills.events[stream] ?? 0;
    return {
      spilled,
      dead: deads.events[stream] ?? 0,
      bytes: spilledBytes + (deads.bytes[stream] ?? 0),
      spilledBytes,
      oldestUs: spilled === 0 ? 0 : oldestUs,
    };
  }

  /** Everything up to `position` is delivered or was set aside anew. Made durable within {@link checkpointMs}. */
  checkpoint(position: number): void {
    if (position <= this.#covered) return;
    this.#covered = position;
    this.#checkpointSoon();
  }

  /** True when all that was appended is as durable as the fsync policy makes it; false when the disk keeps failing. */
  async flush(): Promise<boolean> {
    this.#spills.push();
    this.#deads.push();
    const settled = await Promise.all([this.#spills.writer.settled(), this.#deads.writer.settled()]);
    return settled.every((ok) => ok);
  }

  /**
   * From now on `max_bytes` refuses nothing: the daemon ends, and what its rings still hold was accepted and has no other
   * place to go. What this can take beyond the limit is bounded by the rings.
   */
  liftLimit(): void {
    this.#context.space.lift();
  }

  /** Writes everything down. False: the disk keeps failing and events remain in memory. */
  async close(): Promise<boolean> {
    this.#closed = true;
    this.#cancelTimer?.();
    await this.#writing;
    await this.cursor.close();
    this.#spills.push();
    this.#deads.push();
    const closed = await Promise.all([this.#spills.writer.close(), this.#deads.writer.close()]);
    const isWritten = closed.every((ok) => ok);
    if (isWritten) await this.#writeCheckpoint();
    return isWritten;
  }

  /** One checkpoint at a time: two would share the temporary file, and both would remove the same segments. */
  #checkpointSoon(): void {
    if (this.#closed || this.#cancelTimer !== undefined) return;
    if (this.#writing !== undefined) {
      this.#isCheckpointDue = true;
      return;
    }
    this.#cancelTimer = this.#context.options.clock.after(checkpointMs, () => {
      this.#cancelTimer = undefined;
      this.#writing = this.#writeCheckpoint().finally(() => {
        this.#writing = undefined;
        if (!this.#isCheckpointDue) return;
        this.#isCheckpointDue = false;
        this.#checkpointSoon();
      });
    });
  }

  /**
   * First what was set aside anew, then the checkpoint, then the segments that it covers: in any other order there is a
   * moment at which a crash leaves events without a file.
   */
  async #writeCheckpoint(): Promise<void> {
    const done = this.#covered >= this.cursor.handedPosition ? this.cursor.donePosition : this.#covered;
    if (done > this.#written) {
      if (!(await this.flush())) {
        this.#checkpointSoon();
        return;
      }
      try {
        await writeCheckpoint(this.#context, done);
        this.#written = done;
      } catch (error) {
        this.#context.report({ change: 'checkpoint_failed', ...errorFields(error) });
        this.#checkpointSoon();
        return;
      }
    }
    const { segments } = this.#spills.writer;
    // After the end nobody reads: what the cursor has not left yet is as done as the checkpoint says.
    for (const segment of segments.filter(({ sealed, finished }) => sealed && (finished || this.#closed))) {
      if (segment.lastSequence > this.#written) continue;
      if (await removeSegment(this.#context, segment)) segments.splice(segments.indexOf(segment), 1);
    }
  }
}
