/**
 * Builds daemon logs with latency lines for tests. It also keeps the exact percentiles that they stand for.
 */
import { type Latency, LatencyRecorder, latencyFields } from '../../src/observe/latency.ts';
import { createLog } from '../../src/observe/log.ts';

/** A small generator of numbers in 0..1 from a seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The log lines, with line breaks, of one recorder whose intervals hold `intervals[i]` values each. */
export function latencyLines(
  handle: Latency,
  intervals: readonly (readonly number[])[],
  where: { readonly lane: number | 'main'; readonly stream?: string },
  startMs: number,
  windowMs = 10_000,
): string[] {
  const lines: string[] = [];
  const recorder = new LatencyRecorder('js');
  const log = createLog({ level: 'info', nowMs: () => startMs, write: (line) => lines.push(line) });
  for (const [index, values] of intervals.entries()) {
    for (const value of values) recorder.record(handle, value, 1);
    for (const snapshot of recorder.snapshotAndReset()) {
      log.info('latency', 'latency', latencyFields(snapshot, where, startMs + index * windowMs, windowMs));
    }
  }
  return lines;
}

/** The smallest of `sorted` that at least `percentile` percent of it are not above. */
export function exactPercentile(sorted: readonly number[], percentile: number): number {
  return sorted[Math.max(0, Math.ceil((percentile / 100) * sorted.length - 1e-9) - 1)] as number;
}
