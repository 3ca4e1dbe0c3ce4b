/**
 * What a run of the delivery's model is made of, drawn from a seed: options, traffic, faults, and what happens to the stream and
 * when. Test processes only; pure.
 */
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { type ModelFaults, noFaults } from './model-request.ts';

export const changes = [
  'split',
  'merge',
  'auto',
  'by_key',
  'faults',
  'calm',
  'outage',
  'delete',
  'create',
  'park',
] as const;
export type Change = (typeof changes)[number];

export interface WorldEvent {
  readonly number: number;
  readonly key: string;
  readonly hashKey: bigint | undefined;
  readonly dataBytes: number;
  readonly enterMs: number;
  /** It comes from the DLQ. */
  readonly isReplayed?: boolean;
}

export interface World {
  readonly seed: number;
  readonly ordering: 'none' | 'key';
  readonly aggregation: boolean;
  readonly aggregateBytes: number;
  readonly recordBytesMax: number;
  readonly batchBytes: number;
  readonly batchRecords: number;
  readonly batches: number;
  readonly ringBytes: number;
  readonly lingerMs: number;
  /** Taken over from a configuration that is read again before the first event. */
  readonly retunedLingerMs?: number;
  readonly deadlineMs: number;
  readonly failures: number;
  readonly halfOpenAfterMs: number;
  readonly shards: number;
  readonly events: readonly WorldEvent[];
  readonly poison: readonly number[];
  /** The DLQ has no room for so many of the entries that are set aside: they are tried on. */
  readonly dlqFull: number;
  readonly faults: Readonly<ModelFaults>;
  readonly changes: readonly { readonly atMs: number; readonly change: Change }[];
  /** When everything is well again. */
  readonly healMs: number;
}

/** A world in which nothing goes wrong but what is given: some bursts of events, a ring and batches with room. */
export function quietWorld(changed: Partial<World>): World {
  const events = Array.from({ length: 120 }, (_, number) => {
    const enterMs = 100 + 100 * Math.floor(number / 20);
    return { number, key: `key ${number % 12}`, hashKey: undefined, dataBytes: 60, enterMs };
  });
  const quiet: World = {
    seed: 1,
    ordering: 'none',
    aggregation: true,
    aggregateBytes: 1_000,
    recordBytesMax: 4_096,
    batchBytes: 16_384,
    batchRecords: 20,
    batches: 3,
    ringBytes: 65_536,
    lingerMs: 20,
    deadlineMs: 30_000,
    failures: 3,
    halfOpenAfterMs: 500,
    shards: 4,
    events,
    poison: [],
    dlqFull: 0,
    faults: noFaults,
    changes: [],
    healMs: 10_000,
  };
  return { ...quiet, ...changed };
}

export function worldOf(seed: number): World {
  const dice = new RandomSequence(seed);
  const chance = (share: number): boolean => dice.next() < share;
  const between = (least: number, most: number): number => least + dice.below(most - least + 1);
  const ordering = chance(0.5) ? 'key' : 'none';
  const recordBytesMax = 4_096;
  const batchRecords = between(1, 24);
  const trafficMs = between(100, 8_000);
  const healMs = between(1_000, 20_000);
  return {
    seed,
    ordering,
    aggregation: chance(0.7),
    aggregateBytes: between(300, recordBytesMax - 96),
    recordBytesMax,
    batchBytes: between(2, 10) * recordBytesMax,
    batchRecords,
    batches: between(2, 5),
    ringBytes: 2 ** between(14, 16),
    lingerMs: chance(0.2) ? 0 : between(1, 100),
    deadlineMs: between(2_000, 30_000),
    failures: between(1, 5),
    halfOpenAfterMs: between(100, 2_000),
    shards: between(1, 6),
    events: eventsOf(dice, between(20, 500), trafficMs),
    poison: chance(0.15) ? Array.from({ length: between(1, 3) }, () => dice.below(20)) : [],
    dlqFull: chance(0.3) ? dice.next() * 0.5 : 0,
    faults: faultsOf(dice),
    changes: changesOf(dice, ordering, healMs),
    healMs,
  };
}

function eventsOf(dice: RandomSequence, count: number, trafficMs: number): WorldEvent[] {
  const keys = 1 + dice.below(40);
  const dataBytesMost = 12 + dice.below(dice.next() < 0.1 ? 3_000 : 300);
  const explicit = dice.next() < 0.3 ? 0.3 : 0;
  const bursts = Array.from({ length: 1 + dice.below(12) }, () => dice.next() * trafficMs).toSorted((a, b) => a - b);
  const hashKeys = Array.from({ length: keys }, () => (BigInt(Math.floor(dice.next() * 2 ** 32)) << 96n) | 7n);
  return Array.from({ length: count }, (_, number) => {
    const key = dice.below(keys);
    const isExplicit = key < explicit * keys;
    return {
      number,
      key: `key ${key}`,
      hashKey: isExplicit ? hashKeys[key] : undefined,
      dataBytes: 12 + dice.below(dataBytesMost),
      enterMs: bursts[Math.floor((number * bursts.length) / count)] as number,
    };
  });
}

function faultsOf(dice: RandomSequence): ModelFaults {
  const some = (most: number): number => (dice.next() < 0.4 ? dice.next() * most : 0);
  return {
    ...noFaults,
    recordThrottled: some(0.3),
    recordFailed: some(0.3),
    requestFailed: some(0.5),
    answerLost: some(0.3),
    answerLate: some(0.2),
    surveyFailed: some(0.8),
    describeDenied: dice.next() < 0.1,
  };
}

function changesOf(dice: RandomSequence, ordering: 'none' | 'key', healMs: number): World['changes'] {
  const possible = changes.filter((change) => change !== 'park' || ordering === 'key');
  const chosen = possible.filter(() => dice.next() < 0.4);
  if (chosen.length === 0) return [];
  return Array.from({ length: dice.below(14) }, () => ({
    atMs: dice.next() * healMs,
    change: chosen[dice.below(chosen.length)] as Change,
  })).toSorted((a, b) => a.atMs - b.atMs);
}
