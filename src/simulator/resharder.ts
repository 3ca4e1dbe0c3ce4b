/**
 * The fault `reshardEveryMs`: splits and merges shards of every stream at random, on a timer. One per simulator, which tells it
 * of new faults. Its random numbers are its own, so that requests meet the same faults whenever the timer comes between them.
 */
import type { Account } from './account.ts';
import type { Dice } from './dice.ts';
import type { FaultPlan } from './faults.ts';
import { RandomSequence } from './random-sequence.ts';
import type { Shard } from './shard.ts';
import type { Stream } from './stream.ts';

/** Open shards of a stream stay between these, once they are. */
const openShardsMin = 2;
const openShardsMax = 12;

export class Resharder {
  readonly #account: Account;
  readonly #dice: Dice;
  #timer: NodeJS.Timeout | undefined;
  #random = new RandomSequence(0);

  constructor(account: Account, dice: Dice) {
    this.#account = account;
    this.#dice = dice;
  }

  /** Does as `plan` says from now on, and begins anew from its seed. */
  follow({ reshardEveryMs, seed }: FaultPlan): void {
    clearTimeout(this.#timer);
    this.#random = new RandomSequence(seed);
    if (reshardEveryMs > 0) this.#schedule(reshardEveryMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The next time comes between half and one and a half times `everyMs` from now. */
  #schedule(everyMs: number): void {
    this.#timer = setTimeout(
      () => {
        for (const stream of this.#account.list()) this.#reshard(stream);
        this.#schedule(everyMs);
      },
      everyMs * (0.5 + this.#random.next()),
    );
  }

  #reshard(stream: Stream): void {
    const { open } = stream;
    const mergeable = open.length > openShardsMin;
    const splits = !mergeable || (open.length < openShardsMax && this.#random.below(2) === 0);
    const index = this.#random.below(splits ? open.length : open.length - 1);
    const shard = open[index] as Shard;
    if (splits) {
      const secondStart = this.#pointWithin(shard);
      if (secondStart === undefined) return;
      stream.split(shard, secondStart, Date.now());
    } else {
      stream.merge(shard, open[index + 1] as Shard, Date.now());
    }
    this.#dice.count('reshardEveryMs');
  }

  /** Somewhere in a shard's middle half; undefined: there is no room. */
  #pointWithin({ startingHash, endingHash }: Shard): bigint | undefined {
    const share = BigInt(2 ** 30 + this.#random.below(2 ** 31));
    const point = startingHash + ((endingHash - startingHash) * share) / 2n ** 32n;
    return point > startingHash + 1n && point < endingHash ? point : undefined;
  }
}
