/**
 * Flood control for log lines: of lines alike, so many pass per interval, the rest is counted. Main thread; used by log.ts.
 * Pure on the time it is given; its memory is bounded by {@link FloodOptions.keysMax}.
 */
import { assert } from '../base/assert.ts';

export interface FloodOptions {
  /** Lines of one key that pass within one window. */
  readonly linesMax: number;
  readonly windowMs: number;
  /** Keys told apart at a time. Further ones share one count, under the key {@link otherKeys}. */
  readonly keysMax: number;
}

/** The key under which lines are counted once `keysMax` others are in use. */
export const otherKeys = '(other)';

/** What one key held back in one window. */
export interface Suppression {
  readonly key: string;
  readonly suppressed: number;
  readonly windowMs: number;
}

interface Window {
  readonly startMs: number;
  passed: number;
  suppressed: number;
}

export class Flood {
  readonly #options: FloodOptions;
  readonly #windows = new Map<string, Window>();
  /** Lines held back since the start. */
  suppressedEver = 0;

  constructor(options: FloodOptions) {
    assert(options.linesMax >= 1 && options.windowMs >= 1 && options.keysMax >= 1, 'flood limits are at least 1');
    this.#options = options;
  }

  /** Whether a line of `key` may be printed now; if not, it was counted. Call {@link closeWindows} first. */
  admit(key: string, nowMs: number): boolean {
    const known = this.#windows.has(key) || this.#windows.size < this.#options.keysMax;
    const counted = known ? key : otherKeys;
    let window = this.#windows.get(counted);
    if (window === undefined) {
      window = { startMs: nowMs, passed: 0, suppressed: 0 };
      this.#windows.set(counted, window);
    }
    if (window.passed < this.#options.linesMax) {
      window.passed++;
      return true;
    }
    window.suppressed++;
    this.suppressedEver++;
    return false;
  }

  /** Ends the windows that are over at `nowMs` (all of them with `Infinity`), and gives those that held lines back. */
  closeWindows(nowMs: number): Suppression[] {
    const reports: Suppression[] = [];
    for (const [key, window] of this.#windows) {
      const overAtMs = window.startMs + this.#options.windowMs;
      // Windows are in order of their start, so the first one that is still open ends the search.
      if (nowMs < overAtMs && nowMs >= window.startMs) break;
      this.#windows.delete(key);
      if (window.suppressed > 0) {
        reports.push({ key, suppressed: window.suppressed, windowMs: this.#options.windowMs });
      }
    }
    return reports;
  }
}
