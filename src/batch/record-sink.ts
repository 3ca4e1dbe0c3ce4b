/**
 * What the aggregator needs of its caller: somebody who takes records, and somebody who says which shards may be sent one now. Lane
 * worker; types, and the one value that an addition answers.
 */
import type { Aggregate } from './aggregate.ts';

/** Takes completed records. The aggregator's caller keeps room for those that it has pending, and for one more. */
export interface RecordSink {
  /** A complete aggregate; its events are `aggregate.offsets[0 .. count)`. */
  aggregated(aggregate: Aggregate): void;
  /**
   * One event as a record of its own: the ring entry at `offset`. The hash key is where it goes; `shard` the same as an index, -1
   * where no map is known.
   */
  single(offset: number, hashKeys: Uint32Array, hashKeyIndex: number, shard: number): void;
}

/** Says which shards may be sent a record now. */
export interface Gate {
  /** By shard: events that wait for it. Later ones must not pass them. */
  readonly waiting: Uint32Array;
  /** Asked before a record is begun. */
  mayOpen(shard: number): boolean;
  /** A record was begun. Returns how many bytes it should have at most; Infinity: as many as it can. */
  opened(shard: number): number;
}

/** What {@link Aggregator.add} answers for an event that need not wait. */
export const taken = -1;
