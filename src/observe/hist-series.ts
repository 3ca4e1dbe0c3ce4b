/**
 * One latency histogram over time, for charts: a merged histogram per window. For the `hist` command; pure, and bounded: when a
 * log covers more than {@link seriesWindowsMax} windows, they become twice as wide.
 */
import type { LatencyName } from './latency.ts';
import { MergedLatency } from './merged-latency.ts';

export const seriesWindowsMax = 120;

const windowMsLeast = 1_000;

export class LatencySeries {
  readonly #histogram: LatencyName;
  #windowMs = windowMsLeast;
  #windows = new Map<number, MergedLatency>();

  constructor(histogram: LatencyName) {
    this.#histogram = histogram;
  }

  get windowMs(): number {
    return this.#windowMs;
  }

  /** By start of window, milliseconds since 1970, in no order. */
  get windows(): ReadonlyMap<number, MergedLatency> {
    return this.#windows;
  }

  /** The window of an interval that starts at `startMs` and is `intervalMs` long. */
  window(startMs: number, intervalMs: number): MergedLatency {
    if (this.#windows.size === 0) this.#windowMs = Math.max(windowMsLeast, intervalMs);
    // A window narrower than the log's own interval would leave gaps. (The interval may change with a restart.)
    while (this.#windowMs < intervalMs) this.#widen();
    for (;;) {
      const windowStartMs = windowStart(startMs, this.#windowMs);
      const known = this.#windows.get(windowStartMs);
      if (known !== undefined) return known;
      if (this.#windows.size < seriesWindowsMax) {
        const window = new MergedLatency(this.#histogram, new Date(windowStartMs).toISOString());
        this.#windows.set(windowStartMs, window);
        return window;
      }
      this.#widen();
    }
  }

  #widen(): void {
    this.#windowMs *= 2;
    const wider = new Map<number, MergedLatency>();
    for (const [startMs, window] of this.#windows) {
      const start = windowStart(startMs, this.#windowMs);
      const known = wider.get(start);
      if (known === undefined) wider.set(start, window);
      else known.merge(window);
    }
    this.#windows = wider;
  }
}

/** The start of the window, `windowMs` wide and counted from 1970, in which `timeMs` lies. */
export function windowStart(timeMs: number, windowMs: number): number {
  return Math.floor(timeMs / windowMs) * windowMs;
}
