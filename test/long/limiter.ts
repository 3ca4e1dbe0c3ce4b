/**
 * Lane: the limiter's simulation at its full size, fifty daemons and a hundred shards, in virtual time: what src/deliver/limiter.ts
 * says that it measured. At another scale there are fewer shards.
 *
 *   node dist/test/long/limiter.js [--seed N] [--scale SHARE]        about two minutes of CPU at scale 1
 */
import type { Figures } from '../sim/limiter/measure.ts';
import { alone, comeAndGo, contend, demandBelow, hotShard, type Size } from '../sim/limiter/scenarios.ts';
import { type Lane, runLane } from './parts/lane.ts';

await runLane('limiter: shards shared between daemons that know nothing of each other', async (lane) => {
  const size: Size = {
    seed: lane.seed,
    daemons: 50,
    shards: lane.sized(100, 2),
    warmMs: 60_000,
    measuredMs: 300_000,
    recordBytesMean: 1_000,
  };
  lane.figure('daemons x shards', `${size.daemons} x ${size.shards}`);
  checkShared(lane, '1 KB records', contend(size));
  checkShared(lane, '300 B records', contend({ ...size, recordBytesMean: 300 }));
  const { hot, cold } = hotShard({ ...size, shards: Math.min(size.shards, 10) });
  checkShared(lane, 'a hot shard', hot);
  lane.check('the other shards get what they want, nothing refused', cold.used > 0.49 && cold.refused === 0, row(cold));
  for (const after of ['the start', 'contention'] as const) {
    const { waitedSeconds, ...figures } = demandBelow(size, 0.95, after);
    const passes = figures.refused < 0.001 && waitedSeconds < 1;
    lane.check(
      `demand of 95 % passes, after ${after}`,
      passes,
      `${row(figures)}, waiting ${waitedSeconds.toFixed(2)} s`,
    );
  }
  const single = alone(size);
  lane.check('a daemon alone has all', single.used >= 0.98 && single.refused < 0.01, row(single));
  for (const stay of [1, 5]) {
    const moved = comeAndGo(size, stay);
    lane.check('25 newcomers have their part', moved.joinedMs <= 60_000, `in ${moved.joinedMs / 1_000} s`);
    lane.figure('  refused in the minute of their coming', moved.refusedOfJoin.toFixed(3));
    lane.check(`of 50 stay ${stay}: they use what was left`, moved.leftMs <= 60_000, `in ${moved.leftMs / 1_000} s`);
  }
  lane.figure('not promised: few outcomes to learn from', '');
  const few = { ...size, shards: Math.min(size.shards, 20) };
  for (const daemons of [2, 5, 10, 200]) lane.figure(`  ${daemons} daemons, 1 KB`, row(contend({ ...few, daemons })));
  for (const recordBytesMean of [5_000, 25_000, 256_000]) {
    lane.figure(`  50 daemons, ${recordBytesMean / 1_000} KB`, row(contend({ ...few, recordBytesMean })));
  }
});

function checkShared(lane: Lane, what: string, figures: Figures): void {
  const { used, refused, fairLeast, fairAll } = figures;
  lane.check(what, used >= 0.9 && refused < 0.02 && fairLeast >= 0.95 && fairAll >= 0.95, row(figures));
}

function row({ used, refused, fairLeast, fairMean, fairAll }: Figures): string {
  const fair = [fairLeast, fairMean, fairAll].map((index) => index.toFixed(3)).join('/');
  return `used ${used.toFixed(3)}, refused ${refused.toFixed(4)}, fair ${fair} (worst shard/mean/all)`;
}
