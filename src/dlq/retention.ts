/**
 * Drops what the operator's policy says is not worth keeping: entries older than `max_age`, and, with `when_full =
 * "drop-oldest"`, the oldest spills before `max_bytes` is reached. Main thread; one per DLQ. Without a policy it does nothing.
 *
 * ```
 *   series of one stream     [ handed out, on its way ][ next for replay ][ ... ][ open ]
 *                              never: it is in hand     ▲ oldest first              closed first, if it is all there is
 * ```
 * It takes whole segments, and books each of their events in the step in which it takes it out of its series: conservation holds
 * at every moment, the file goes afterwards. What replay has in hand is left alone until it is done with it, and so are dead
 * letters while an operator's command works on them. Dead letters are dropped by age alone: they are what an operator must see, and
 * a flood of spills, which are worth less the older they get, must not drive them out. A segment whose file cannot be removed
 * gives no room: until it is gone no other is dropped for room, and what comes is refused, or a disk that has become read-only
 * would cost the whole queue. Single spills whose age comes while their segment is younger are dropped by the cursor that reads them.
 */
import type { SpillQueue } from './checkpoints.ts';
import type { DlqContext } from './context.ts';
import { Kind } from './layout.ts';
import { type DropReason, openAgeShare, readingMs, retryMsMax, sweepMsMax, sweepMsMin, sweepShare } from './options.ts';
import { removeSegment } from './quarantine.ts';
import type { Segment } from './segment.ts';
import type { Series } from './series.ts';

export class Retention {
  readonly #context: DlqContext;
  readonly #queues: readonly SpillQueue[];
  readonly #deads: Series;
  /** An operator's work on dead letters is under way. */
  readonly #areDeadsInHand: () => boolean;
  /** Taken out of their series, and not removed yet. */
  readonly #doomed = new Set<Segment>();
  #working: Promise<void> | undefined;
  #cancelSweep: (() => void) | undefined;
  /** No room could be made; set until it is worth looking again. */
  #cancelPause: (() => void) | undefined;
  #closed = false;

  constructor(context: DlqContext, queues: readonly SpillQueue[], deads: Series, areDeadsInHand: () => boolean) {
    this.#context = context;
    this.#queues = queues;
    this.#deads = deads;
    this.#areDeadsInHand = areDeadsInHand;
    this.retune();
  }

  /** Goes by what the context's options say now. */
  retune(): void {
    const drops = this.#context.options.whenFull === 'drop-oldest';
    this.#context.makeRoom = drops ? () => this.#makeRoom() : () => false;
    this.#cancelSweep?.();
    this.#sweepLater();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelSweep?.();
    this.#cancelPause?.();
    await this.#working;
    await this.#removeDoomed();
  }

  /** True: room is being made, and who waits for blocks is told when there is some. */
  #makeRoom(): boolean {
    // What may be older than all that is known is not dropped behind: nobody would hand it out any more.
    if (this.#closed || !this.#context.isIndexed) return false;
    if (this.#working !== undefined) return true;
    if (this.#cancelPause !== undefined) return false;
    const isReading = this.#queues.some(({ cursor }) => cursor.isLoading);
    if (this.#doomed.size === 0 && !isReading && this.#oldest() === undefined) {
      // Each event that is refused asks again, and the answer costs a look at every segment.
      this.#pause(readingMs);
      return false;
    }
    this.#work(async () => {
      const { space, roomBytes } = this.#context;
      if (isReading) await this.#context.delay(readingMs);
      await this.#removeDoomed();
      while (space.isTight(roomBytes)) {
        if (this.#doomed.size > 0) return this.#pause(retryMsMax);
        const victim = this.#oldest();
        if (victim === undefined || !(await this.#close(victim)) || isInHand(victim.queue, victim.segment)) return;
        if (!victim.queue.cursor.letGo(victim.segment)) return;
        await this.#drop(victim.queue.series, victim.queue.cursor.stream, victim.segment, 'drop_oldest');
      }
    });
    return true;
  }

  #pause(ms: number): void {
    this.#cancelPause = this.#context.options.clock.after(ms, () => {
      this.#cancelPause = undefined;
    });
  }

  #work(action: () => Promise<void>): void {
    this.#working = action().finally(() => {
      this.#working = undefined;
      this.#context.pool.wake();
    });
  }

  /** The spills that were first seen the longest ago, a segment of them, as far as it can be dropped. */
  #oldest(): { readonly queue: SpillQueue; readonly segment: Segment } | undefined {
    let oldest: { readonly queue: SpillQueue; readonly segment: Segment } | undefined;
    for (const queue of this.#queues) {
      const waiting = queue.series.writer.segments.filter(isWaiting);
      const segment = waiting.find((one) => !isInHand(queue, one));
      if (segment === undefined || segment.file.keep || segment.file.users > 1) continue;
      // Behind others that are in hand it is the youngest.
      if (!segment.sealed && waiting.length > 1) continue;
      if (oldest === undefined || segment.oldestUs < oldest.segment.oldestUs) oldest = { queue, segment };
    }
    return oldest;
  }

  /** Makes sure that nothing more comes into it, and that there is something in it still. */
  async #close({ queue, segment }: { readonly queue: SpillQueue; readonly segment: Segment }): Promise<boolean> {
    if (!segment.sealed) await queue.series.rotate();
    return segment.sealed && isWaiting(segment);
  }

  /** Takes a segment out of its series, books its events, and removes its file. */
  async #drop(series: Series, stream: number, segment: Segment, reason: DropReason): Promise<void> {
    const { segments } = series.writer;
    segments.splice(segments.indexOf(segment), 1);
    segment.finished = true;
    this.#book(series, stream, segment, reason);
    this.#doomed.add(segment);
    await this.#removeDoomed();
  }

  /** What a segment still holds is dropped. */
  #book(series: Series, stream: number, segment: Segment, reason: DropReason): void {
    const { events, totalEvents, totalBytes } = segment.tally;
    series.tally.add(segment.tally, -1);
    if (series.kind === Kind.dead) {
      const configured = this.#context.options.streams.length;
      for (let slot = 0; slot <= configured; slot++) {
        if (events[slot]! > 0) this.#context.drop(slot === configured ? -1 : slot, events[slot]!, reason);
      }
    } else {
      this.#context.drop(stream, totalEvents, reason);
    }
    this.#context.report({
      change: 'dropped',
      reason,
      events: totalEvents,
      bytes: totalBytes,
      segment: segment.name,
      stream: (series.kind === Kind.dead ? undefined : this.#context.options.streams[stream]) ?? '',
    });
    segment.tally.clear();
  }

  /** A file that cannot be removed now is tried again: it would come back to life with the next run. */
  async #removeDoomed(): Promise<void> {
    for (const segment of this.#doomed) {
      if (await removeSegment(this.#context, segment)) this.#doomed.delete(segment);
    }
  }

  /** Of a segment of which some is in hand, the rest goes from the books; its file goes when the rest of it is done. */
  async #dropAged(queue: SpillQueue, segment: Segment): Promise<void> {
    const { series, cursor } = queue;
    if (!isInHand(queue, segment)) {
      if (cursor.letGo(segment)) await this.#drop(series, cursor.stream, segment, 'max_age');
    } else if (series.writer.segments.find(isWaiting) === segment && cursor.pass(segment)) {
      this.#book(series, cursor.stream, segment, 'max_age');
    }
  }

  #sweepLater(): void {
    const { maxAgeMs, clock } = this.#context.options;
    if (this.#closed || maxAgeMs === undefined) return;
    this.#cancelSweep = clock.after(Math.min(sweepMsMax, Math.max(sweepMsMin, maxAgeMs * sweepShare)), () => {
      if (this.#working === undefined && this.#context.isIndexed) this.#work(() => this.#sweep(maxAgeMs));
      this.#sweepLater();
    });
  }

  async #sweep(maxAgeMs: number): Promise<void> {
    await this.#removeDoomed();
    const nowUs = this.#context.options.clock.nowMs() * 1000;
    const isOld = ({ newestUs }: Segment): boolean => newestUs > 0 && newestUs < nowUs - maxAgeMs * 1000;
    const mustClose = ({ sealed, oldestUs }: Segment): boolean =>
      !sealed && oldestUs < nowUs - maxAgeMs * openAgeShare * 1000;
    for (const queue of this.#queues) {
      for (const segment of queue.series.writer.segments.filter((one) => isWaiting(one) && isOld(one))) {
        // Closed, it may hold younger ones that were in memory before.
        if ((await this.#close({ queue, segment })) && isOld(segment)) await this.#dropAged(queue, segment);
      }
      if (queue.series.writer.segments.some(mustClose)) await queue.series.rotate();
    }
    if (this.#deads.writer.segments.some(mustClose)) await this.#deads.rotate();
    // Looked for anew each time: an operator's work may have begun and ended meanwhile.
    while (!this.#areDeadsInHand()) {
      const segment = this.#deads.writer.segments.find((one) => one.sealed && isOld(one));
      if (segment === undefined) break;
      await this.#drop(this.#deads, -1, segment, 'max_age');
    }
  }
}

/** It holds events that were not handed out. */
function isWaiting({ finished, lastSequence, tally }: Segment): boolean {
  return !finished && lastSequence > 0 && tally.totalEvents > 0;
}

/** Replay has handed out some of it, and does not know yet what became of that; or it may come back, and must still be there then. */
function isInHand({ cursor, covered }: SpillQueue, { firstSequence }: Segment): boolean {
  return cursor.isLoading || (firstSequence <= cursor.handedPosition && covered < cursor.handedPosition);
}
