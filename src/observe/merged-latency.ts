/**
 * Latencies of one histogram, added up, and what they stand for: a lane, a stream, a window, all. For the `hist` command; pure.
 */

import { HdrCounts } from './hdr-counts.ts';
import type { HdrDecoder } from './hdr-decode.ts';
import type { LatencyName } from './latency.ts';

export class MergedLatency {
  readonly histogram: LatencyName;
  /** Index of its period. */
  readonly period: number;
  /** The lane, the stream, or empty in total; for windows their start as ISO text. */
  readonly group: string;
  readonly counts = new HdrCounts();
  /** Largest value, exact. */
  maxUs = 0;

  constructor(histogram: LatencyName, group: string, period = 0) {
    this.histogram = histogram;
    this.group = group;
    this.period = period;
  }

  /** Microseconds at or below which `percentile` (0..100) percent of the values lie. */
  percentileUs(percentile: number): number {
    return Math.min(this.counts.valueAtPercentile(percentile), this.maxUs);
  }

  add(decoded: HdrDecoder, maxUs: number): void {
    decoded.addTo(this.counts);
    this.maxUs = Math.max(this.maxUs, maxUs);
  }

  merge(other: MergedLatency): void {
    this.counts.merge(other.counts);
    this.maxUs = Math.max(this.maxUs, other.maxUs);
  }
}
