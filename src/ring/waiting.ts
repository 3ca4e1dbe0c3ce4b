/**
 * How a consumer waits for its rings to be filled without spinning and without losing a wake-up. Lane worker only.
 *
 * ```
 *  consumer                                    producer
 *  S1  waitAsync(HEAD, as last seen)           P1  HEAD = new
 *  S2  SLEEPING = 1                            P2  SLEEPING == 1 and exchanged for 0?  then notify(HEAD)
 *  S3  HEAD not as last seen, and SLEEPING
 *      exchanged for 0?  then notify(HEAD)
 * ```
 * With several rings, all producers share the first one's SLEEPING and notify on its HEAD (`bellOffset`), and S3 looks at every
 * HEAD; S1's comparison saves a sleep at best, so what is said below holds for each ring alone.
 *
 * Atomics are totally ordered. Whoever exchanges SLEEPING for 0 notifies, and since S1 comes before S2, the consumer is listed
 * by then. A publish that the consumer has not seen is one of three: P1 before S1, and S1 does not enlist; P1 before S3, and S3
 * wakes, unless a P2 has done so; P1 after S3, and its P2 wakes, unless an earlier P2 has done so.
 *
 * Announcing before enlisting looks as good and is not: the P2 of a publish that the consumer *has* seen may take the flag
 * between the two, and the next publish finds nobody announced while the consumer goes to sleep.
 */
import { assert } from '../base/assert.ts';
import type { Arena } from './arena.ts';
import { control, type RingPlace } from './layout.ts';

export class RingWaiter {
  readonly #words: Int32Array;
  readonly #headWords: readonly number[];
  readonly #bellWord: number;
  readonly #sleepingWord: number;

  /** `places`: all rings of this thread; the first one's control block is the bell of all. */
  constructor(arena: Arena, places: readonly RingPlace[]) {
    const bellOffset = (places[0] as RingPlace).controlOffset;
    for (const place of places)
      assert((place.bellOffset ?? place.controlOffset) === bellOffset, 'one bell for all rings');
    this.#words = arena.words;
    this.#headWords = places.map(({ controlOffset }) => (controlOffset + control.head) >>> 2);
    this.#bellWord = (bellOffset + control.head) >>> 2;
    this.#sleepingWord = (bellOffset + control.sleeping) >>> 2;
  }

  /**
   * Resolves when there may be something to read, and now and then when there is not; `undefined` when the first HEAD is no
   * longer as in `headsSeen` (by ring) and there is nothing to wait for. One sleep at a time. It does not keep the worker's
   * event loop alive.
   */
  sleep(headsSeen: readonly number[]): Promise<unknown> | undefined {
    // S1: compares and enlists in one step.
    const waiting = Atomics.waitAsync(this.#words, this.#bellWord, headsSeen[0] as number);
    if (!waiting.async) return undefined;
    // S2: pairs with the producer's Atomics.load and compareExchange in wake().
    Atomics.store(this.#words, this.#sleepingWord, 1);
    // S3: pairs with the producers' Atomics.store of HEAD.
    for (let ring = 0; ring < this.#headWords.length; ring++) {
      if (Atomics.load(this.#words, this.#headWords[ring] as number) === headsSeen[ring]) continue;
      if (Atomics.compareExchange(this.#words, this.#sleepingWord, 1, 0) === 1) {
        Atomics.notify(this.#words, this.#bellWord);
      }
      break;
    }
    return waiting.value;
  }
}
