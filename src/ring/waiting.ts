/**
 * How a consumer waits for a ring to be filled without spinning and without losing a wake-up. Lane worker only.
 *
 * ```
 *  consumer                                   producer
 *  S1  SLEEPING = 1                           P1  HEAD = new
 *  S2  waitAsync(HEAD, as last seen)          P2  SLEEPING == 1 and exchanged for 0?  then notify(HEAD)
 * ```
 * Atomics are totally ordered. If P2 comes before S1, then P1 does too, and S2 finds HEAD changed and does not sleep. If S1
 * comes before P2, the producer notifies: a consumer already listed in S2 wakes, one that is not yet listed finds HEAD changed.
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
   * Resolves when the producer wakes this consumer; `undefined` when HEAD is no longer `headSeen` and there is nothing to wait
   * for. One sleep at a time. It does not keep the worker's event loop alive.
   */
  sleep(headSeen: number): Promise<unknown> | undefined {
    // S1: pairs with the producer's Atomics.load and compareExchange in wake().
    Atomics.store(this.#words, this.#sleepingWord, 1);
    // S2: compares and enlists in one step.
    const waiting = Atomics.waitAsync(this.#words, this.#headWord, headSeen);
    if (waiting.async) return waiting.value;
    Atomics.store(this.#words, this.#sleepingWord, 0);
    return undefined;
  }
}
