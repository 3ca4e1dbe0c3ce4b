/**
 * Which shard a hash key falls on: the open shards of a stream as sorted ranges, looked up by binary search. Pure; built by
 * deliver/shard-map.ts from ListShards, used by the aggregator. Immutable: a reshard makes a new one with a new version.
 */
import { assert } from '../base/assert.ts';
import { compareHashKeys, hashKeyWords, parseHashKey } from './hash-key.ts';

/** One open shard, as ListShards tells it: hash keys in decimal, both ends included. */
export interface ShardRange {
  readonly shardId: string;
  readonly startingHashKey: string;
  readonly endingHashKey: string;
}

export class ShardRanges {
  /** Distinguishes maps within this lane; never 0. */
  readonly version: number;
  /** By index: what {@link find} answers refers to these. */
  readonly shardIds: readonly string[];
  readonly #starts: Uint32Array;

  private constructor(version: number, shardIds: readonly string[], starts: Uint32Array) {
    this.version = version;
    this.shardIds = shardIds;
    this.#starts = starts;
  }

  /**
   * Undefined when the ranges do not cover 0 .. 2^128 - 1 without gap or overlap: in the midst of a reshard ListShards may say
   * so, and a map with holes would place events on shards that do not take them.
   */
  static of(version: number, ranges: readonly ShardRange[]): ShardRanges | undefined {
    assert(version !== 0, 'version 0 is reserved for keys without a shard');
    const parsed = ranges.map((range) => ({
      shardId: range.shardId,
      start: parseHashKey(range.startingHashKey),
      startValue: BigInt(range.startingHashKey),
      endValue: BigInt(range.endingHashKey),
    }));
    parsed.sort((a, b) => (a.startValue < b.startValue ? -1 : a.startValue > b.startValue ? 1 : 0));
    let expected = 0n;
    for (const range of parsed) {
      if (range.startValue !== expected || range.start === undefined) return undefined;
      expected = range.endValue + 1n;
    }
    if (expected !== 1n << 128n) return undefined;
    const starts = new Uint32Array(parsed.length * hashKeyWords);
    parsed.forEach((range, i) => {
      starts.set(range.start as Uint32Array, i * hashKeyWords);
    });
    return new ShardRanges(
      version,
      parsed.map((range) => range.shardId),
      starts,
    );
  }

  /** `count` equal ranges that stand for no shards: order is kept within each, where shards do not matter. */
  static evenly(version: number, count: number): ShardRanges {
    assert((count & (count - 1)) === 0 && count <= 65_536, 'the number of ranges is a power of two');
    const starts = new Uint32Array(count * hashKeyWords);
    for (let i = 0; i < count; i++) starts[i * hashKeyWords] = (i * 2 ** 32) / count;
    return new ShardRanges(
      version,
      Array.from({ length: count }, (_, i) => `range ${i}`),
      starts,
    );
  }

  /** Whether both hold the same shards with the same ranges. */
  equals(other: ShardRanges): boolean {
    return (
      this.shardIds.length === other.shardIds.length &&
      this.shardIds.every((id, i) => id === other.shardIds[i]) &&
      this.#starts.every((word, i) => word === other.#starts[i])
    );
  }

  /** Index of the shard that takes the hash key at `words[index]`. */
  find(words: Uint32Array, index: number): number {
    let low = 0;
    let high = this.shardIds.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (compareHashKeys(this.#starts, middle * hashKeyWords, words, index) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
