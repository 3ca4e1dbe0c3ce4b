/**
 * Two periods side by side: what each histogram and group was in A and in B, and by how much it changed. For the `hist` command;
 * pure.
 */
import { type Figure, figures, type LatencyRow, latencyRow } from './latency-row.ts';
import type { MergedLatency } from './merged-latency.ts';

export interface Comparison {
  readonly histogram: string;
  /** The lane or stream; absent in total. */
  readonly group?: string;
  /** Null: nothing was measured in that period. */
  readonly a: LatencyRow | null;
  readonly b: LatencyRow | null;
  /** B divided by A; null where A is 0, or one of the rows is. */
  readonly ratio: Readonly<Record<Figure, number | null>> | null;
}

/** Of groups in the order of `LatencyMerge.groups`: period 0 is A, period 1 is B. */
export function compare(groups: readonly MergedLatency[]): Comparison[] {
  const pairs = new Map<string, [MergedLatency | undefined, MergedLatency | undefined]>();
  for (const merged of groups) {
    const key = `${merged.histogram} ${merged.group}`;
    const pair = pairs.get(key) ?? [undefined, undefined];
    pair[merged.period === 0 ? 0 : 1] = merged;
    pairs.set(key, pair);
  }
  return [...pairs.values()].map(([first, second]) => {
    const { histogram, group } = (first ?? second) as MergedLatency;
    const a = first === undefined ? null : latencyRow(first);
    const b = second === undefined ? null : latencyRow(second);
    return { histogram, ...(group === '' ? {} : { group }), a, b, ratio: a && b && ratioOf(a, b) };
  });
}

function ratioOf(a: LatencyRow, b: LatencyRow): Record<Figure, number | null> {
  const ratios = (Object.keys(figures) as Figure[]).map((figure) => {
    const ratio = a[figure] === 0 ? null : Math.round((b[figure] / a[figure]) * 1_000) / 1_000;
    return [figure, ratio];
  });
  return Object.fromEntries(ratios) as Record<Figure, number | null>;
}
