/**
 * When checkpoints are written, and what they let go. Main thread; one per DLQ.
 *
 * A checkpoint covers all streams, each up to its own place. It is written a moment after one of them got further, and then
 * the segments that it covers are removed.
 */
import { type Positions, writeCheckpoint } from './checkpoint.ts';
import { type DlqContext, errorFields } from './context.ts';
import type { ReplayCursor } from './cursor.ts';
import { checkpointMs } from './options.ts';
import { keepAsides, removeSegment } from './quarantine.ts';
import type { Segment } from './segment.ts';
import type { Series } from './series.ts';

/** Spills of one stream, or of all that are not configured. */
export interface SpillQueue {
  readonly series: Series;
  readonly cursor: ReplayCursor;
  /** Position up to which the caller has said that everything is done. */
  covered: number;
  /** That of the last checkpoint. */
  written: number;
  /** Segments that it is done with, and that must be set aside, but still have their names: no checkpoint passes them. */
  held: Segment[];
}

export class Checkpoints {
  readonly #context: DlqContext;
  readonly #queues: readonly SpillQueue[];
  /** Where the last run left off. */
  readonly #found: Positions;
  /** Makes all that was appended durable; false when the disk keeps failing. */
  readonly #flush: () => Promise<boolean>;
  #writing: Promise<void> | undefined;
  /** Another checkpoint was asked for while one was being written. */
  #isDue = false;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(context: DlqContext, queues: readonly SpillQueue[], found: Positions, flush: () => Promise<boolean>) {
    this.#context = context;
    this.#queues = queues;
    this.#found = found;
    this.#flush = flush;
  }

  /** Nothing is written by itself any more; resolves when nothing is being written. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    await this.#writing;
  }

  /** One checkpoint at a time: two would share the temporary file, and both would remove the same segments. */
  soon(): void {
    if (this.#closed || this.#cancelTimer !== undefined) return;
    if (this.#writing !== undefined) {
      this.#isDue = true;
      return;
    }
    this.#cancelTimer = this.#context.options.clock.after(checkpointMs, () => {
      this.#cancelTimer = undefined;
      this.#writing = this.write().finally(() => {
        this.#writing = undefined;
        if (!this.#isDue) return;
        this.#isDue = false;
        this.soon();
      });
    });
  }

  /**
   * First what was set aside anew, then the names of segments that are to be kept, then the checkpoint, then the segments that it
   * covers: in any other order there is a moment at which a crash leaves events without a file.
   */
  async write(): Promise<void> {
    const done = this.#queues.map(({ covered, cursor }) =>
      covered >= cursor.handedPosition ? cursor.donePosition : covered,
    );
    if (this.#queues.some(({ written }, queue) => done[queue]! > written)) {
      if (!(await this.#flush())) {
        this.soon();
        return;
      }
      try {
        for (const [index, queue] of this.#queues.entries()) done[index] = await this.#keepBefore(queue, done[index]!);
        await keepAsides(this.#context);
        await writeCheckpoint(this.#context, this.#positions(done));
        this.#queues.forEach((queue, index) => {
          queue.written = Math.max(queue.written, done[index]!);
        });
      } catch (error) {
        this.#context.reserve.saw(error);
        this.#context.report({ change: 'checkpoint_failed', ...errorFields(error) });
        this.soon();
        return;
      }
    }
    for (const queue of this.#queues) await this.#removeCovered(queue);
  }

  /**
   * Segments before `done` that are to be kept get their new names: a start that finds them covered by the checkpoint would remove them
   * unread. Returns how far a checkpoint may go: not beyond one that still has its name.
   */
  async #keepBefore(queue: SpillQueue, done: number): Promise<number> {
    const { segments } = queue.series.writer;
    const isOver = ({ sealed, finished, lastSequence, file }: Segment): boolean =>
      file.keep && sealed && (finished || this.#closed) && lastSequence <= done;
    for (const segment of segments.filter(isOver)) {
      if (!(await removeSegment(this.#context, segment))) return this.#heldBack(queue, segment.firstSequence - 1);
      segments.splice(segments.indexOf(segment), 1);
      // Others need its file, and the last of them sets it aside.
      queue.held.push(segment);
    }
    queue.held = queue.held.filter(({ file }) => !file.isAside);
    const first = queue.held[0];
    return first === undefined ? done : this.#heldBack(queue, Math.min(done, first.firstSequence - 1));
  }

  #heldBack({ written }: SpillQueue, done: number): number {
    this.soon();
    return Math.max(written, done);
  }

  /** Where each stream is. One that is not configured keeps its own place until nothing of any such stream is left. */
  #positions(done: readonly number[]): Positions {
    const { streams } = this.#context.options;
    const passed = done.at(-1)!;
    const byName = new Map(streams.map((name, stream) => [name, done[stream]!]));
    const { series, held } = this.#queues.at(-1)!;
    const isNothingLeft = this.#context.isIndexed && series.writer.segments.length + held.length === 0;
    if (isNothingLeft) return { others: this.#context.lastSequence, byName };
    for (const [name, position] of this.#found.byName) {
      if (!byName.has(name)) byName.set(name, Math.max(position, passed));
    }
    return { others: Math.max(this.#found.others, passed), byName };
  }

  async #removeCovered({ series, written }: SpillQueue): Promise<void> {
    const { segments } = series.writer;
    // After the end nobody reads: what the cursor has not left yet is as done as the checkpoint says.
    for (const segment of segments.filter(({ sealed, finished }) => sealed && (finished || this.#closed))) {
      if (segment.lastSequence > written) continue;
      if (await removeSegment(this.#context, segment)) segments.splice(segments.indexOf(segment), 1);
    }
  }
}
