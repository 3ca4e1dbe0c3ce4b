/**
 * Merged latencies for programs: a plain object of the figures that tables show. For the `hist` command; pure.
 */
import type { MergedLatency } from './merged-latency.ts';

/** The figures of a row, in the order and with the heads of a table. All but the count are microseconds. */
export const figures = {
  count: 'count',
  p50Us: 'p50',
  p90Us: 'p90',
  p99Us: 'p99',
  p999Us: 'p99.9',
  maxUs: 'max',
  meanUs: 'mean',
} as const;
export type Figure = keyof typeof figures;

/** One merged histogram. */
export type LatencyRow = Readonly<Record<Figure, number>> & {
  readonly histogram: string;
  /** The lane, stream or window; absent in total. */
  readonly group?: string;
};

export function latencyRow(merged: MergedLatency): LatencyRow {
  return {
    histogram: merged.histogram,
    ...(merged.group === '' ? {} : { group: merged.group }),
    count: merged.counts.total,
    p50Us: merged.percentileUs(50),
    p90Us: merged.percentileUs(90),
    p99Us: merged.percentileUs(99),
    p999Us: merged.percentileUs(99.9),
    maxUs: merged.maxUs,
    meanUs: Math.round(merged.counts.mean() * 10) / 10,
  };
}
