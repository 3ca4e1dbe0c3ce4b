/**
 * Which entries of the journal are still in one ring: what was journalled and put there by each commit. Main thread; one per ring.
 *
 * ```
 *   ring      given back │TAIL  ▒ commit 7 ▒ commit 8 ▒ (this turn's) HEAD
 *   queue                   (position behind 7, its first sequence) (8 ...)      everything before 7's first sequence is done
 * ```
 * A commit is one pair of numbers, however many events it has; where too many wait, the last pair covers several.
 */

/** A ring's writing end, as far as it matters here. */
export interface JournalledRing {
  position(): number;
  /** Everything before this position was given back. */
  passed(position: number): boolean;
}

const initialPairs = 64;
/** Pairs of one ring: 12 bytes each. */
const pairsMax = 65_536;

export class JournalRing {
  readonly #ring: JournalledRing;
  #positions = new Int32Array(initialPairs);
  #firsts = new Float64Array(initialPairs);
  #oldest = 0;
  #count = 0;
  /** Sequence of the first event of this turn; 0: there is none. */
  #first = 0;

  constructor(ring: JournalledRing) {
    this.#ring = ring;
  }

  /** An event has entered the ring, and the journal under this sequence. True for the first of a commit. */
  entered(sequence: number): boolean {
    if (this.#first !== 0) return false;
    this.#first = sequence;
    return true;
  }

  /** What entered since the last commit is in the ring. */
  commit(): void {
    if (this.#first === 0) return;
    const { length } = this.#positions;
    if (this.#count === length && length < pairsMax) this.#grow();
    const isFull = this.#count === this.#positions.length;
    if (!isFull) this.#count++;
    const slot = (this.#oldest + this.#count - 1) & (this.#positions.length - 1);
    this.#positions[slot] = this.#ring.position();
    if (!isFull) this.#firsts[slot] = this.#first;
    this.#first = 0;
  }

  /** All of this ring is done up to the sequence returned; `last` when nothing is left in it. */
  doneTo(last: number): number {
    const mask = this.#positions.length - 1;
    while (this.#count > 0 && this.#ring.passed(this.#positions[this.#oldest]!)) {
      this.#oldest = (this.#oldest + 1) & mask;
      this.#count--;
    }
    if (this.#count > 0) return this.#firsts[this.#oldest]! - 1;
    return this.#first > 0 ? this.#first - 1 : last;
  }

  #grow(): void {
    const before = this.#positions.length;
    const positions = new Int32Array(2 * before);
    const firsts = new Float64Array(2 * before);
    for (let i = 0; i < this.#count; i++) {
      const slot = (this.#oldest + i) & (before - 1);
      positions[i] = this.#positions[slot]!;
      firsts[i] = this.#firsts[slot]!;
    }
    this.#positions = positions;
    this.#firsts = firsts;
    this.#oldest = 0;
  }
}
