/** Random numbers from a seed: the same seed gives the same numbers. Pure; used by the faults that strike at random. */
export class RandomSequence {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** The next number of [0, 1): an additive counter whose bits are mixed twice by multiplication (splitmix with 32 bits). */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
  }

  /** A whole number of 0 .. `count` - 1. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }
}
