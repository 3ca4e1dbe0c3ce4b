/**
 * A queue of ring entries, by their offsets, that grows as it must and shrinks when it is empty. Lane worker. Bounded by the ring:
 * each entry stands in it at most once.
 */
import { createRequire } from 'node:module';
import type { FixedDeque as MnemonistFixedDeque } from 'mnemonist';

// The package's ESM entry loads all of its structures (80 ms); this loads one.
const FixedDeque = createRequire(import.meta.url)('mnemonist/fixed-deque') as typeof MnemonistFixedDeque;

const leastCapacity = 64;

export class WaitingEvents {
  #deque = new FixedDeque<number>(Uint32Array, leastCapacity);

  get count(): number {
    return this.#deque.size;
  }

  /** Offset of the entry that waits longest; undefined: none waits. */
  first(): number | undefined {
    return this.#deque.peekFirst();
  }

  push(offset: number): void {
    this.#reserve(1);
    this.#deque.push(offset);
  }

  /** Puts entries in front of all others, in their order. */
  pushFirst(offsets: Uint32Array): void {
    this.#reserve(offsets.length);
    for (let i = offsets.length - 1; i >= 0; i--) this.#deque.unshift(offsets[i] as number);
  }

  shift(): number | undefined {
    const offset = this.#deque.shift();
    if (this.#deque.size === 0 && this.#deque.capacity > leastCapacity) {
      this.#deque = new FixedDeque<number>(Uint32Array, leastCapacity);
    }
    return offset;
  }

  /** Empties the queue. */
  take(): Uint32Array {
    const all = Uint32Array.from(this.#deque);
    this.#deque = new FixedDeque<number>(Uint32Array, leastCapacity);
    return all;
  }

  #reserve(more: number): void {
    const needed = this.#deque.size + more;
    if (needed <= this.#deque.capacity) return;
    const larger = new FixedDeque<number>(Uint32Array, Math.max(2 * this.#deque.capacity, needed));
    for (const offset of this.#deque) larger.push(offset);
    this.#deque = larger;
  }
}
