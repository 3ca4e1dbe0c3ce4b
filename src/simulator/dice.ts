/**
 * Rolls the faults in force and counts those that struck. One per simulator. The draws come from one seeded generator in
 * order of arrival, so the same requests in the same order meet the same faults.
 */
import type { FaultName, FaultPlan } from './faults.ts';
import { RandomSequence } from './random-sequence.ts';

/** Faults whose value is the share of what they strike. */
type ShareName = Extract<FaultName, `${string}Share` | 'share500' | 'shareFailedRecords'>;

export class Dice {
  #plan: FaultPlan;
  #meetsShards: boolean;
  #slowed = false;
  #random: RandomSequence;
  readonly #fired = new Map<FaultName, number>();

  constructor(plan: FaultPlan) {
    this.#plan = plan;
    this.#meetsShards = plan.throttle || plan.hotShards.length > 0 || plan.slowShards.length > 0;
    this.#random = new RandomSequence(plan.seed);
  }

  get plan(): FaultPlan {
    return this.#plan;
  }

  /** Puts `plan` in force and starts the generator anew from its seed. */
  load(plan: FaultPlan): void {
    this.#plan = plan;
    this.#meetsShards = plan.throttle || plan.hotShards.length > 0 || plan.slowShards.length > 0;
    this.#random = new RandomSequence(plan.seed);
  }

  /** Whether the fault `name`, whose value is a share, strikes now; counts it if so. A share of 0 draws nothing. */
  strikes(name: ShareName): boolean {
    const share = this.#plan[name];
    if (share === 0 || this.#random.next() >= share) return false;
    this.count(name);
    return true;
  }

  /** A whole number of 0 .. `count` - 1. */
  below(count: number): number {
    return this.#random.below(count);
  }

  /** Whether a record's shard matters to any fault in force: without one, nobody asks further. */
  get meetsShards(): boolean {
    return this.#meetsShards;
  }

  /** A record of the request that is running goes to one of `slowShards`. */
  slow(): void {
    this.#slowed = true;
  }

  /** Whether the request that has just run met a slow shard; asked once for each request. */
  takeSlowed(): boolean {
    const slowed = this.#slowed;
    this.#slowed = false;
    if (slowed) this.count('slowShards');
    return slowed;
  }

  /** Milliseconds that an answer has to wait. */
  delayMs(slowed: boolean): number {
    const { latencyMs, latencyJitterMs, lateMs, slowShardMs } = this.#plan;
    let delayMs = 0;
    if (latencyMs > 0 || latencyJitterMs > 0) {
      this.count('latencyMs');
      delayMs += latencyMs + (latencyJitterMs === 0 ? 0 : this.#random.next() * latencyJitterMs);
    }
    if (this.strikes('lateShare')) delayMs += lateMs;
    return slowed ? delayMs + slowShardMs : delayMs;
  }

  /** Counts one strike of a fault that is not a share. */
  count(name: FaultName): void {
    this.#fired.set(name, (this.#fired.get(name) ?? 0) + 1);
  }

  /** Strikes by fault since the start or the last {@link forget}. */
  fired(): Record<string, number> {
    return Object.fromEntries(this.#fired);
  }

  forget(): void {
    this.#fired.clear();
  }
}
