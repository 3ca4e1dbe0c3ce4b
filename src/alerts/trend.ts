/**
 * How fast something grows or shrinks, from samples a few times a second. Main thread; pure; one for each backlog that is watched.
 *
 * What comes and goes in waves (rings, batches, whole segments) must not look like growth. So the low-water marks of the earlier and
 * the later half of the last ten seconds are compared: a wave leaves both alone, what grows or shrinks steadily moves them by
 * exactly its rate.
 *
 * ```
 *         earlier half  │  later half
 *        ╱╲    ╱╲    ╱╲ │  ╱╲    ╱╲          a wave: the marks are level: 0
 *     ──╱──╲──╱──╲──╱──╲│─╱──╲──╱──╲──
 * ```
 */

const bucketMs = 1_000;
/** Buckets in all: ten seconds. More would notice a change later, fewer take a long wave for growth. */
const buckets = 10;
/** Least time between the two marks that a rate is made of: what lies closer together is a turn, not a trend. */
const spanMsLeast = 2_000;

export class Trend {
  /** Low-water mark of each bucket, oldest first, and when it was; of the last `#count`. */
  readonly #marks = new Float64Array(buckets);
  readonly #times = new Float64Array(buckets);
  #count = 0;
  /** Number of the last bucket since the epoch. */
  #last = Number.NEGATIVE_INFINITY;

  sample(value: number, nowMs: number): void {
    const bucket = Math.floor(nowMs / bucketMs);
    // After a gap, as when the process stood still, what was before says nothing of the rate.
    if (bucket - this.#last > buckets / 2) this.#count = 0;
    if (this.#count > 0 && bucket === this.#last) {
      if (value <= (this.#marks[this.#count - 1] as number)) this.#put(this.#count - 1, value, nowMs);
      return;
    }
    if (this.#count === buckets) {
      this.#marks.copyWithin(0, 1);
      this.#times.copyWithin(0, 1);
      this.#count--;
    }
    this.#put(this.#count++, value, nowMs);
    this.#last = bucket;
  }

  /** Growth a second, negative while it shrinks; 0 as long as too little is known. */
  perSecond(): number {
    const half = this.#count >>> 1;
    if (half === 0) return 0;
    const early = this.#lowest(0, half);
    const late = this.#lowest(half, this.#count);
    const spanMs = (this.#times[late] as number) - (this.#times[early] as number);
    const growth = (this.#marks[late] as number) - (this.#marks[early] as number);
    return (1_000 * growth) / Math.max(spanMs, spanMsLeast);
  }

  /** The later of two that are equal. */
  #lowest(from: number, to: number): number {
    let lowest = from;
    for (let i = from + 1; i < to; i++) if ((this.#marks[i] as number) <= (this.#marks[lowest] as number)) lowest = i;
    return lowest;
  }

  #put(index: number, value: number, nowMs: number): void {
    this.#marks[index] = value;
    this.#times[index] = nowMs;
  }
}
