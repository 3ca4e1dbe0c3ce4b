/**
 * The memory through which spills are read back: a few windows of the arena, lent to the streams that read now. Main thread.
 *
 * Each window holds the largest entry. There are fewer of them than streams, so that memory stays what it is however many
 * streams there are: a stream that cannot go on should give its window back while others wait for one.
 */
import { assert } from '../base/assert.ts';
import type { WindowArea } from './options.ts';

/** One window; offsets are the arena's. */
export interface Window {
  readonly offset: number;
  readonly length: number;
}

export class WindowPool {
  readonly #free: Window[] = [];
  readonly #count: number;

  constructor({ offset, length, count }: WindowArea) {
    assert(count >= 1, 'there is a window');
    this.#count = count;
    for (let index = count - 1; index >= 0; index--) this.#free.push({ offset: offset + index * length, length });
  }

  /** None is left for somebody who comes now. */
  get isDry(): boolean {
    return this.#free.length === 0;
  }

  take(): Window | undefined {
    return this.#free.pop();
  }

  giveBack(window: Window): void {
    this.#free.push(window);
    assert(this.#free.length <= this.#count, 'no window is given back twice');
  }
}
