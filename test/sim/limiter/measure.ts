/**
 * What a run of the limiter's simulation is judged by: how much of the shards was used, how much was refused, how fairly it was
 * shared. For the scenarios alone.
 */
import type { Sender } from './sender.ts';
import { shardLimits } from './service.ts';

export interface Figures {
  /** Of what the shards could take; of each the budget that is nearer to its limit. */
  readonly used: number;
  /** Of the records that arrived. */
  readonly refused: number;
  /** Jain's index of what the daemons got: of the worst shard, the mean of the shards, and of all shards together. */
  readonly fairLeast: number;
  readonly fairMean: number;
  readonly fairAll: number;
}

/** Of `shards` alone, since the counts were cleared `seconds` ago. */
export function measure(senders: readonly Sender[], shards: readonly number[], seconds: number): Figures {
  let used = 0;
  let taken = 0;
  let refused = 0;
  const fair: number[] = [];
  const sums = senders.map(() => 0);
  for (const shard of shards) {
    const bytes = senders.map(({ takenBytes }) => takenBytes[shard] as number);
    const records = sum(senders.map(({ takenRecords }) => takenRecords[shard] as number));
    used += Math.max(sum(bytes) / shardLimits.bytesPerSecond, records / shardLimits.recordsPerSecond) / seconds;
    taken += records;
    refused += sum(senders.map((sender) => sender.refused[shard] as number));
    fair.push(jain(bytes));
    for (const [i, got] of bytes.entries()) sums[i] = (sums[i] as number) + got;
  }
  return {
    used: used / shards.length,
    refused: refused / (taken + refused),
    fairLeast: Math.min(...fair),
    fairMean: sum(fair) / fair.length,
    fairAll: jain(sums),
  };
}

/** Jain's fairness index: 1 when all are equal, 1 / n when one has all. */
export function jain(values: readonly number[]): number {
  return sum(values) ** 2 / (values.length * sum(values.map((value) => value ** 2)));
}

export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
