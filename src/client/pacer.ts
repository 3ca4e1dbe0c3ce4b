/**
 * Holds a sender to a number of events per second. Runs in the sender's process; used by `spillway send --rate`. Waits once per
 * burst of some milliseconds, not per event.
 */

/** Shortest wait, and so the length of a burst: timers are not finer. */
const burstMs = 10;

export class Pacer {
  readonly #eventsPerMs: number;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  #events = 0;

  /** `nowMs`: any clock that does not go back. */
  constructor(eventsPerSecond: number, nowMs: () => number) {
    this.#eventsPerMs = eventsPerSecond / 1_000;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
  }

  /** Counts one event; returns how long to wait before the next, 0 nearly always. */
  next(): number {
    this.#events += 1;
    const aheadMs = this.#startMs + this.#events / this.#eventsPerMs - this.#nowMs();
    return aheadMs >= burstMs ? aheadMs : 0;
  }
}
