import t from 'tap';
import { frame, type Line } from '../../src/cli/top-frame.ts';
import { History, type Sample, type StatusDocument, sampleOf } from '../../src/cli/top-sample.ts';
import { bar, count, duration, microseconds, sparkline } from '../../src/cli/top-text.ts';

const atMs = Date.parse('2026-11-30T03:00:00Z');
const noEvents = {
  received: 0, refused: 0, accepted: 0, delivered: 0, inFlight: 0, dlq: 0, dropped: 0, recovered: 0,
}; // biome-ignore format: one line of terms
const ledgerOf = (accepted: number): StatusDocument['ledger'] => ({
  ...noEvents,
  received: accepted + 5,
  refused: 5,
  accepted,
  delivered: accepted,
});

interface Shape {
  readonly streams?: number;
  readonly lanes?: number;
  readonly accepted?: number;
  readonly uptimeMs?: number;
  readonly alerts?: StatusDocument['alerts'];
  readonly breaker?: string;
}

function statusOf({ streams = 2, lanes = 1, accepted = 0, uptimeMs = 60_000, alerts, breaker }: Shape): StatusDocument {
  const backlog = { events: 3, bytes: 2_048, oldestMs: 7_200 };
  const stream = {
    ledger: ledgerOf(accepted),
    breaker: breaker ?? 'closed',
    backlog,
    requests: { failed: 0, recordsFailed: 0 },
    dlq: { spilled: 10, dead: 0 },
  };
  const latency = { count: 100, p50: 80, p90: 900, p99: 1_500, p999: 20_000, max: 3_000_000 };
  return {
    state: 'ready',
    uptimeMs,
    ledger: ledgerOf(accepted),
    backlog: { ...backlog, timeToDrainMs: 90_000 },
    streams: Object.fromEntries(Array.from({ length: streams }, (_, i) => [`stream${i}`, stream])),
    lanes: Array.from({ length: lanes }, (_, lane) => ({
      lane, breaker: 'closed', ringBytes: 512, ringCapacity: 1_024, oldestMs: 1,
    })), // biome-ignore format: one line
    latency: { ingress_to_ack: latency, put: latency, linger: latency, ring_wait: latency, ingress_to_ring: latency },
    ...(alerts === undefined ? {} : { alerts }),
  };
}

function sample(shape: Shape, before?: Sample, laterMs = 0): Sample {
  return sampleOf({ pid: 1, version: '1.0.0', status: statusOf(shape) }, atMs + laterMs, before);
}

const textOf = (line: Line): string => line.map((piece) => (typeof piece === 'string' ? piece : piece.text)).join('');
const size = { columns: 80, rows: 24, isAscii: false };

t.test('rates are those between two looks; after a restart, and at the first look, there are none', async (t) => {
  const first = sample({ accepted: 1_000 });
  t.equal(first.rates, undefined);
  const second = sample({ accepted: 3_000, uptimeMs: 62_000 }, first, 2_000);
  t.strictSame(second.rates, { received: 1_000, accepted: 1_000, refused: 0, delivered: 1_000 });
  t.strictSame(second.streamRates['stream1'], second.rates);
  const anew = sample({ accepted: 10, uptimeMs: 500 }, second, 4_000);
  t.equal(anew.rates, undefined);
  t.strictSame(anew.streamRates, {});
  t.equal(sample({ accepted: 1 }, second, 3_000).rates, undefined, 'with less uptime it is another process');
});

t.test('what is wrong stands out: active alerts above all tables, open breakers, dead letters', async (t) => {
  const since = new Date(atMs - 12_000).toISOString();
  const alerts = [
    { name: 'backlog_age', stream: 'orders', state: 'active', value: 7.2, threshold: 5, since },
    { name: 'disk_free', state: 'quiet', threshold: 1 },
  ];
  const lines = frame(sample({ alerts, breaker: 'half_open' }), new History(8), size);
  const alert = lines.findIndex((line) => textOf(line).startsWith('ALERT'));
  t.equal(textOf(lines[alert] as Line), 'ALERT backlog_age of orders: 7.2, threshold 5, for 12.0 s');
  t.ok(alert < lines.findIndex((line) => textOf(line).startsWith('STREAM')));
  t.notMatch(lines.map(textOf).join('\n'), /disk_free/);
  const bad = lines.flat().filter((piece) => typeof piece !== 'string' && piece.tone === 'warning');
  t.match(bad, [{ text: 'half open' }, { text: 'half open' }]);
  const many = Array.from({ length: 9 }, (_, i) => ({ name: `a${i}`, state: 'active', threshold: 1 }));
  const counted = frame(sample({ alerts: many }), new History(8), size).map(textOf);
  t.equal(counted.filter((line) => line.startsWith('ALERT')).length, 4);
  t.ok(counted.includes('ALERT 6 more'));
});

t.test('a frame has no more lines than the terminal, at any size, and says what it leaves out', async (t) => {
  const history = new History(500);
  for (const [streams, lanes] of [
    [1, 1],
    [3, 2],
    [64, 8],
    [5, 64],
  ] as const) {
    // biome-ignore format: pairs
    const first = sample({ streams, lanes });
    const now = sample({ streams, lanes, accepted: 5_000, uptimeMs: 61_000 }, first, 1_000);
    history.add(now);
    for (let rows = 1; rows <= 120; rows++) {
      const lines = frame(now, history, { columns: 80, rows, isAscii: true }).map(textOf);
      if (lines.length > rows) t.fail(`${lines.length} lines for ${rows} rows`);
      if (rows < 24) continue;
      const shown = (word: RegExp): number => lines.filter((line) => word.test(line)).length;
      const rest = (what: string): number => Number(new RegExp(`(\\d+) more ${what}`).exec(lines.join('\n'))?.[1] ?? 0);
      if (shown(/^stream\d/) + rest('streams') !== streams) t.fail(`streams of ${rows} rows: ${lines.join('\n')}`);
      if (shown(/^\d+ +\[/) + rest('lanes') !== lanes) t.fail(`lanes of ${rows} rows: ${lines.join('\n')}`);
      if (shown(/^ingress_to_ack/) !== 1) t.fail(`no latency in ${rows} rows`);
    }
  }
  const whole = frame(sample({ streams: 64, lanes: 8 }), history, { ...size, rows: Number.POSITIVE_INFINITY });
  t.equal(whole.map(textOf).filter((line) => line.startsWith('stream')).length, 64, 'a pipe gets all');
});

t.test('24 rows of 80 columns hold a daemon of three streams and two lanes', async (t) => {
  const first = sample({ streams: 3, lanes: 2 });
  const now = sample({ streams: 3, lanes: 2, accepted: 123_456, uptimeMs: 61_000 }, first, 1_000);
  const lines = frame(now, new History(8), size).map(textOf);
  t.ok(lines.every((line) => line.length <= 80), lines.join('\n')); // biome-ignore format: short
  t.notMatch(lines.join('\n'), / more /);
  t.match(lines[1], /^in 123k\/s {3}refused 0\/s {3}delivered 123k\/s {3}in flight 0$/);
  t.match(lines[2], 'backlog 3 events, 2.00 KiB, oldest 7.20 s, drained in 90.0 s');
});

t.test('numbers are short, and never jump to a fourth digit', async (t) => {
  t.strictSame([0, 9_999, 10_000, 12_345, 999_499, 999_500, 1_050_000, 5e12].map(count), [
    '0',
    '9,999',
    '10.0k',
    '12.3k',
    '999k',
    '1.00M',
    '1.05M',
    '5.00T',
  ]);
  t.strictSame([0, 85, 999.6, 7_200, 119_000, 200_000, 9_000_000, 270_000_000].map(duration), [
    '0 ms',
    '85 ms',
    '1.00 s',
    '7.20 s',
    '119 s',
    '3.33 min',
    '2.50 h',
    '3.13 d',
  ]);
  t.strictSame([82, 1_200, 999_600, 2_500_000].map(microseconds), ['82 us', '1.20 ms', '1.00 s', '2.50 s']);
  t.strictSame([0, 0.01, 0.5, 1].map(bar), ['[..........]', '[#.........]', '[#####.....]', '[##########]']);
});

t.test('sparklines show the newest to the right, the highest in full, and nothing as nothing', async (t) => {
  t.equal(sparkline([1, 0, 50, 100], 6, false), '  ▂▁▅█'); // biome-ignore format: one line
  t.equal(sparkline([5, 0, 50, 100], 3, true), '_=#');
  t.equal(sparkline([], 2, true), '  ');
  t.equal(sparkline([0, 0], 2, true), '__');
});
