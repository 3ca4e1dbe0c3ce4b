/**
 * A lane's loop: takes events from the ring to their streams, gives done ones back, sleeps when there is nothing to do. Lane
 * worker. It reacts (to the ring, to answers, to due times) and never blocks; one turn is bounded, so that sockets get theirs.
 *
 * ```
 *        ┌─ ring empty, nothing came lately ─▶ asleep on HEAD ─┐
 *   turn ├─ ring empty, busy until now ──────▶ nap 1 ms ───────┼─▶ turn
 *        ├─ events left ─────────────────────▶ next turn of the event loop
 *        └─ no room (all batches out) ───────▶ an answer ──────┘
 * ```
 */
import type { Clock } from '../edges/clock.ts';
import { LaneCounter, type LaneCounters } from '../observe/counters.ts';
import type { Arena } from '../ring/arena.ts';
import type { RingConsumer } from '../ring/consumer.ts';
import { EntryState, entry, stateMask, streamMask, streamShift } from '../ring/layout.ts';
import type { RingWaiter } from '../ring/waiting.ts';
import type { StreamDelivery } from './stream-delivery.ts';

/** Events of one turn: some milliseconds of work. */
const turnEventsMax = 8_192;

/** How long a lane that was busy waits for more before it sleeps. A wake costs 85 us over both threads, a nap 20 us. */
const napMs = 1;

export interface LaneLoopParts {
  readonly arena: Arena;
  readonly consumer: RingConsumer;
  readonly waiter: RingWaiter;
  readonly counters: LaneCounters;
  readonly clock: Clock;
  /** Told how long runs of events with the same time stamp waited in the ring. */
  readonly ringWaited: (waitUs: number, events: number) => void;
  /** Told of an entry that a worker before this one set aside: the main thread may not have heard of it. */
  readonly foundSetAside: (offset: number) => void;
}

export class LaneLoop {
  readonly #parts: LaneLoopParts;
  #streams: readonly StreamDelivery[] = [];
  #scheduled = false;
  #asleep = false;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #draining = false;
  #stopped = false;
  #onDrained: (() => void) | undefined;

  constructor(parts: LaneLoopParts) {
    this.#parts = parts;
  }

  start(streams: readonly StreamDelivery[]): void {
    this.#streams = streams;
    this.schedule();
  }

  /** Runs a turn soon, once, however often it is called before. */
  schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  /** Sends what is there without lingering; resolves when nothing is left in the ring or in this thread's hands. */
  drain(): Promise<void> {
    this.#draining = true;
    for (const stream of this.#streams) stream.draining = true;
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      this.schedule();
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const stream of this.#streams) stream.close();
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    if (this.#stopped) return;
    this.#giveBack();
    const nowMs = this.#parts.clock.nowMs();
    let dueMs = Number.POSITIVE_INFINITY;
    for (const stream of this.#streams) dueMs = Math.min(dueMs, stream.tick(nowMs));
    const taken = this.#take(nowMs);
    if (taken === turnEventsMax) return this.schedule();
    if (this.#draining && this.#isDrained()) return this.#drained();
    // What was just added may linger less long than anything before it; a stream's own due time says when at the latest.
    if (taken > 0) for (const stream of this.#streams) dueMs = Math.min(dueMs, stream.tick(nowMs));
    this.#rest(nowMs, dueMs, taken);
  };

  /** Moves events from the ring to their streams until the ring is empty, a stream has no room, or the turn is over. */
  #take(nowMs: number): number {
    const { consumer, arena, clock } = this.#parts;
    const streams = this.#streams;
    const { words, floats } = arena;
    const nowUs = clock.nowUs();
    let taken = 0;
    let runSeenUs = 0;
    let runEvents = 0;
    while (taken < turnEventsMax) {
      if (!this.#allHaveRoom()) break;
      const offset = consumer.next();
      if (offset === 0) break;
      taken++;
      const seenUs = floats[(offset + entry.firstSeenUs) >>> 3] as number;
      if (seenUs !== runSeenUs) {
        if (runEvents > 0) this.#parts.ringWaited(nowUs - runSeenUs, runEvents);
        runSeenUs = seenUs;
        runEvents = 0;
      }
      runEvents++;
      const stream = ((words[(offset + entry.key) >>> 2] as number) >>> streamShift) & streamMask;
      const state = (words[(offset + entry.state) >>> 2] as number) & stateMask;
      // After a takeover the ring also holds what the worker before had finished.
      if (state === EntryState.pending) (streams[stream] as StreamDelivery).add(offset, nowMs);
      else if (state === EntryState.setAside) this.#parts.foundSetAside(offset);
    }
    if (runEvents > 0) this.#parts.ringWaited(nowUs - runSeenUs, runEvents);
    return taken;
  }

  #allHaveRoom(): boolean {
    for (const stream of this.#streams) if (!stream.hasRoom()) return false;
    return true;
  }

  /** Gives done entries back to the ring, counting them in the same step. */
  #giveBack(): void {
    const { consumer, counters, arena } = this.#parts;
    for (let offset = consumer.advance(); offset !== 0; offset = consumer.advance()) {
      const stream = ((arena.words[(offset + entry.key) >>> 2] as number) >>> streamShift) & streamMask;
      const state = (arena.words[(offset + entry.state) >>> 2] as number) & stateMask;
      if (state === EntryState.delivered) {
        counters.add(stream, LaneCounter.ahead, -1);
        counters.add(stream, LaneCounter.delivered, 1);
      } else {
        counters.add(stream, LaneCounter.settled, 1);
      }
    }
    counters.commit(consumer.donePosition());
    consumer.release();
  }

  #isDrained(): boolean {
    return this.#parts.consumer.unreadBytes() === 0 && this.#streams.every((stream) => stream.idle);
  }

  #drained(): void {
    this.#onDrained?.();
    this.#onDrained = undefined;
  }

  #rest(nowMs: number, dueMs: number, taken: number): void {
    if (taken > 0 && this.#allHaveRoom()) {
      this.#arm(nowMs, Math.min(dueMs, nowMs + napMs));
      return;
    }
    this.#arm(nowMs, dueMs);
    // Without room, an answer or a due time leads on: new events must not wake this thread for nothing.
    if (!this.#asleep && this.#allHaveRoom()) this.#sleep();
  }

  #sleep(): void {
    const { waiter, consumer } = this.#parts;
    const sleeping = waiter.sleep(consumer.headSeen());
    if (sleeping === undefined) return this.schedule();
    this.#asleep = true;
    void sleeping.then(() => {
      this.#asleep = false;
      this.schedule();
    });
  }

  #arm(nowMs: number, dueMs: number): void {
    if (this.#timer !== undefined && this.#timerDueMs <= dueMs) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerDueMs = dueMs;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#timerDueMs = Number.POSITIVE_INFINITY;
        this.schedule();
      },
      Math.max(0, dueMs - nowMs),
    );
  }
}
