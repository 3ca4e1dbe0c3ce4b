import t from 'tap';
import { EmfLines } from '../../src/daemon/emf-lines.ts';
import type { Status } from '../../src/daemon/status.ts';
import { createLatencyRecorder, Latency, type LatencySnapshot } from '../../src/observe/latency.ts';
import { createLog } from '../../src/observe/log.ts';
import { checkLogLine } from '../../src/observe/log-check.ts';
import { checkEmf } from '../observe/emf-check.ts';
import { exactPercentile } from '../observe/latency-log.ts';
import { madeStatus } from './made-status.ts';

type Line = Readonly<Record<string, unknown>>;

/** Lines of an interval each time it is called. */
function emf(): { lines: EmfLines; interval: (status: Status) => Line[] } {
  const written: string[] = [];
  const log = createLog({ level: 'info', nowMs: () => 1_795_000_000_000, write: (line) => written.push(line) });
  const lines = new EmfLines(log);
  const interval = (status: Status): Line[] => {
    written.length = 0;
    lines.interval('Spillway/Test', 1_795_000_000_000.4, status);
    return written.map((line) => JSON.parse(line) as Line);
  };
  return { lines, interval };
}

function put(valuesUs: readonly number[]): LatencySnapshot {
  const recorder = createLatencyRecorder();
  for (const valueUs of valuesUs) recorder.record(Latency.put, valueUs, 1);
  const [snapshot] = recorder.snapshotAndReset();
  recorder.destroy();
  return snapshot as LatencySnapshot;
}

t.test('there is a line for each stream and one for the daemon, all of the format and of the log', async (t) => {
  const { lines, interval } = emf();
  lines.add('orders', put([1_000]));
  const written = interval(madeStatus(['orders', 'clicks'], 2));
  t.strictSame(
    written.map(({ Stream }) => Stream),
    ['orders', 'clicks', undefined],
  );
  for (const line of written) {
    t.strictSame(checkEmf(line), []);
    t.strictSame(checkLogLine(line), []);
  }
  const [orders, , daemon] = written as [Line, Line, Line];
  t.match(orders['_aws'], { Timestamp: 1_795_000_000_000, CloudWatchMetrics: [{ Namespace: 'Spillway/Test' }] });
  t.match(orders, { Put: [1], BreakerOpen: 1 });
  t.match(daemon, { DlqFull: 1, DlqFailing: 1, AlertsActive: 1 });
});

t.test('counters are what came since the line before, gauges what is', async (t) => {
  const { lines, interval } = emf();
  const status = madeStatus(['orders'], 1);
  const { ledger, backlog } = status.streams['orders'] as Status['streams'][string];
  t.match(
    interval(status)[0],
    { Received: ledger.received, BacklogEvents: backlog.events },
    'at first: since the start',
  );
  t.match(interval(status)[0], { Received: 0, Delivered: 0, Records: 0, BacklogEvents: backlog.events });
  t.match(interval(status)[1], { LaneRestarts: 0, LogLinesLost: 0 });
  lines.off();
  t.strictSame(interval(status), [], 'switched on again, it has nothing to compare with');
  t.match(interval(status)[0], { Received: 0 });
});

t.test('an array of at most 100 values stands for all lanes of the interval, by even ranks', async (t) => {
  const { lines, interval } = emf();
  const status = madeStatus(['orders'], 1);
  const slow = Array.from({ length: 5_000 }, (_, i) => 1_000 * (i + 1));
  const fast = Array.from({ length: 5_000 }, (_, i) => 100 + i);
  lines.add('orders', put(slow));
  lines.add('orders', put(fast));
  const values = interval(status)[0]?.['Put'] as number[];
  t.equal(values.length, 100);
  const sorted = [...slow, ...fast].sort((a, b) => a - b);
  for (const percentile of [1, 50, 90, 99, 100]) {
    const exactMs = exactPercentile(sorted, percentile) / 1_000;
    t.ok(Math.abs((values[percentile - 1] ?? 0) - exactMs) <= exactMs / 500, `p${percentile}: ${exactMs} ms`);
  }
  t.strictSame(interval(status)[0]?.['Put'], undefined, 'nothing measured: no array');
  lines.add('orders', put([3, 1, 2]));
  t.strictSame(interval(status)[0]?.['Put'], [0.001, 0.002, 0.003], 'few values are themselves');
});

t.test('the check of these tests refuses what CloudWatch would', async (t) => {
  const metric = { Name: 'A', Unit: 'Count' };
  const directive = { Namespace: 'n', Dimensions: [['S']], Metrics: [metric] };
  const line = { _aws: { Timestamp: 1, CloudWatchMetrics: [directive] }, S: 's', A: 1 };
  const of = (change: object): object => ({ _aws: { Timestamp: 1, CloudWatchMetrics: [{ ...directive, ...change }] } });
  t.strictSame(checkEmf(line), []);
  t.strictSame(checkEmf({ ...line, ...of({ Dimensions: [[]] }) }), []);
  for (const wrong of [
    { _aws: undefined },
    { _aws: { Timestamp: 1.5, CloudWatchMetrics: [directive] } },
    { A: 'x' },
    { A: [] },
    { A: Array.from({ length: 101 }, () => 1) },
    { A: undefined },
    { S: undefined },
    of({ Namespace: '' }),
    of({ Namespace: 'AWS/Kinesis' }),
    of({ Dimensions: [] }),
    of({ Dimensions: [Array.from({ length: 31 }, () => 'S')] }),
    of({ Metrics: Array.from({ length: 101 }, () => metric) }),
    of({ Metrics: [{ ...metric, Unit: 'Apples' }] }),
    of({ Metrics: [metric, metric] }),
    of({ Color: 'red' }),
  ]) {
    t.not(checkEmf({ ...line, ...wrong }).length, 0, JSON.stringify(wrong).slice(0, 80));
  }
});
