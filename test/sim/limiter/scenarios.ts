/**
 * The situations that the limiter is proved in: contention, a daemon alone, demand below capacity, comings and goings, a hot
 * shard. `npm test` runs them small, `npm run test:long -- limiter` large; the same size gives the same figures.
 */
import type { Random } from '../../../src/edges/random.ts';
import { seeded } from '../../stress/seeded.ts';
import { type Figures, measure, sum } from './measure.ts';
import type { Sender, SenderPlan } from './sender.ts';
import { shardLimits } from './service.ts';
import { Simulation } from './simulation.ts';

export interface Size {
  readonly seed: number;
  readonly daemons: number;
  readonly shards: number;
  readonly warmMs: number;
  readonly measuredMs: number;
  readonly recordBytesMean: number;
}

type Change = (daemon: number) => Partial<SenderPlan>;

function simulate(size: Size, change: Change): Simulation {
  const random = randomOf(size.seed);
  const shardIds = Array.from({ length: size.shards }, (_, shard) => `shardId-${shard}`);
  const plans = Array.from({ length: size.daemons }, (_, daemon) => ({
    shardIds,
    joinMs: 1 + 10_000 * random.share(),
    leaveMs: Number.POSITIVE_INFINITY,
    // With up to a quarter more: 5 to 80 ms.
    roundTripMs: 5 + 59 * random.share(),
    demand: () => Number.POSITIVE_INFINITY,
    recordBytesMean: size.recordBytesMean,
    ...change(daemon),
  }));
  return new Simulation(plans, size.shards, random);
}

function randomOf(seed: number): Random {
  const below = seeded(seed);
  return {
    share: () => below(2 ** 32) / 2 ** 32,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
  };
}

/** Measures after the warm-up, all shards. */
function settled(simulation: Simulation, size: Size): Figures {
  simulation.run(size.warmMs);
  for (const sender of simulation.senders) sender.clear();
  simulation.run(size.warmMs + size.measuredMs);
  return measure(simulation.senders, everyShard(size), size.measuredMs / 1_000);
}

const everyShard = ({ shards }: Size): number[] => Array.from({ length: shards }, (_, shard) => shard);

/** Records a second that a shard takes of such a size. */
function shardRecords({ recordBytesMean }: Size): number {
  return Math.min(shardLimits.recordsPerSecond, shardLimits.bytesPerSecond / recordBytesMean);
}

/** All daemons have more than the shards take; they start within ten seconds. */
export function contend(size: Size): Figures {
  return settled(
    simulate(size, () => ({})),
    size,
  );
}

/** One daemon with more than its shards take, from its first millisecond: no warm-up. */
export function alone(size: Size): Figures {
  return settled(
    simulate({ ...size, daemons: 1, warmMs: 0 }, () => ({ joinMs: 1 })),
    { ...size, warmMs: 0 },
  );
}

export interface Waited extends Figures {
  /** Most that waited at the end with any daemon for any shard, in seconds of its demand. */
  readonly waitedSeconds: number;
}

/** Demand of `part` of what the shards take, from the start; or after half of the warm-up, in which it had no end. */
export function demandBelow(size: Size, part: number, after: 'the start' | 'contention'): Waited {
  const demand = (part * shardRecords(size)) / size.daemons;
  const fromMs = after === 'the start' ? 0 : size.warmMs / 2;
  const simulation = simulate(size, () => ({
    demand: (_, nowMs) => (nowMs < fromMs ? Number.POSITIVE_INFINITY : demand),
  }));
  simulation.run(fromMs);
  for (const { waiting } of simulation.senders) waiting.fill(0);
  const figures = settled(simulation, size);
  const waited = simulation.senders.map(({ waiting }) => Math.max(...waiting) / demand);
  return { ...figures, waitedSeconds: Math.max(...waited) };
}

export interface Moved {
  /** Until the newcomers got, over five seconds and from then on, between three quarters and four thirds of what the others got. */
  readonly joinedMs: number;
  /** Of all records in the minute after they came. */
  readonly refusedOfJoin: number;
  /** Until, over five seconds, nine tenths of the shards were used again. */
  readonly leftMs: number;
}

/** Half of the daemons come at once after the warm-up; when they have their part, all but `stay` go at once. */
export function comeAndGo(size: Size, stay: number): Moved {
  const half = size.daemons / 2;
  const goMs = size.warmMs + size.measuredMs;
  const simulation = simulate(size, (daemon) => ({
    ...(daemon < half ? {} : { joinMs: size.warmMs }),
    ...(daemon < stay ? {} : { leaveMs: goMs }),
  }));
  const { senders } = simulation;
  const got = (some: readonly Sender[]): number => sum(some.map(({ takenBytes }) => sum(takenBytes)));
  const window = (): void => {
    for (const sender of senders) sender.clear();
    simulation.run(simulation.nowMs + 5_000);
  };
  simulation.run(size.warmMs);
  let joinedMs = 0;
  let refused = 0;
  let arrived = 0;
  while (simulation.nowMs < goMs) {
    window();
    const ratio = got(senders.slice(half)) / got(senders.slice(0, half));
    if (ratio < 3 / 4 || ratio > 4 / 3) joinedMs = simulation.nowMs - size.warmMs;
    if (simulation.nowMs > size.warmMs + 60_000) continue;
    const refusedNow = sum(senders.map((sender) => sum(sender.refused)));
    refused += refusedNow;
    arrived += refusedNow + sum(senders.map((sender) => sum(sender.takenRecords)));
  }
  let leftMs = Number.POSITIVE_INFINITY;
  while (leftMs === Number.POSITIVE_INFINITY && simulation.nowMs < goMs + 300_000) {
    window();
    if (measure(senders.slice(0, stay), everyShard(size), 5).used >= 0.9) leftMs = simulation.nowMs - goMs;
  }
  return { joinedMs, refusedOfJoin: refused / arrived, leftMs };
}

/** All want more of shard 0 than it takes, and half of what the others take: figures of the hot one, and of the others. */
export function hotShard(size: Size): { hot: Figures; cold: Figures } {
  const mild = shardRecords(size) / 2 / size.daemons;
  const simulation = simulate(size, () => ({ demand: (shard) => (shard === 0 ? Number.POSITIVE_INFINITY : mild) }));
  simulation.run(size.warmMs);
  for (const sender of simulation.senders) sender.clear();
  simulation.run(size.warmMs + size.measuredMs);
  const hot = measure(simulation.senders, [0], size.measuredMs / 1_000);
  return { hot, cold: measure(simulation.senders, everyShard(size).slice(1), size.measuredMs / 1_000) };
}
