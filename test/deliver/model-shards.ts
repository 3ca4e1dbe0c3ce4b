/** The shards of the model of Kinesis: ranges of hash keys that split and merge. Test processes only. */
import { hashKeyMax } from '../../src/simulator/hash-key.ts';
import type { RandomSequence } from '../../src/simulator/random-sequence.ts';

export interface ModelShard {
  readonly id: string;
  readonly start: bigint;
  readonly end: bigint;
  isOpen: boolean;
}

export class ModelShards {
  readonly #dice: RandomSequence;
  #shards: ModelShard[] = [];
  #next = 0;

  constructor(dice: RandomSequence) {
    this.#dice = dice;
  }

  get openCount(): number {
    return this.list(false).length;
  }

  /** Those of a new stream, of equal width; their ids begin anew. */
  create(count: number): void {
    this.#next = 0;
    const width = (hashKeyMax + 1n) / BigInt(count);
    this.#shards = [];
    for (let i = 0; i < count; i++) {
      this.#open(BigInt(i) * width, i === count - 1 ? hashKeyMax : BigInt(i + 1) * width - 1n);
    }
  }

  split(): void {
    const shard = this.any();
    if (shard.end - shard.start < 1_000n) return;
    const middle = shard.start + ((shard.end - shard.start) * BigInt(1 + this.#dice.below(98))) / 100n;
    shard.isOpen = false;
    this.#open(shard.start, middle);
    this.#open(middle + 1n, shard.end);
  }

  merge(): void {
    const left = this.any();
    const right = this.#shards.find(({ isOpen, start }) => isOpen && start === left.end + 1n);
    if (right === undefined) return;
    left.isOpen = false;
    right.isOpen = false;
    this.#open(left.start, right.end);
  }

  /** The open ones; with `closed`, all. */
  list(closed: boolean): ModelShard[] {
    return this.#shards.filter(({ isOpen }) => closed || isOpen);
  }

  of(hashKey: bigint): ModelShard {
    return this.#shards.find(({ isOpen, start, end }) => isOpen && start <= hashKey && hashKey <= end) as ModelShard;
  }

  /** An open shard, other than that of `not` where there is another. */
  any(not = -1n): ModelShard {
    const open = this.list(false);
    const others = open.filter(({ start, end }) => not < start || end < not);
    const from = others.length > 0 ? others : open;
    return from[this.#dice.below(from.length)] as ModelShard;
  }

  #open(start: bigint, end: bigint): void {
    this.#shards.push({ id: `shardId-${`${this.#next++}`.padStart(12, '0')}`, start, end, isOpen: true });
  }
}
