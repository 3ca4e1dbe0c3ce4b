import t, { type Test } from 'tap';
import type { Figures } from './measure.ts';
import { alone, comeAndGo, contend, demandBelow, hotShard, type Size } from './scenarios.ts';

const seed = Number(process.env['SEED'] ?? 20_261_125);
const size: Size = { seed, daemons: 50, shards: 3, warmMs: 60_000, measuredMs: 180_000, recordBytesMean: 1_000 };
t.comment(`seed ${seed}`);

const told = (t: Test, figures: object): void =>
  t.comment(JSON.stringify(figures, (_, value) => (typeof value === 'number' ? Number(value.toFixed(4)) : value)));

function shared(t: Test, { used, refused, fairLeast, fairAll }: Figures): void {
  t.ok(used >= 0.9, `nine tenths of the shards are used: ${used.toFixed(3)}`);
  t.ok(refused < 0.02, `less than 2 % is refused: ${refused.toFixed(4)}`);
  t.ok(fairLeast >= 0.95, `each shard is shared fairly: ${fairLeast.toFixed(3)}`);
  t.ok(fairAll >= 0.98, `and all of them together: ${fairAll.toFixed(3)}`);
}

t.test('fifty daemons share what bytes bound, without a word between them', async (t) => {
  const figures = contend({ ...size, recordBytesMean: 1_050 });
  told(t, figures);
  shared(t, figures);
});

t.test('fifty daemons share what records bound', async (t) => {
  const figures = contend({ ...size, recordBytesMean: 300 });
  told(t, figures);
  shared(t, figures);
});

t.test('the same seed gives the same figures, another seed others', async (t) => {
  const small = { ...size, daemons: 5, shards: 1, warmMs: 5_000, measuredMs: 5_000 };
  t.strictSame(contend(small), contend(small));
  t.notSame(contend(small), contend({ ...small, seed: seed + 1 }));
});

t.test('a daemon alone has all of its shards from the start', async (t) => {
  for (const recordBytesMean of [300, 1_000, 50_000]) {
    const figures = alone({ ...size, recordBytesMean });
    told(t, figures);
    t.ok(figures.used >= 0.98, `${recordBytesMean} bytes: used ${figures.used.toFixed(3)}`);
    t.ok(figures.refused < 0.01, `${recordBytesMean} bytes: refused ${figures.refused.toFixed(4)}`);
  }
});

t.test('demand of 95 % of the shards passes, and nothing waits; also after demand without end', async (t) => {
  for (const after of ['the start', 'contention'] as const) {
    const figures = demandBelow(size, 0.95, after);
    told(t, figures);
    t.ok(figures.used >= 0.94, `after ${after}: used ${figures.used.toFixed(3)}`);
    t.ok(figures.refused < 0.001, `after ${after}: refused ${figures.refused.toFixed(4)}`);
    t.ok(figures.waitedSeconds < 1, `after ${after}: waiting ${figures.waitedSeconds.toFixed(2)} s`);
  }
});

t.test('newcomers get their part within a minute, and what others leave is used again within a minute', async (t) => {
  const moved = comeAndGo(size, 1);
  told(t, moved);
  t.ok(moved.joinedMs <= 60_000, `newcomers: ${moved.joinedMs} ms`);
  t.ok(moved.refusedOfJoin < 0.2, `refused in the minute of their coming: ${moved.refusedOfJoin.toFixed(3)}`);
  t.ok(moved.leftMs <= 60_000, `one is left: ${moved.leftMs} ms`);
});

t.test('a hot shard is shared, and takes nothing from the others', async (t) => {
  const { hot, cold } = hotShard(size);
  told(t, { hot, cold });
  shared(t, { ...hot, fairAll: 1 });
  t.ok(cold.used >= 0.49, `the others get all that they want: ${cold.used.toFixed(3)}`);
  t.equal(cold.refused, 0, 'nothing of theirs is refused');
});
