/**
 * How fast a lane empties a ring, seen by the ring's old end. Pure; main thread; kept by a saturation breaker: a ring that is never
 * empty shows what its lane can do, any other only what it had to.
 *
 * The mean of the last {@link spansMax} spans: a lane gives back a request at a time, so one span may have none or several.
 */

/** Length of a span; with {@link spansMax} of them the mean is over a second. */
const spanMs = 125;
const spansMax = 8;
/** So many spans are needed before the mean says anything. */
const spansLeast = 4;

export class DrainRate {
  /** 0: not known yet. */
  bytesPerMs = 0;
  readonly #bytes = new Float64Array(spansMax);
  readonly #lengthsMs = new Float64Array(spansMax);
  #spans = 0;
  #tail = 0;
  #sinceMs = Number.NaN;

  /** From the next look on, as if nothing had been seen. */
  restart(): void {
    this.bytesPerMs = 0;
    this.#spans = 0;
    this.#sinceMs = Number.NaN;
  }

  /** The ring's oldest byte is at `tail`, a position wrapped to 32 bits. */
  saw(tail: number, nowMs: number): void {
    if (Number.isNaN(this.#sinceMs)) {
      this.#tail = tail;
      this.#sinceMs = nowMs;
      return;
    }
    const lengthMs = nowMs - this.#sinceMs;
    if (lengthMs < spanMs) return;
    const slot = this.#spans++ % spansMax;
    this.#bytes[slot] = (tail - this.#tail) | 0;
    this.#lengthsMs[slot] = lengthMs;
    this.#tail = tail;
    this.#sinceMs = nowMs;
    if (this.#spans >= spansLeast) this.bytesPerMs = this.#mean();
  }

  #mean(): number {
    const spans = Math.min(this.#spans, spansMax);
    let bytes = 0;
    let lengthMs = 0;
    for (let i = 0; i < spans; i++) {
      bytes += this.#bytes[i] as number;
      lengthMs += this.#lengthsMs[i] as number;
    }
    return bytes / lengthMs;
  }
}
