/**
 * Random choices that a seed repeats. For tests alone; each prints its seed.
 */

/** Whole numbers in [0, below). */
export type Below = (below: number) => number;

/** Small, fast, and good enough to choose bytes (mulberry32). */
export function seeded(seed: number): Below {
  let current = seed | 0;
  return (below) => {
    current = (current + 0x6d2b79f5) | 0;
    let mixed = Math.imul(current ^ (current >>> 15), 1 | current);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export function pick<T>(from: readonly T[], below: Below): T {
  return from[below(from.length)] as T;
}

/** An index of `weights`, as often as its weight says. */
export function weighted(weights: readonly number[], below: Below): number {
  let left = below(weights.reduce((sum, weight) => sum + weight, 0));
  for (const [index, weight] of weights.entries()) {
    if (left < weight) return index;
    left -= weight;
  }
  return weights.length - 1;
}
