/**
 * A lane's loop: takes events from the rings to their streams, gives done ones back, sleeps when there is nothing to do. Lane
 * worker. Each stream has a ring of its own, so that one which cannot deliver holds up no other. It reacts (to the ring, to answers, to due times) and never blocks; one turn is bounded, so that sockets get theirs.
 *
 * ```
 *        ┌─ rings empty, nothing came lately ▶ asleep on HEAD ─┐
 *   turn ├─ ring empty, busy until now ──────▶ nap 1 ms ───────┼─▶ turn
 *        ├─ events left ─────────────────────▶ next turn of the event loop
 *        └─ no room (all batches out) ───────▶ an answer ──────┘
 * ```
 * While there is no room, events whose deadline passes in the ring leave it for the DLQ all the same.
 */
import type { Clock } from '../edges/clock.ts';
import { LaneCounter, type LaneCounters } from '../observe/counters.ts';
import type { Arena } from '../ring/arena.ts';
import type { RingConsumer } from '../ring/consumer.ts';
import { EntryState, entry, stateMask } from '../ring/layout.ts';
import type { RingWaiter } from '../ring/waiting.ts';
import { Wanted } from '../ring/wanted.ts';
import type { StreamDelivery } from './stream-delivery.ts';

/** Events of one turn: some milliseconds of work. Streams share it, so that none waits for another's flood. */
const turnEventsMax = 8_192;

/** How long a lane that was busy waits for more before it sleeps. A wake costs 85 us over both threads, a nap 20 us. */
const napMs = 1;

/** How often a stream without room looks for events whose deadline has passed in its ring. */
const overdueLookMs = 100;

/** One stream in one lane: its ring's reading end, and where its events go. */
export interface LaneStream {
  readonly consumer: RingConsumer;
  readonly delivery: StreamDelivery;
  /** Told how long runs of events with the same time stamp waited in the ring. */
  readonly ringWaited: (waitUs: number, events: number) => void;
}

export interface LaneLoopParts {
  readonly arena: Arena;
  readonly waiter: RingWaiter;
  readonly counters: LaneCounters;
  readonly clock: Clock;
  /** Told of an entry that a worker before this one set aside: the main thread may not have heard of it. */
  readonly foundSetAside: (offset: number) => void;
  /** Offset of the word of `Wanted` in the arena. */
  readonly wantedOffset: number;
  /** Told once per turn while the main thread wants to hear it: by stream, before which position everything is given back. */
  readonly gaveBack: (tails: Int32Array, moved: boolean) => void;
  /** Told of each turn. */
  readonly turned: () => void;
}

export class LaneLoop {
  readonly #parts: LaneLoopParts;
  #streams: readonly LaneStream[] = [];
  /** By stream: an entry that was read from the ring and found no room; 0: none. */
  #ahead = new Uint32Array(0);
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

  start(streams: readonly LaneStream[]): void {
    this.#streams = streams;
    this.#ahead = new Uint32Array(streams.length);
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
    for (const { delivery } of this.#streams) delivery.draining = true;
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      this.schedule();
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const { delivery } of this.#streams) delivery.close();
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    if (this.#stopped) return;
    this.#parts.turned();
    this.#giveBack();
    const nowMs = this.#parts.clock.nowMs();
    let dueMs = this.#tick(nowMs);
    const quota = Math.ceil(turnEventsMax / this.#streams.length);
    let most = 0;
    for (let i = 0; i < this.#streams.length; i++) most = Math.max(most, this.#take(i, quota, nowMs));
    if (most === quota) return this.schedule();
    if (this.#draining && this.#isDrained()) return this.#drained();
    // What was just added may linger less long than anything before it; a stream's own due time says when at the latest.
    if (most > 0) dueMs = Math.min(dueMs, this.#tick(nowMs));
    if (this.#streams.some(({ delivery }) => delivery.mayExpire && !delivery.hasRoom())) {
      dueMs = Math.min(dueMs, nowMs + overdueLookMs);
    }
    this.#rest(nowMs, dueMs, most);
  };

  #tick(nowMs: number): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const { delivery } of this.#streams) dueMs = Math.min(dueMs, delivery.tick(nowMs));
    return dueMs;
  }

  /** Moves events from a stream's ring to its delivery until the ring is empty, there is no room, or the quota is used up. */
  #take(index: number, quota: number, nowMs: number): number {
    const { consumer, delivery, ringWaited } = this.#streams[index] as LaneStream;
    const { arena, clock } = this.#parts;
    const { words, floats } = arena;
    const nowUs = clock.nowUs();
    let taken = 0;
    let runSeenUs = 0;
    let runEvents = 0;
    while (taken < quota && delivery.hasRoom()) {
      const offset = this.#ahead[index] || consumer.next();
      if (offset === 0) break;
      this.#ahead[index] = 0;
      taken++;
      const seenUs = floats[(offset + entry.firstSeenUs) >>> 3] as number;
      if (seenUs !== runSeenUs) {
        if (runEvents > 0) ringWaited(nowUs - runSeenUs, runEvents);
        runSeenUs = seenUs;
        runEvents = 0;
      }
      runEvents++;
      const state = (words[(offset + entry.state) >>> 2] as number) & stateMask;
      // After a takeover the ring also holds what the worker before had finished.
      if (state === EntryState.pending) delivery.add(offset, nowMs);
      else if (state === EntryState.setAside) this.#parts.foundSetAside(offset);
    }
    if (runEvents > 0) ringWaited(nowUs - runSeenUs, runEvents);
    return taken + (delivery.mayExpire && !delivery.hasRoom() ? this.#setOverdueAside(index, quota - taken, nowMs) : 0);
  }

  /** Takes events whose deadline has passed out of a ring that nothing else can be taken from now; returns how many. */
  #setOverdueAside(index: number, most: number, nowMs: number): number {
    const { consumer, delivery } = this.#streams[index] as LaneStream;
    const { words } = this.#parts.arena;
    const overdue: number[] = [];
    let seen = 0;
    for (; seen < most; seen++) {
      const offset = this.#ahead[index] || consumer.next();
      this.#ahead[index] = offset;
      if (offset === 0) break;
      const state = (words[(offset + entry.state) >>> 2] as number) & stateMask;
      if (state === EntryState.pending && !delivery.isOverdue(offset, nowMs)) break;
      this.#ahead[index] = 0;
      if (state === EntryState.pending) overdue.push(offset);
      else if (state === EntryState.setAside) this.#parts.foundSetAside(offset);
    }
    if (overdue.length > 0) delivery.giveUp(Uint32Array.from(overdue));
    return seen;
  }

  /** Gives done entries back to the rings, counting them in the same step. */
  #giveBack(): void {
    const { counters, arena, wantedOffset } = this.#parts;
    let moved = false;
    for (let i = 0; i < this.#streams.length; i++) {
      const { consumer } = this.#streams[i] as LaneStream;
      for (let offset = consumer.advance(); offset !== 0; offset = consumer.advance()) {
        const state = (arena.words[(offset + entry.state) >>> 2] as number) & stateMask;
        // What the DLQ has settled the main thread has counted.
        if (state !== EntryState.delivered) continue;
        counters.add(i, LaneCounter.ahead, -1);
        counters.add(i, LaneCounter.delivered, 1);
      }
      moved ||= counters.tails[i] !== consumer.donePosition();
      counters.tails[i] = consumer.donePosition();
    }
    counters.commit();
    for (const { consumer } of this.#streams) consumer.release();
    // Pairs with the main thread's Atomics.store: who begins to wait does so before it publishes what it waits for.
    if (Atomics.load(arena.words, wantedOffset >>> 2) !== Wanted.nothing) this.#parts.gaveBack(counters.tails, moved);
  }

  #isDrained(): boolean {
    return this.#streams.every(
      ({ consumer, delivery }, i) => this.#ahead[i] === 0 && consumer.unreadBytes() === 0 && delivery.idle,
    );
  }

  #drained(): void {
    this.#onDrained?.();
    this.#onDrained = undefined;
  }

  #rest(nowMs: number, dueMs: number, taken: number): void {
    const canTake = this.#streams.some(({ delivery }) => delivery.hasRoom());
    if (taken > 0 && canTake) {
      this.#arm(nowMs, Math.min(dueMs, nowMs + napMs));
      return;
    }
    this.#arm(nowMs, dueMs);
    // Without room, an answer or a due time leads on: new events must not wake this thread for nothing.
    if (!this.#asleep && canTake) this.#sleep();
  }

  #sleep(): void {
    const heads = this.#streams.map(({ consumer, delivery }) =>
      delivery.hasRoom() ? consumer.headSeen() : consumer.lookAtHead(),
    );
    const sleeping = this.#parts.waiter.sleep(heads);
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
