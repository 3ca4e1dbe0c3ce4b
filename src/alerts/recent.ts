/**
 * How much counters have grown in the last so many seconds. Main thread; pure; made of one row of numbers every step.
 */
export class Recent {
  readonly #stepMs: number;
  readonly #width: number;
  /** Rows by turns; the one at `#oldest` was taken first. */
  readonly #rows: Float64Array[] = [];
  readonly #rowsMax: number;
  #oldest = 0;
  #takenMs = Number.NEGATIVE_INFINITY;

  /** `width`: counters; a span of `windowMs` is seen, and up to a step of `stepMs` more. */
  constructor(width: number, windowMs: number, stepMs: number) {
    this.#width = width;
    this.#stepMs = stepMs;
    // The oldest row is at least a window old when it goes.
    this.#rowsMax = Math.ceil(windowMs / stepMs) + 1;
  }

  /** `totals` as they are now; taken once in a step. The first row is what all is counted from. */
  sample(totals: Float64Array, nowMs: number): void {
    if (nowMs - this.#takenMs < this.#stepMs) return;
    this.#takenMs = nowMs;
    if (this.#rows.length < this.#rowsMax) {
      this.#rows.push(totals.slice(0, this.#width));
      return;
    }
    (this.#rows[this.#oldest] as Float64Array).set(totals);
    this.#oldest = (this.#oldest + 1) % this.#rowsMax;
  }

  /** By how much the counter at `index`, now at `total`, has grown in the window. */
  growth(index: number, total: number): number {
    return total - (this.#rows[this.#oldest]?.[index] ?? total);
  }
}
