/**
 * The ways from a stream's lane to its shards: which of them may take a record now, and the events that wait for one. Lane worker;
 * asked by the aggregator once per record, not per event.
 *
 * An outlet is shut while its shard's limiter has no budget and, where the order of keys is kept, while a record of it is under
 * way or waits for its retry: so at most one record of a shard is ever in Kinesis' hands, and what failed goes before what came
 * later. What finds its outlet shut waits here and holds up no other shard.
 *
 * ```
 *                     shut                         opened
 *   event ─ open? ──────────▶ waiting (in order) ─────────▶ next record
 *              └─ yes ▶ record ─ sent ─ taken ▶ open again
 *                                  └─ failed ▶ in front of those waiting, after a backoff
 * ```
 * Where Kinesis does not place records by key, or the map is not known, an outlet is a range of hash keys (order kept) or there are
 * none.
 */
import { shardBytesPerSecond } from '../base/limits.ts';
import type { ShardLimiter } from './limiter.ts';
import type { RetryBudget } from './retry-budget.ts';
import { WaitingEvents } from './waiting-events.ts';

/** A record of a shard that was throttled before takes so much of the lane's part of it, and has at least so many bytes. */
const recordSeconds = 0.25;
const recordBytesLeast = 5 * 1024;

export class Outlets {
  /** Events that wait, by outlet; the aggregator looks at it for every event. */
  waiting = new Uint32Array(0);
  readonly #ordered: boolean;
  readonly #retries: RetryBudget;
  readonly #limiter: ShardLimiter;
  #queues: (WaitingEvents | undefined)[] = [];
  /** Outlets with events that wait. */
  readonly #active = new Set<number>();
  /** Order kept: 1 while a record of the outlet is open or under way. */
  #busy = new Uint8Array(0);
  /** Order kept: when the outlet's failed events may go again. */
  #retryMs = new Float64Array(0);
  #nowMs = 0;
  #shardIds: readonly string[] = [];
  /** 1: the outlet was throttled before, and its limiter decides. */
  #limited = new Uint8Array(0);
  #limitedIds = new Set<string>();

  constructor(ordered: boolean, retries: RetryBudget, limiter: ShardLimiter) {
    this.#ordered = ordered;
    this.#retries = retries;
    this.#limiter = limiter;
  }

  /** The time that {@link mayOpen} goes by. */
  set nowMs(nowMs: number) {
    this.#nowMs = nowMs;
  }

  get waitingCount(): number {
    let sum = 0;
    for (const outlet of this.#active) sum += this.waiting[outlet] as number;
    return sum;
  }

  /** There are other shards now. Nothing may wait ({@link takeAll} before) or be under way where the order is kept. */
  reshape(shardIds: readonly string[]): void {
    const count = shardIds.length;
    this.#shardIds = shardIds;
    this.#limitedIds = new Set(shardIds.filter((id) => this.#limitedIds.has(id)));
    this.#limited = Uint8Array.from(shardIds, (id) => (this.#limitedIds.has(id) ? 1 : 0));
    this.waiting = new Uint32Array(count);
    this.#queues = [];
    this.#active.clear();
    this.#busy = new Uint8Array(count);
    this.#retryMs = new Float64Array(count);
    this.#limiter.reshape(shardIds, this.#nowMs);
  }

  /** Whether a record may be begun for the outlet. */
  mayOpen(outlet: number): boolean {
    if (this.#ordered && !this.#maySucceed(outlet)) return false;
    return this.#limited[outlet] === 0 || this.#limiter.mayOpen(outlet, this.#nowMs);
  }

  /** A record was begun. Where little may go, it should be small: its limiter learns from outcomes, and must not wait for them. */
  opened(outlet: number): number {
    if (this.#ordered) this.#busy[outlet] = 1;
    if (this.#limited[outlet] === 0) return Number.POSITIVE_INFINITY;
    return Math.max(recordBytesLeast, recordSeconds * shardBytesPerSecond * this.#limiter.share(outlet));
  }

  /** A record of so many bytes goes out. */
  charge(outlet: number, bytes: number): void {
    if (this.#limited[outlet] === 1) this.#limiter.charge(outlet, bytes, this.#nowMs);
  }

  /** Kinesis took a record. */
  taken(outlet: number): void {
    if (this.#limited[outlet] === 1) this.#limiter.taken(outlet, this.#nowMs);
  }

  /** The outlet's shard had enough. From the first time on its limiter decides: until then nothing says what it can take. */
  throttled(outlet: number, sentMs: number): void {
    if (this.#limited[outlet] === 0) {
      this.#limited[outlet] = 1;
      this.#limitedIds.add(this.#shardIds[outlet] as string);
    }
    this.#limiter.throttled(outlet, sentMs, this.#nowMs);
  }

  /** An event finds the outlet shut. */
  hold(outlet: number, offset: number): void {
    this.#queueOf(outlet).push(offset);
    this.waiting[outlet] = (this.waiting[outlet] as number) + 1;
  }

  /** Order kept: a record was taken, or is given up; the next may follow. */
  done(outlet: number): void {
    this.#busy[outlet] = 0;
  }

  /** Order kept: a record's events must go again, before all others of the outlet, not before `retryMs`. */
  failed(outlet: number, offsets: Uint32Array, retryMs: number): void {
    this.#queueOf(outlet).pushFirst(offsets);
    this.waiting[outlet] = (this.waiting[outlet] as number) + offsets.length;
    this.#busy[outlet] = 0;
    this.#retryMs[outlet] = retryMs;
  }

  /** An outlet that may open and has events waiting; -1: none. */
  ready(): number {
    for (const outlet of this.#active) if (this.mayOpen(outlet)) return outlet;
    return -1;
  }

  /** The next event that waits for the outlet; it leaves the queue. */
  next(outlet: number): number {
    const queue = this.#queueOf(outlet);
    const offset = queue.shift() as number;
    this.waiting[outlet] = queue.count;
    if (queue.count === 0) this.#active.delete(outlet);
    return offset;
  }

  /** What {@link next} gave goes back to where it was. */
  putBack(outlet: number, offset: number): void {
    this.#queueOf(outlet).pushFirst(Uint32Array.of(offset));
    this.waiting[outlet] = (this.waiting[outlet] as number) + 1;
  }

  /** Takes the events at the front of each queue for which `isLate` holds. */
  takeLate(isLate: (offset: number) => boolean): Uint32Array {
    const late: number[] = [];
    for (const outlet of this.#active) {
      const queue = this.#queueOf(outlet);
      for (let first = queue.first(); first !== undefined && isLate(first); first = queue.first()) {
        late.push(this.next(outlet));
      }
    }
    return Uint32Array.from(late);
  }

  /** When an outlet with waiting events may open, as far as time alone decides; Infinity: an answer decides, or nothing waits. */
  nextOpenMs(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const outlet of this.#active) {
      if (this.#busy[outlet] === 1) continue;
      const retryMs = this.#retryMs[outlet] as number;
      const budgetMs = retryMs === 0 ? 0 : this.#retries.nextMs(this.#nowMs);
      const limitMs = this.#limited[outlet] === 0 ? 0 : this.#limiter.nextOpenMs(outlet, this.#nowMs);
      least = Math.min(least, Math.max(limitMs, retryMs, budgetMs));
    }
    return least;
  }

  /** Takes the events of the outlet for which most wait. Empty: none wait. */
  takeFullest(): Uint32Array {
    let fullest = -1;
    for (const outlet of this.#active) {
      if (fullest < 0 || (this.waiting[outlet] as number) > (this.waiting[fullest] as number)) fullest = outlet;
    }
    return fullest < 0 ? new Uint32Array(0) : this.#take(fullest);
  }

  /** Takes everything that waits, outlet by outlet. */
  takeAll(): Uint32Array[] {
    return [...this.#active].map((outlet) => this.#take(outlet));
  }

  /** Order kept: whether the record before is done with; if it failed, whether it may go again. */
  #maySucceed(outlet: number): boolean {
    if (this.#busy[outlet] === 1) return false;
    if (this.#retryMs[outlet] === 0) return true;
    if ((this.#retryMs[outlet] as number) > this.#nowMs || !this.#retries.mayRetry(1, this.#nowMs)) return false;
    this.#retryMs[outlet] = 0;
    return true;
  }

  #take(outlet: number): Uint32Array {
    const offsets = this.#queueOf(outlet).take();
    this.waiting[outlet] = 0;
    this.#active.delete(outlet);
    return offsets;
  }

  /** Called where events are about to be put in. */
  #queueOf(outlet: number): WaitingEvents {
    this.#active.add(outlet);
    let queue = this.#queues[outlet];
    if (queue === undefined) {
      queue = new WaitingEvents();
      this.#queues[outlet] = queue;
    }
    return queue;
  }
}
