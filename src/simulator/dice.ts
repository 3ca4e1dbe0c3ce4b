/**
 * Rolls the faults in force and counts those that struck. One per simulator. The draws come from one seeded generator in
 * order of arrival, so the same requests in the same order meet the same faults.
 */
import type { FaultName, FaultPlan } from './faults.ts';
import { RandomSequence } from './random-sequence.ts';

export class Dice {
  #plan: FaultPlan;
  #random: RandomSequence;
  readonly #fired = new Map<FaultName, number>();

  constructor(plan: FaultPlan) {
    this.#plan = plan;
    this.#random = new RandomSequence(plan.seed);
  }

  get plan(): FaultPlan {
    return this.#plan;
  }

  /** Puts `plan` in force and starts the generator anew from its seed. */
  load(plan: FaultPlan): void {
    this.#plan = plan;
    this.#random = new RandomSequence(plan.seed);
  }

  /** Whether the fault `name`, whose value is a share, strikes now; counts it if so. A share of 0 draws nothing. */
  strikes(name: 'share500' | 'shareFailedRecords' | 'resetShare' | 'cutShare'): boolean {
    const share = this.#plan[name];
    if (share === 0 || this.#random.next() >= share) return false;
    this.count(name);
    return true;
  }

  /** Milliseconds that the next answer has to wait. */
  delayMs(): number {
    const { latencyMs, latencyJitterMs } = this.#plan;
    if (latencyMs === 0 && latencyJitterMs === 0) return 0;
    this.count('latencyMs');
    return latencyMs + (latencyJitterMs === 0 ? 0 : this.#random.next() * latencyJitterMs);
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
