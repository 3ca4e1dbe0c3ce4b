/**
 * How a consumer waits for a ring to be filled without spinning and without losing a wake-up. Lane worker only.
 *
 * ```
 *  consumer                                    producer
 *  S1  waitAsync(HEAD, as last seen)           P1  HEAD = new
 *  S2  SLEEPING = 1                            P2  SLEEPING == 1 and exchanged for 0?  then notify(HEAD)
 *  S3  HEAD not as last seen, and SLEEPING
 *      exchanged for 0?  then notify(HEAD)
 * ```
 * Atomics are totally ordered. Whoever exchanges SLEEPING for 0 notifies, and since S1 comes before S2, the consumer is listed
 * by then. A publish that the consumer has not seen is one of three: P1 before S1, and S1 does not enlist; P1 before S3, and S3
 * wakes, unless a P2 has done so; P1 after S3, and its P2 wakes, unless an earlier P2 has done so.
 *
 * Announcing before enlisting looks as good and is not: the P2 of a publish that the consumer *has* seen may take the flag
 * between the two, and the next publish finds nobody announced while the consumer goes to sleep.
 */
import type { Arena } from './arena.ts';
import { control, type RingPlace } from './layout.ts';

export class RingWaiter {
  readonly #words: Int32Array;
  readonly #headWord: number;
  readonly #sleepingWord: number;

  constructor(arena: Arena, place: RingPlace) {
    this.#words = arena.words;
    this.#headWord = (place.controlOffset + control.head) >>> 2;
    this.#sleepingWord = (place.controlOffset + control.sleeping) >>> 2;
  }

  /**
   * Resolves when there may be something to read, and now and then when there is not; `undefined` when HEAD is no longer
   * `headSeen` and there is nothing to wait for. One sleep at a time. It does not keep the worker's event loop alive.
   */
  sleep(headSeen: number): Promise<unknown> | undefined {
    // S1: compares and enlists in one step.
    const waiting = Atomics.waitAsync(this.#words, this.#headWord, headSeen);
    if (!waiting.async) return undefined;
    // S2: pairs with the producer's Atomics.load and compareExchange in wake().
    Atomics.store(this.#words, this.#sleepingWord, 1);
    // S3: pairs with the producer's Atomics.store of HEAD.
    if (Atomics.load(this.#words, this.#headWord) !== headSeen) {
      if (Atomics.compareExchange(this.#words, this.#sleepingWord, 1, 0) === 1) {
        Atomics.notify(this.#words, this.#headWord);
      }
    }
    return waiting.value;
  }
}
