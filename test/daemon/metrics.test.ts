import { execFile } from 'node:child_process';
import t from 'tap';
import { metricsPage, seriesStreamsMax } from '../../src/daemon/metrics.ts';
import type { Status } from '../../src/daemon/status.ts';
import { createLatencyRecorder, Latency } from '../../src/observe/latency.ts';
import { LatencyTotals } from '../../src/observe/latency-totals.ts';
import { metricTable } from '../../src/observe/metric-schema.ts';
import { type Family, readPrometheusText, valueOf } from '../observe/prometheus-text.ts';
import { madeStatus } from './made-status.ts';

const hostile = 'a"b\\c\nd{e="f"},ü😀 \\n';

const recorder = createLatencyRecorder();
recorder.record(Latency.put, 1_500, 3);
recorder.record(Latency.put, 3_000_000_000, 1);
const snapshots = recorder.snapshotAndReset();
recorder.destroy();

function latenciesOf(streams: readonly string[]): LatencyTotals {
  const totals = new LatencyTotals();
  for (const stream of streams) for (const snapshot of snapshots) totals.add(stream, snapshot);
  return totals;
}

const page = (status: Status): Map<string, Family> =>
  readPrometheusText(metricsPage(status, latenciesOf(Object.keys(status.streams))));

t.test('the page has every metric of the table, with its type, its words and its labels, and no other', async (t) => {
  const families = page(madeStatus(['orders', 'clicks'], 2));
  t.strictSame([...families.keys()], Object.keys(metricTable), 'in the order of the table');
  for (const [name, { type, says, labels }] of Object.entries(metricTable)) {
    const family = families.get(name);
    t.match({ type: family?.type, help: family?.help }, { type, help: says }, name);
    for (const sample of family?.samples ?? []) {
      const expected = sample.name.endsWith('_bucket') ? [...labels, 'le'] : labels;
      t.strictSame([...sample.labels.keys()], expected, sample.name);
    }
  }
});

t.test('every figure of the status that is a number has a metric, in base units', async (t) => {
  const status = madeStatus(['orders'], 1);
  const values = new Set([...page(status).values()].flatMap(({ samples }) => samples.map(({ value }) => value)));
  const missing: string[] = [];
  const look = (path: string, value: unknown): void => {
    if (typeof value === 'object' && value !== null) {
      for (const [name, each] of Object.entries(value)) look(`${path}.${name}`, each);
    } else if (typeof value === 'number' && !values.has(path.endsWith('Ms') ? value / 1000 : value)) {
      missing.push(path);
    }
  };
  look('', status);
  // Sums of what has a series for each stream; a lane's number is a label; what the DLQ holds of a stream stands by kind; thresholds
  // are the configuration's.
  const told = /^\.(ledger|backlog)\.|\.lane$|^\.streams\.orders\.ledger\.dlq$|^\.alerts\.\d+\.threshold$/;
  t.strictSame(
    missing.filter((path) => !told.test(path)),
    [],
  );
});

t.test('states become numbers', async (t) => {
  const families = page(madeStatus(['orders'], 1));
  t.equal(valueOf(families, 'spillway_ready'), 1);
  t.equal(valueOf(families, 'spillway_stream_breaker_state', { stream: 'orders' }), 1);
  t.equal(valueOf(families, 'spillway_lane_breaker_state', { lane: '0' }), 2);
  t.equal(valueOf(families, 'spillway_dlq_full', { cause: 'disk_full' }), 1);
  t.equal(valueOf(families, 'spillway_dlq_full', { cause: 'max_bytes' }), 0);
  t.equal(valueOf(families, 'spillway_dlq_failing'), 1);
  t.equal(valueOf(families, 'spillway_alert_active', { name: 'backlog_old', stream: 'orders' }), 1);
  t.equal(valueOf(families, 'spillway_alert_active', { name: 'disk_full', stream: '' }), 0);
});

t.test(
  'events whose stream was not known have a series of their own: the books balance by metrics alone',
  async (t) => {
    const status = madeStatus(['orders', 'clicks'], 1);
    const { samples } = page(status).get('spillway_events_received_total') as Family;
    t.strictSame(
      samples.map(({ labels }) => labels.get('stream')),
      ['orders', 'clicks', '(unknown)'],
    );
    t.equal(
      samples.reduce((sum, { value }) => sum + value, 0),
      status.ledger.received,
    );
  },
);

t.test('names come back from the page as they are, whatever is in them', async (t) => {
  const families = page(madeStatus([hostile], 1));
  t.type(valueOf(families, 'spillway_backlog_events', { stream: hostile }), 'number');
  t.equal(valueOf(families, 'spillway_put_seconds_count', { stream: hostile }), 4);
  t.equal(valueOf(families, 'spillway_alert_active', { name: 'backlog_old', stream: hostile }), 1);
});

t.test('the page is bounded: streams beyond the limit have no series, and one metric says so', async (t) => {
  const names = Array.from({ length: seriesStreamsMax + 3 }, (_, i) => `s${i}`);
  const status = madeStatus(names, 1);
  const families = page(status);
  t.equal(valueOf(families, 'spillway_streams_without_series'), 3);
  t.equal(families.get('spillway_backlog_events')?.samples.length, seriesStreamsMax);
  t.ok(metricsPage(status, new LatencyTotals()).length < seriesStreamsMax * 16 * 1024);
});

/** What promtool says of `text`; undefined: it is not here. */
function promtool(text: string): Promise<{ failed: boolean; output: string } | undefined> {
  return new Promise((resolve) => {
    const child = execFile('promtool', ['check', 'metrics'], (error, stdout, stderr) =>
      resolve(error?.code === 'ENOENT' ? undefined : { failed: error !== null, output: stdout + stderr }),
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(text);
  });
}

const absent = (await promtool('')) === undefined ? 'promtool (Debian package prometheus) is not installed' : false;

t.test("Prometheus' own tool finds nothing to say of the page", { skip: absent }, async (t) => {
  const text = metricsPage(madeStatus([hostile, 'orders'], 2), latenciesOf([hostile, 'orders']));
  t.strictSame(await promtool(text), { failed: false, output: '' });
  t.match(await promtool(text.replace('_total', '_sum')), { failed: true }, 'and of a wrong one it does');
});
