/**
 * The counts of merged histograms, by index of spillway's one layout. For the `hist` command and for EMF lines; pure.
 *
 * Adding up is all that merging needs, and an array does it: 0.04 ms for a histogram of 10,000 different values, where
 * recording each into the library's histogram takes 1.3 ms (`bench/latency-record`). Percentiles and mean are defined as in HdrHistogram, and tested against it.
 *
 * ```
 *   index    0 .. 2047   the value itself, in microseconds
 *   index 2048 .. 3071   bucket 1: 1,024 values of width 2, from 2048
 *   index 3072 .. 4095   bucket 2: 1,024 values of width 4, from 4096     ... up to bucket 21, which holds one hour
 * ```
 */
import { assert } from '../base/assert.ts';

/** Indexes of the layout: 22 buckets of 1,024, and the lower half of the first. */
export const indexCount = 23 * 1_024;

/** The smallest value, in microseconds, that is counted at `index`. */
export function lowestAt(index: number): number {
  return index < 2_048 ? index : (1_024 + (index & 1_023)) * widthAt(index);
}

/** How many values, in whole microseconds, are counted at `index`: a power of two. */
export function widthAt(index: number): number {
  return index < 2_048 ? 1 : 2 ** ((index >> 10) - 1);
}

export class HdrCounts {
  /** Sum of all counts. */
  total = 0;
  /** Grows with the largest index: 16 KB up to 2 ms, 90 KB at 1 s, 190 KB at one hour. */
  #counts = new Float64Array(2_048);

  add(index: number, count: number): void {
    assert(index >= 0 && index < indexCount, 'the index is one of the layout');
    if (index >= this.#counts.length) this.#grow(index + 1);
    this.#counts[index] = (this.#counts[index] as number) + count;
    this.total += count;
  }

  /** Adds `counts[i]` at `indexes[i]` for the first `length` of them. The indexes are of the layout, and ascend. */
  addAll(indexes: Uint16Array, counts: Float64Array, length: number): void {
    if (length === 0) return;
    const last = indexes[length - 1] as number;
    assert(last < indexCount, 'the indexes are of the layout');
    if (last >= this.#counts.length) this.#grow(last + 1);
    const sums = this.#counts;
    let total = 0;
    for (let entry = 0; entry < length; entry++) {
      const index = indexes[entry] as number;
      const count = counts[entry] as number;
      sums[index] = (sums[index] as number) + count;
      total += count;
    }
    this.total += total;
  }

  merge(other: HdrCounts): void {
    for (const [index, count] of other.#counts.entries()) {
      if (count > 0) this.add(index, count);
    }
  }

  /** The largest value, in microseconds, that counts as the one at or below which `percentile` (0..100) percent lie; 0 when empty. */
  valueAtPercentile(percentile: number): number {
    const share = Math.min(percentile, 100) / 100;
    // A tiny part less, or the rounding of 0.999 * 1000 would ask for the 1,000th value.
    const wanted = Math.max(1, Math.ceil(share * this.total * (1 - Number.EPSILON)));
    let passed = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      passed += this.#counts[index] as number;
      if (passed >= wanted) return lowestAt(index) + widthAt(index) - 1;
    }
    return 0;
  }

  /**
   * At most `most` values, ascending, in microseconds, that stand for all: those at the ranks 1/most, 2/most ... of the whole; each
   * value itself where there are not more. The last is the largest.
   */
  spread(most: number): number[] {
    const wanted = Math.min(most, this.total);
    const values: number[] = [];
    let passed = 0;
    for (let index = 0; index < this.#counts.length && values.length < wanted; index++) {
      passed += this.#counts[index] as number;
      while (values.length < wanted && passed * wanted >= this.total * (values.length + 1)) {
        values.push(lowestAt(index) + widthAt(index) - 1);
      }
    }
    return values;
  }

  /** Mean in microseconds, each value taken as the middle of those it is counted with; 0 when empty. */
  mean(): number {
    let sum = 0;
    for (const [index, count] of this.#counts.entries()) {
      if (count > 0) sum += (lowestAt(index) + Math.floor(widthAt(index) / 2)) * count;
    }
    return this.total === 0 ? 0 : sum / this.total;
  }

  #grow(length: number): void {
    const grown = new Float64Array(Math.ceil(length / 1_024) * 1_024);
    grown.set(this.#counts);
    this.#counts = grown;
  }
}
