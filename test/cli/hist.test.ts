import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import hdr from 'hdr-histogram-js';
import t from 'tap';
import { Latency } from '../../src/observe/latency.ts';
import { latencyLines } from '../observe/latency-log.ts';
import { xmlMistake } from '../observe/xml.ts';
import { hist, other, put, ring, startMs } from './hist-here.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-hist-'));
t.teardown(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

t.test('stdin gives a table of merged percentiles, and says what the other lines were', async (t) => {
  const log = Buffer.from([...put, other, 'kernel: hello\n', ...ring].join(''));
  // Chunks that end anywhere: in the middle of lines and of what gzip would begin with.
  const chunks = Array.from({ length: Math.ceil(log.length / 97) }, (_, index) =>
    log.subarray(97 * index, 97 * (index + 1)),
  );
  const { out, err } = await hist(
    [],
    Readable.from([log.subarray(0, 0), log.subarray(0, 1), log.subarray(1, 97), ...chunks.slice(1)]),
  );
  t.same(out.split('\n'), [
    'histogram        count      p50      p90      p99    p99.9      max     mean',
    'ingress_to_ring      2     3 us     4 us     4 us     4 us     4 us   3.5 us',
    'put                  5  3.00 ms  60.0 ms  60.0 ms  60.0 ms  60.0 ms  14.2 ms',
    '',
  ]);
  t.equal(err, "3 latency lines merged, 1 of other kinds, 1 not spillway's\n");
});

t.test('files, gzip with several members, and stdin as "-" merge; a last line without break counts', async (t) => {
  const plain = file('a.ndjson', (put[0] as string).trimEnd());
  const zipped = file('b.log', Buffer.concat([gzipSync(put[1] as string), gzipSync(other)]));
  const { out } = await hist(['--json', plain, zipped, '-'], Readable.from([Buffer.from(ring.join(''))]));
  const result = JSON.parse(out) as { by: string; lines: object; latency: object[] };
  t.match(result, { by: 'total', lines: { merged: 3, other: 1, foreign: 0, damaged: 0, skipped: 0 } });
  t.match(result.latency, [
    { histogram: 'ingress_to_ring', count: 2, p50Us: 3, maxUs: 4, meanUs: 3.5 },
    { histogram: 'put', count: 5, maxUs: 60_000 },
  ]);
});

t.test('rows by lane, stream and window; a time range; one histogram', async (t) => {
  const log = file('by.ndjson', [...put, ...ring].join(''));
  t.match((await hist(['--by', 'lane', log])).out, /^histogram +lane +count.*\ningress_to_ring +1 +2 .*\nput +0 +5 /);
  t.match((await hist(['--by', 'stream', log])).out, /\ningress_to_ring +\(all\) +2 .*\nput +orders +5 /);
  t.match(
    (await hist(['--by', 'window', '--window', '10s', log])).out,
    /\nput +2026-11-27T18:00:00\.000Z +4 .*\nput +2026-11-27T18:00:10/,
  );
  t.match(
    (await hist(['--since', '2026-11-27T18:00:10Z', '--until', String(startMs + 60_000), log])).out,
    /^hist.*\nput +1 .*\n$/,
  );
  t.match((await hist(['--histogram', 'ingress_to_ring', log])).out, /^hist.*\ningress_to_ring +2 .*\n$/);
});

t.test('two periods are compared: their rows, and the ratio of every figure', async (t) => {
  const before = latencyLines(Latency.put, [[100, 100], [200]], { lane: 0, stream: 'orders' }, startMs);
  const after = latencyLines(Latency.put, [[300, 300, 300]], { lane: 0, stream: 'orders' }, startMs + 20_000);
  const late = latencyLines(Latency.linger, [[7]], { lane: 0, stream: 'orders' }, startMs + 20_000);
  const log = file('compare.ndjson', [...before, ...after, ...late].join(''));
  const split = '2026-11-27T18:00:20Z';
  const periods = ['--period', `..${split}`, '--period', `${split}..`];
  const { out } = await hist([...periods, '--by', 'stream', log]);
  t.same(out.split('\n'), [
    'A  before 2026-11-27T18:00:20.000Z',
    'B  from 2026-11-27T18:00:20.000Z',
    '',
    'histogram  stream  period  count     p50     p90     p99   p99.9     max    mean',
    'linger     orders  A           -       -       -       -       -       -       -',
    '                   B           1    7 us    7 us    7 us    7 us    7 us    7 us',
    '                   B / A       -       -       -       -       -       -       -',
    'put        orders  A           3  100 us  200 us  200 us  200 us  200 us  133 us',
    '                   B           3  300 us  300 us  300 us  300 us  300 us  300 us',
    '                   B / A   1.00x   3.00x   1.50x   1.50x   1.50x   1.50x   2.25x',
    '',
  ]);
  const svg = join(folder, 'compare.svg');
  const result = JSON.parse((await hist([...periods, '--json', '--svg', svg, log])).out) as object;
  t.match(result, {
    periods: { a: { from: null, to: '2026-11-27T18:00:20.000Z' }, b: { from: '2026-11-27T18:00:20.000Z', to: null } },
    comparison: [
      { histogram: 'linger', a: null, b: { count: 1 }, ratio: null },
      { histogram: 'put', a: { p50Us: 100 }, b: { p50Us: 300 }, ratio: { count: 1, p50Us: 3, p90Us: 1.5 } },
    ],
  });
  const drawn = readFileSync(svg, 'utf8');
  t.equal(xmlMistake(drawn), undefined);
  for (const curve of ['linger B', 'put A', 'put B']) t.match(drawn, `>${curve}</text>`);
});

t.test('lines of journalctl -o json are read, and what it withheld is told with the cure', async (t) => {
  const entry = (message: unknown, unit = 'spillway.service'): string =>
    `${JSON.stringify({ __REALTIME_TIMESTAMP: '1795802400000000', _SYSTEMD_UNIT: unit, MESSAGE: message })}\n`;
  const [first, second] = put.map((line) => line.trimEnd()) as [string, string];
  const log = [
    entry(first),
    entry([...Buffer.from(second)]),
    entry(other.trimEnd()),
    entry(null),
    entry(null, 'cron.service'),
    entry('out of memory', 'kernel'),
    entry(7),
  ];
  const { out, err } = await hist([], Readable.from([Buffer.from(log.join(''))]));
  t.match(out, /\nput +5 /);
  const rest = "1 left out by journalctl (give it --all), 1 of other kinds, 3 not spillway's";
  t.equal(err, `2 latency lines merged, ${rest}\n`);
});

t.test('a line that stands in two files counts once, and two lines alike of other times or lanes twice', async (t) => {
  const [line] = latencyLines(Latency.put, [[5]], { lane: 0 }, startMs) as [string];
  const later = latencyLines(Latency.put, [[5]], { lane: 0 }, startMs + 10_000);
  const lane = latencyLines(Latency.put, [[5]], { lane: 1 }, startMs);
  // As a lane writes its last line, with the interval of the one before.
  const last = line.replace(/"time":"[^"]*"/, '"time":"2026-11-27T18:00:13.000Z"');
  const log = file('once.ndjson', [line, ...later, ...lane, last].join(''));
  const { out, err } = await hist([log, file('twice.ndjson', line), log]);
  t.match(out, /\nput +4 /);
  t.equal(err, '4 latency lines merged, 5 there twice\n');
});

t.test('--svg writes well-formed charts of every histogram', async (t) => {
  const svg = join(folder, 'latency.svg');
  await hist(['--svg', svg, file('svg.ndjson', [...put, ...ring].join(''))]);
  const drawn = readFileSync(svg, 'utf8');
  t.equal(xmlMistake(drawn), undefined);
  for (const title of ['Latency by percentile', 'put over time', 'ingress_to_ring over time']) t.match(drawn, title);
  t.notMatch(drawn, /NaN|Infinity|undefined/);
});

t.test("--hlog writes what HdrHistogram's reader adds up to the same counts", async (t) => {
  const hlog = join(folder, 'latency.hlog');
  await hist(['--hlog', hlog, '--histogram', 'put', file('hlog.ndjson', [...put, ...ring].join(''))]);
  const reader = new hdr.HistogramLogReader(readFileSync(hlog, 'utf8'), 64);
  const counts: number[] = [];
  for (let read = reader.nextIntervalHistogram(); read !== null; read = reader.nextIntervalHistogram())
    counts.push(read.totalCount);
  t.same(counts, [4, 1]);
});

t.test('--hlog is in order of time and begins at its header, however rotated files are given', async (t) => {
  const hlog = join(folder, 'rotated.hlog');
  const newer = latencyLines(Latency.put, [[1], [2]], { lane: 0 }, startMs + 3_600_000).map((line) =>
    line.replace('"time":"2026-11-27T18', '"time":"2026-11-27T19'),
  );
  const files = [file('r', newer.join('')), file('r.1', gzipSync(put.join('')))];
  await hist(['--hlog', hlog, ...files]);
  const reader = new hdr.HistogramLogReader(readFileSync(hlog, 'utf8'), 64);
  const startsMs: number[] = [];
  for (let read = reader.nextIntervalHistogram(); read !== null; read = reader.nextIntervalHistogram())
    startsMs.push(read.startTimeStampMsec);
  t.equal(reader.startTimeSec, startMs / 1_000);
  t.same(startsMs, [startMs, startMs + 10_000, startMs + 3_600_000, startMs + 3_610_000]);
});

t.test('a log that is not found leaves no file of results behind', async (t) => {
  const hlog = join(folder, 'none.hlog');
  await t.rejects(hist(['--hlog', hlog, file('none.log', 'noise\n')]), { code: 'no_latency_lines' });
  t.equal(existsSync(hlog), false);
});

t.test('a log far larger than the memory allowed is read', async (t) => {
  const script = `import { command } from ${JSON.stringify(new URL('../../src/cli/hist.js', import.meta.url).href)};
    await command().parseAsync(['--json'], { from: 'user' });`;
  const child = spawn(process.execPath, ['--max-old-space-size=48', '--input-type=module', '-e', script], {
    stdio: 'pipe',
  });
  const noise = Buffer.from(`{"level":"info","kind":"x","pad":"${'x'.repeat(65_000)}"}\n`);
  const endless = Buffer.alloc(1 << 20, 'y');
  async function* log(): AsyncGenerator<Buffer> {
    for (let round = 0; round < 1_000; round++) yield noise;
    // One line of 64 MiB without a break.
    for (let round = 0; round < 64; round++) yield endless;
    yield Buffer.from(`\n${put.join('')}`);
  }
  Readable.from(log()).pipe(child.stdin);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  t.equal(err, '');
  t.match(JSON.parse(out), { lines: { merged: 2, foreign: 1_001 } });
});
