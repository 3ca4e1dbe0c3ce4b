/**
 * How much of a backlog may be on its way from the DLQ at one time: as much as the lanes deliver in about half of open_after,
 * whatever that is. Main thread; pure: the replayer tells it what was delivered and how long that took.
 *
 * ```
 *   delay of what was replayed, as a share of open_after
 *   0 ─────── 1/4 ──────── 1/2 ─────────── 3/4 ─────── 1: the lane's breaker opens, and sets fresh events aside as well
 *    doubles   │ grows by 1/8 │     stays      │ shrinks by 1/4
 * ```
 * Without it the rings would be filled in a moment with what takes the lanes seconds: their breakers would open, fresh events
 * would queue behind the backlog on disk, and that again and again until it is gone.
 */
import { assert } from '../base/assert.ts';

/** What it begins with, and the least that it comes down to, so that a slow destination is still tried. */
export const windowBytesMin = 64 * 1024;

export class ReplayPace {
  readonly #openAfterMs: number;
  readonly #windowBytesMax: number;
  #windowBytes = windowBytesMin;
  #shrunkMs = Number.NEGATIVE_INFINITY;

  constructor(openAfterMs: number, windowBytesMax: number) {
    assert(windowBytesMax >= windowBytesMin, 'a ring holds the smallest window');
    this.#openAfterMs = openAfterMs;
    this.#windowBytesMax = windowBytesMax;
  }

  /** Bytes that may be on their way. */
  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** `bytes` that went on their way at `sentMs` are done at `nowMs`. */
  done(bytes: number, sentMs: number, nowMs: number): void {
    const share = (nowMs - sentMs) / this.#openAfterMs;
    if (share < 1 / 4) this.#set(this.#windowBytes + bytes);
    else if (share < 1 / 2) this.#set(this.#windowBytes + bytes / 8);
    // What was on its way when it shrank says nothing of the smaller window.
    else if (share > 3 / 4 && sentMs > this.#shrunkMs) {
      this.#set(this.#windowBytes * (3 / 4));
      this.#shrunkMs = nowMs;
    }
  }

  /** The destination fails: it is tried anew with little. */
  restart(): void {
    this.#windowBytes = windowBytesMin;
  }

  #set(bytes: number): void {
    this.#windowBytes = Math.min(this.#windowBytesMax, Math.max(windowBytesMin, bytes));
  }
}
