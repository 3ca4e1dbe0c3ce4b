/**
 * The watched events of one ring, in the order in which they entered it: whose they are, and what the DLQ took of them. Main
 * thread; owned by Deliveries. Which of them are done, the ring's TAIL says.
 *
 * ```
 *   ring     ... given back │TAIL ▒ ▒ watched ▒ unwatched ▒ watched ▒ HEAD
 *   queue                     oldest ─────────────────────▶ newest            a circle of (position behind, sender, number, fate)
 * ```
 */
import { assert } from '../base/assert.ts';
import { ringWatchedMax } from '../base/limits.ts';
import { Fate, type Watch } from './watch.ts';

const initialEvents = 1_024;

export class RingWatch {
  #oldest = 0;
  #count = 0;
  #positions = new Int32Array(initialEvents);
  #numbers = new Int32Array(initialEvents);
  #fates = new Uint8Array(initialEvents);
  #watches: (Watch | undefined)[] = Array.from({ length: initialEvents });

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count >= ringWatchedMax;
  }

  /** The newest entry of the ring, which ends before `position`, is event `number` of `watch`. */
  add(position: number, watch: Watch, number: number): void {
    assert(!this.full, 'no more of a ring is watched than may be');
    if (this.#count === this.#positions.length) this.#grow();
    const slot = (this.#oldest + this.#count) & (this.#positions.length - 1);
    this.#positions[slot] = position;
    this.#numbers[slot] = number | 0;
    this.#fates[slot] = Fate.delivered;
    this.#watches[slot] = watch;
    this.#count++;
  }

  /** The DLQ has the entry that ends before `position`, if that is watched. */
  settled(position: number, fate: Fate): void {
    const slot = this.#find(position);
    if (slot !== undefined) this.#fates[slot] = fate;
  }

  /** The watch and the number of the event that ends before `position`; undefined: it is not watched, or done. */
  at(position: number): { readonly watch: Watch; readonly number: number } | undefined {
    const slot = this.#find(position);
    if (slot === undefined) return undefined;
    return { watch: this.#watches[slot] as Watch, number: this.#numbers[slot] as number };
  }

  /** Everything before `tail` is done: settles it with its senders, and tells each through `touched`. */
  passed(tail: number, touched: (watch: Watch) => void): void {
    const mask = this.#positions.length - 1;
    while (this.#count > 0) {
      const slot = this.#oldest;
      if (((tail - (this.#positions[slot] as number)) | 0) < 0) return;
      const watch = this.#watches[slot] as Watch;
      this.#watches[slot] = undefined;
      this.#oldest = (slot + 1) & mask;
      this.#count--;
      if (watch.closed) continue;
      watch.settle(this.#numbers[slot] as number, this.#fates[slot] as Fate);
      if (!watch.touched) touched(watch);
    }
  }

  /** Positions grow along the queue, and span less than half of their range. */
  #find(position: number): number | undefined {
    const mask = this.#positions.length - 1;
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const behind = (this.#positions[(this.#oldest + middle) & mask] as number) - position;
      if ((behind | 0) < 0) low = middle + 1;
      else high = middle;
    }
    const slot = (this.#oldest + low) & mask;
    return low < this.#count && this.#positions[slot] === position ? slot : undefined;
  }

  #grow(): void {
    const size = 2 * this.#positions.length;
    const positions = new Int32Array(size);
    const numbers = new Int32Array(size);
    const fates = new Uint8Array(size);
    const watches: (Watch | undefined)[] = Array.from({ length: size });
    for (let i = 0; i < this.#count; i++) {
      const slot = (this.#oldest + i) & (this.#positions.length - 1);
      positions[i] = this.#positions[slot] as number;
      numbers[i] = this.#numbers[slot] as number;
      fates[i] = this.#fates[slot] as number;
      watches[i] = this.#watches[slot];
    }
    this.#positions = positions;
    this.#numbers = numbers;
    this.#fates = fates;
    this.#watches = watches;
    this.#oldest = 0;
  }
}
