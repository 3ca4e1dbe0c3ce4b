/**
 * When to send again: full jitter over an exponential cap, and the queue of what waits for its turn. Lane worker.
 */
import { createRequire } from 'node:module';
import type { Heap as MnemonistHeap } from 'mnemonist';
import type { Random } from '../edges/random.ts';

// The package's ESM entry loads all of its structures (80 ms); this loads one.
const Heap = createRequire(import.meta.url)('mnemonist/heap') as typeof MnemonistHeap;

/** First and greatest upper bound of a delay. KPL retries without any; AWS recommends full jitter. */
export const backoffBaseMs = 50;
export const backoffCapMs = 5_000;

/** A delay in [0, cap) whose cap doubles with each attempt, from the second attempt on (`attempts` counts failed ones, >= 1). */
export function backoffMs(random: Random, attempts: number): number {
  return random.share() * Math.min(backoffCapMs, backoffBaseMs * 2 ** Math.min(attempts - 1, 20));
}

/** Events that go again together. */
export interface RetryGroup {
  readonly dueMs: number;
  /** Offsets of ring entries. */
  readonly offsets: Uint32Array;
  /** Send these in a request of their own: one of them may be what Kinesis refuses. */
  readonly alone: boolean;
  /** No retry in the sense of the retry budget, or counted there already. */
  readonly counted: boolean;
}

/** Groups by due time. Bounded by the ring: every event in it is an entry that the ring still holds. */
export class RetryQueue {
  readonly #heap = new Heap<RetryGroup>((a, b) => a.dueMs - b.dueMs);

  push(group: RetryGroup): void {
    this.#heap.push(group);
  }

  /** When the next group is due; Infinity when none waits. */
  nextDueMs(): number {
    return this.#heap.peek()?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** Whether the next group asks nothing of the retry budget. */
  nextIsCounted(): boolean {
    return this.#heap.peek()?.counted ?? true;
  }

  peek(): RetryGroup | undefined {
    return this.#heap.peek();
  }

  clear(): void {
    this.#heap.clear();
  }

  popDue(nowMs: number): RetryGroup | undefined {
    return this.nextDueMs() <= nowMs ? this.#heap.pop() : undefined;
  }
}
