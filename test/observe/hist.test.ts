import t from 'tap';
import { groupsMax, LatencyMerge, type MergeOptions } from '../../src/observe/hist.ts';
import { seriesWindowsMax } from '../../src/observe/hist-series.ts';
import { Latency } from '../../src/observe/latency.ts';
import { lineLengthMax } from '../../src/observe/latency-line.ts';
import { exactPercentile, latencyLines, random } from './latency-log.ts';

const total: MergeOptions = { by: 'total', windowMs: 60_000, series: false };
const startMs = Date.UTC(2026, 10, 27, 18);

function merged(lines: readonly string[], options: Partial<MergeOptions> = {}): LatencyMerge {
  const merge = new LatencyMerge({ ...total, ...options });
  for (const line of lines) merge.addLine(line.trimEnd());
  return merge;
}

t.test('percentiles merged over 10 lanes, 3 restarts and any order of lines are those of the raw values', async (t) => {
  const seed = 4;
  t.comment(`seed ${seed}`);
  const next = random(seed);
  const lines: string[] = [];
  const raw: number[] = [];
  for (let restart = 0; restart < 3; restart++) {
    for (let lane = 0; lane < 10; lane++) {
      const intervals = Array.from({ length: 4 }, () =>
        Array.from({ length: 1 + Math.floor(next() * 400) }, () => Math.floor(Math.exp(next() ** 2 * (10 + lane)))),
      );
      raw.push(...intervals.flat());
      lines.push(...latencyLines(Latency.ingressToAck, intervals, { lane }, startMs + restart * 3_600_000));
    }
  }
  for (let index = lines.length - 1; index > 0; index--) {
    const other = Math.floor(next() * (index + 1));
    [lines[index], lines[other]] = [lines[other] as string, lines[index] as string];
  }
  const merge = merged(lines);
  t.match(merge.lines, { merged: 120, damaged: 0, other: 0, foreign: 0 });
  const [group, ...others] = merge.groups();
  t.same(others, []);
  if (group === undefined) throw new Error('nothing merged');
  t.equal(group.counts.total, raw.length);
  const sorted = raw.toSorted((a, b) => a - b);
  for (const percentile of [0, 1, 10, 50, 75, 90, 99, 99.9, 99.99, 100]) {
    const exact = exactPercentile(sorted, percentile);
    const found = group.percentileUs(percentile);
    t.ok(Math.abs(found - exact) <= exact / 1_000, `p${percentile}: ${found} for ${exact}`);
  }
  t.equal(group.maxUs, sorted.at(-1), 'the maximum is exact');
});

t.test('groups keep lanes, streams and windows apart, in order', async (t) => {
  const lines = [
    ...latencyLines(Latency.put, [[100], [200, 200]], { lane: 10, stream: 'b' }, startMs),
    ...latencyLines(Latency.put, [[300]], { lane: 2, stream: 'a' }, startMs + 60_000),
    ...latencyLines(Latency.ingressToRing, [[5]], { lane: 'main' }, startMs),
  ];
  const seen = (by: MergeOptions['by']) =>
    merged(lines, { by })
      .groups()
      .map((group) => [group.histogram, group.group, group.counts.total, group.maxUs]);
  t.same(seen('total'), [
    ['ingress_to_ring', '', 1, 5],
    ['put', '', 4, 300],
  ]);
  t.same(seen('lane'), [
    ['ingress_to_ring', 'main', 1, 5],
    ['put', '2', 1, 300],
    ['put', '10', 3, 200],
  ]);
  t.same(seen('stream'), [
    ['ingress_to_ring', '(all)', 1, 5],
    ['put', 'a', 1, 300],
    ['put', 'b', 3, 200],
  ]);
  t.same(seen('window'), [
    ['ingress_to_ring', '2026-11-27T18:00:00.000Z', 1, 5],
    ['put', '2026-11-27T18:00:00.000Z', 3, 200],
    ['put', '2026-11-27T18:01:00.000Z', 1, 300],
  ]);
});

t.test('a time range takes intervals by their start, and a name takes one histogram', async (t) => {
  const lines = [
    ...latencyLines(Latency.put, [[1], [2], [3], [4]], { lane: 0 }, startMs, 10_000),
    ...latencyLines(Latency.linger, [[5]], { lane: 0 }, startMs + 10_000),
  ];
  const periods = [{ fromMs: startMs + 10_000, toMs: startMs + 30_000 }];
  const merge = merged(lines, { periods, histogram: 'put' });
  t.match(merge.lines, { merged: 2, skipped: 3 });
  t.match(
    merge.groups().map((group) => [group.counts.total, group.maxUs]),
    [[2, 3]],
  );
});

t.test('what is not a sound latency line is counted by what it is, and changes nothing', async (t) => {
  const [good] = latencyLines(Latency.put, [[10, 20]], { lane: 0 }, startMs) as [string];
  const edited = (change: object) => JSON.stringify({ ...(JSON.parse(good) as object), ...change });
  const merge = merged([
    good,
    `Nov 27 18:00:00 host spillway[42]: ${good}`,
    '{"level":"info","time":"2026-11-27T18:00:00.000Z","kind":"ledger","received":1,"msg":"books"}',
    '',
    'Nov 27 18:00:00 host kernel: out of memory',
    '{"some":"json"}',
    good.slice(0, -20),
    edited({ count: 3 }),
    edited({ maxUs: 999 }),
    edited({ hdr: 'AAAA' }),
    edited({ hdr: 5 }),
    edited({ histogram: '__proto__' }),
    edited({ windowStartMs: -1 }),
    edited({ windowStartMs: 1e300 }),
    edited({ lane: {} }),
    `{"kind":"latency","pad":"${'x'.repeat(lineLengthMax)}"}`,
  ]);
  t.same(merge.lines, { merged: 1, repeated: 1, skipped: 0, other: 1, foreign: 3, damaged: 10, withheld: 0 });
  t.match(
    merge.groups().map((group) => group.counts.total),
    [2],
  );
});

t.test('too many windows end in an error that names the cure', async (t) => {
  const intervals = Array.from({ length: groupsMax + 1 }, () => [1]);
  const lines = latencyLines(Latency.put, intervals, { lane: 0 }, startMs, 60_000);
  t.throws(() => merged(lines, { by: 'window' }), { code: 'too_many_groups', message: /--window/ });
  t.equal(merged(lines, { by: 'window', windowMs: 120_000 }).groups().length, groupsMax / 2 + 1);
});

t.test('a series over time keeps every value in a bounded number of windows', async (t) => {
  const intervals = Array.from({ length: 1_000 }, (_, index) => [index]);
  const lines = latencyLines(Latency.put, intervals, { lane: 0 }, startMs, 10_000).toReversed();
  const series = merged(lines, { series: true }).series().get('put');
  if (series === undefined) throw new Error('no series');
  t.ok(series.windows.size <= seriesWindowsMax && series.windows.size > seriesWindowsMax / 3, `${series.windows.size}`);
  let count = 0;
  for (const [windowStartMs, window] of series.windows) {
    count += window.counts.total;
    t.equal(windowStartMs % series.windowMs, 0);
    const newest = Math.ceil((windowStartMs + series.windowMs - startMs) / 10_000) - 1;
    t.ok(window.maxUs <= newest, `a window holds no later interval: ${window.maxUs}, ${newest}`);
  }
  t.equal(count, 1_000);
});
