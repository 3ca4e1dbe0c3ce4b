/**
 * One daemon of the limiter's simulation: each time it wakes it opens as many records as its limiter lets it and its demand
 * wants, sends them in requests, and tells the limiter the answers. Virtual time; the limiter is the real one.
 */
import { requestRecordsMax } from '../../../src/base/limits.ts';
import { ShardLimiter } from '../../../src/deliver/limiter.ts';
import type { Random } from '../../../src/edges/random.ts';
import { shardLimits } from './service.ts';

/** A request on its way, or its answer on the way back. */
export interface Flight {
  readonly sentMs: number;
  readonly roundTripMs: number;
  readonly shards: number[];
  readonly bytes: number[];
  readonly taken: boolean[];
}

export interface SenderPlan {
  readonly shardIds: readonly string[];
  readonly joinMs: number;
  readonly leaveMs: number;
  /** Least time from sending to the answer; each request takes up to a quarter more. */
  readonly roundTripMs: number;
  /** Records a second that come for a shard; Infinity: always more than may go. */
  readonly demand: (shard: number, nowMs: number) => number;
  readonly recordBytesMean: number;
}

export class Sender {
  readonly plan: SenderPlan;
  readonly limiter: ShardLimiter;
  /** Records that wait, by shard. */
  readonly waiting: Float64Array;
  /** What went since the last {@link clear}, by shard. */
  readonly takenBytes: Float64Array;
  readonly takenRecords: Float64Array;
  readonly refused: Float64Array;
  readonly #random: Random;
  #lastMs: number;

  constructor(plan: SenderPlan, random: Random) {
    this.plan = plan;
    this.#random = random;
    this.limiter = new ShardLimiter(shardLimits, random);
    this.limiter.reshape(plan.shardIds, plan.joinMs);
    const shards = plan.shardIds.length;
    this.waiting = new Float64Array(shards);
    this.takenBytes = new Float64Array(shards);
    this.takenRecords = new Float64Array(shards);
    this.refused = new Float64Array(shards);
    this.#lastMs = plan.joinMs;
  }

  clear(): void {
    for (const counts of [this.takenBytes, this.takenRecords, this.refused]) counts.fill(0);
  }

  /** Opens what it may and wants; hands each request to `send`. */
  wake(nowMs: number, send: (flight: Flight) => void): void {
    const seconds = (nowMs - this.#lastMs) / 1_000;
    this.#lastMs = nowMs;
    let flight = this.#flight(nowMs);
    // Not from shard 0 each time: the last of a request would meet emptier buckets.
    const first = Math.floor(this.#random.share() * this.waiting.length);
    for (let i = 0; i < this.waiting.length; i++) {
      const shard = (first + i) % this.waiting.length;
      const demand = this.plan.demand(shard, nowMs);
      // Arrivals vary: between none and twice the mean.
      if (demand === Number.POSITIVE_INFINITY) this.waiting[shard] = demand;
      else add(this.waiting, shard, demand * seconds * 2 * this.#random.share());
      while ((this.waiting[shard] as number) >= 1 && this.limiter.mayOpen(shard, nowMs)) {
        add(this.waiting, shard, -1);
        const bytes = Math.ceil(this.plan.recordBytesMean * (0.5 + this.#random.share()));
        this.limiter.charge(shard, bytes, nowMs);
        flight.shards.push(shard);
        flight.bytes.push(bytes);
        if (flight.shards.length < requestRecordsMax) continue;
        send(flight);
        flight = this.#flight(nowMs);
      }
    }
    if (flight.shards.length > 0) send(flight);
  }

  answered({ shards, bytes, taken, sentMs }: Flight, nowMs: number): void {
    for (const [i, shard] of shards.entries()) {
      if (taken[i]) {
        this.limiter.taken(shard, nowMs);
        add(this.takenBytes, shard, bytes[i] as number);
        add(this.takenRecords, shard, 1);
      } else {
        this.limiter.throttled(shard, sentMs, nowMs);
        add(this.refused, shard, 1);
        add(this.waiting, shard, 1);
      }
    }
  }

  #flight(nowMs: number): Flight {
    const roundTripMs = this.plan.roundTripMs * (1 + this.#random.share() / 4);
    return { sentMs: nowMs, roundTripMs, shards: [], bytes: [], taken: [] };
  }
}

function add(counts: Float64Array, shard: number, count: number): void {
  counts[shard] = (counts[shard] as number) + count;
}
