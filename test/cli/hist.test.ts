import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { CommanderError } from 'commander';
import hdr from 'hdr-histogram-js';
import t from 'tap';
import { command } from '../../src/cli/hist.ts';
import { Latency } from '../../src/observe/latency.ts';
import { latencyLines } from '../observe/latency-log.ts';
import { xmlMistake } from '../observe/xml.ts';

const startMs = Date.UTC(2026, 10, 27, 18);
const folder = mkdtempSync(join(tmpdir(), 'spillway-hist-'));
t.teardown(() => rmSync(folder, { recursive: true }));

const put = latencyLines(Latency.put, [[1_000, 2_000, 3_000, 60_000], [5_000]], { lane: 0, stream: 'orders' }, startMs);
const ring = latencyLines(Latency.ingressToRing, [[3, 4]], { lane: 1 }, startMs + 60_000);
const other = '{"level":"info","time":"2026-11-27T18:00:00.000Z","kind":"ready","msg":"ready"}\n';

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Runs the command in this process and gives what it wrote. */
async function hist(
  args: readonly string[],
  stdin: Readable = Readable.from([]),
): Promise<{ out: string; err: string }> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const cli = command({ stdin, stdout, stderr }).exitOverride();
  cli.configureOutput({ writeErr: () => undefined });
  try {
    await cli.parseAsync(args, { from: 'user' });
  } finally {
    stdout.end();
    stderr.end();
  }
  return { out: await text(stdout), err: await text(stderr) };
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

t.test('a missing file, a folder, and a damaged gzip are errors that name the file', async (t) => {
  const zipped = gzipSync(put.join('').repeat(50));
  const broken = file('broken.gz', zipped.subarray(0, zipped.length / 2));
  const sound = file('sound.ndjson', put.join(''));
  await t.rejects(hist([sound, join(folder, 'missing.log')]), {
    code: 'hist_file',
    message: /missing\.log: no such file/,
  });
  await t.rejects(hist([folder]), {
    code: 'hist_file',
    message: new RegExp(`${folder}: it is a folder; give the files in it`),
  });
  await t.rejects(hist([broken]), { code: 'hist_file', message: /broken\.gz: unexpected end of file/ });
  await t.rejects(hist(['--svg', join(folder, 'no', 'x.svg'), sound]), {
    code: 'hist_file',
    message: /--svg .*no such/,
  });
  await t.rejects(hist(['--hlog', join(folder, 'no', 'x.hlog'), sound]), {
    code: 'hist_file',
    message: /--hlog .*no such/,
  });
});

t.test('without any latency line the command fails and says what it saw', async (t) => {
  await t.rejects(hist([file('empty.log', '')]), {
    code: 'no_latency_lines',
    message: /^no latency line found: 0 latency/,
  });
  await t.rejects(hist([file('empty.gz', gzipSync(''))]), { code: 'no_latency_lines' });
  await t.rejects(hist([], Readable.from([Buffer.from(`${other}noise\n`)])), {
    message: /1 of other kinds, 1 not spillway's/,
  });
  const log = file('range.ndjson', put.join(''));
  await t.rejects(hist(['--until', '2020-01-01', log]), { message: /2 outside what was asked for/ });
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

t.test('what is no text, and a file that would be written over, are refused with the cure', async (t) => {
  const hist_ = (...args: string[]) => hist(args);
  const zstd = file('a.zst', Buffer.from('28b52ffd0000000000', 'hex'));
  await t.rejects(hist_(zstd), {
    code: 'hist_file',
    message: /a\.zst: it is compressed by zstd.*: zstd -dc .*a\.zst \|/,
  });
  const journal = file('system.journal', 'LPKSHHRH and more');
  await t.rejects(hist_(journal), { message: /journalctl --file .*system\.journal -o cat \| spillway hist/ });
  const log = file('kept.ndjson', put.join(''));
  for (const option of ['--hlog', '--svg']) {
    await t.rejects(hist_(option, log, log), { code: 'usage', message: /kept\.ndjson is a log that is read/ });
  }
  t.equal(readFileSync(log, 'utf8'), put.join(''));
});

t.test('options that contradict each other are told with the cure', async (t) => {
  const log = file('usage.ndjson', put.join(''));
  const wrong: [string[], RegExp][] = [
    [['--since', '2026-11-28', '--until', '2026-11-27'], /--since 2026-11-28T.* is not before --until .*: swap them/],
    [['--period', '2026-11-27..'], /--period is given once: give it twice/],
    [['--period', '..2026-11-27', '--period', '2026-11-27..', '--since', '2026-11-01'], /give one of them/],
    [['--period', '..2026-11-27', '--period', '2026-11-27..', '--by', 'window'], /leave one out/],
  ];
  for (const [args, message] of wrong)
    await t.rejects(hist([...args, log]), { code: 'usage', message }, args.join(' '));
  const terminal = Object.assign(Readable.from([]), { isTTY: true });
  await t.rejects(hist([], terminal), { code: 'usage', message: /name files, or pipe one in/ });
  await t.rejects(hist(['--since', '1795802400', log]), { message: /look like seconds: 1795802400000\?/ });
});

t.test('a range that the log does not cover is told with the one that it covers', async (t) => {
  const log = file('covers.ndjson', put.join(''));
  await t.rejects(hist(['--since', '2027-01-01', log]), {
    code: 'no_latency_lines',
    message:
      /2 outside what was asked for; its intervals begin from 2026-11-27T18:00:00\.000Z to 2026-11-27T18:00:10\.000Z/,
  });
});

t.test('wrong usage is told before anything is read', async (t) => {
  for (const args of [
    ['--by', 'day'],
    ['--window', '5 parsecs'],
    ['--window', '0s'],
    ['--since', 'soon'],
    ['--histogram', 'x'],
    ['--period', '2026-11-27'],
    ['--period', '2026-11-28..2026-11-27'],
    ['--wat'],
  ]) {
    await t.rejects(hist(args), CommanderError, args.join(' '));
  }
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
