/**
 * Stretches of a file in ascending order, as positions: what is to be left out when a segment is written anew. Main thread; pure.
 * Neighbours become one, so that a segment of which all goes costs one range however many entries it has.
 */
import { assert } from '../base/assert.ts';

type Range = readonly [from: number, to: number];

export class Ranges {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  get isEmpty(): boolean {
    return this.#starts.length === 0;
  }

  /** Adds `from` up to `to`, which lies behind all that was added before. */
  add(from: number, to: number): void {
    const last = this.#ends.length - 1;
    const end = this.#ends[last] ?? 0;
    assert(from >= end && to > from, 'ranges ascend');
    if (last >= 0 && end === from) this.#ends[last] = to;
    else {
      this.#starts.push(from);
      this.#ends.push(to);
    }
  }

  /** Whether one of them has the byte at `position`. */
  has(position: number): boolean {
    let low = 0;
    for (let high = this.#starts.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] as number) <= position) low = middle + 1;
      else high = middle;
    }
    return (this.#starts[low] ?? Number.POSITIVE_INFINITY) <= position;
  }

  /** These and others, none of which overlaps one of these. */
  with(others: Ranges): Ranges {
    const all = new Ranges();
    for (const [from, to] of [...this.#pairs(), ...others.#pairs()].sort((a, b) => a[0] - b[0])) all.add(from, to);
    return all;
  }

  /** What of [0, `length`) lies in none. */
  *gaps(length: number): Generator<Range> {
    let from = 0;
    for (const [start, end] of this.#pairs()) {
      if (start > from) yield [from, Math.min(start, length)];
      from = end;
    }
    if (from < length) yield [from, length];
  }

  *#pairs(): Generator<Range> {
    for (const [index, start] of this.#starts.entries()) yield [start, this.#ends[index] as number];
  }
}
