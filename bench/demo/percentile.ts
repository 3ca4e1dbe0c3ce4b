/**
 * The value that a share of a list does not exceed. For the demo's short lists of bursts; pure. (The daemon's histograms know
 * theirs by themselves.)
 */

/** Nearest rank: `share` 0.99 gives the 99th percentile, 1 the largest. 0 for an empty list. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
