/**
 * Latencies since the daemon's start, in few buckets: what a scraper adds up over hosts. Main thread; fed with each interval's
 * snapshots, never per event, so it is as old as the last log interval.
 *
 * ```
 *   slot     0          1 ...                18        19
 *   seconds  .. 100 us  .. 250 us  ...  .. 100 s    longer
 * ```
 * A value counts as at most a bound up to a thousandth beyond it: that is how exactly snapshots hold values.
 */
import { indexCount, lowestAt } from './hdr-counts.ts';
import { HdrDecoder } from './hdr-decode.ts';
import type { LatencySnapshot } from './latency.ts';

/** Upper ends of the buckets, in seconds: from what a ring costs to what an outage costs. */
export const latencyBounds: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100,
];

/** One histogram. `counts` by slot, not cumulative; the last slot is for what took longer than every bound. */
export interface LatencyTotal {
  readonly counts: Float64Array;
  sumSeconds: number;
}

export function emptyLatencyTotal(): LatencyTotal {
  return { counts: new Float64Array(latencyBounds.length + 1), sumSeconds: 0 };
}

/** By index of the histograms' layout. */
const slotOf = Uint8Array.from({ length: indexCount }, (_, index) => {
  const slot = latencyBounds.findIndex((bound) => lowestAt(index) <= Math.round(bound * 1e6));
  return slot < 0 ? latencyBounds.length : slot;
});

export class LatencyTotals {
  readonly #decoder = new HdrDecoder();
  readonly #totals = new Map<string, LatencyTotal>();

  /** Adds a snapshot of `stream`, or of the main thread. */
  add(stream: string | undefined, snapshot: LatencySnapshot): void {
    const key = keyOf(snapshot.histogram, stream);
    let total = this.#totals.get(key);
    if (total === undefined) {
      total = emptyLatencyTotal();
      this.#totals.set(key, total);
    }
    this.#decoder.decode(snapshot.base64);
    this.#decoder.addBySlot(slotOf, total.counts);
    total.sumSeconds += (snapshot.mean * snapshot.count) / 1e6;
  }

  /** Undefined: nothing was measured yet. */
  of(histogram: LatencySnapshot['histogram'], stream: string | undefined): LatencyTotal | undefined {
    return this.#totals.get(keyOf(histogram, stream));
  }
}

function keyOf(histogram: string, stream: string | undefined): string {
  return stream === undefined ? histogram : `${histogram} ${stream}`;
}
