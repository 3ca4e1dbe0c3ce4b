import t from 'tap';
import { Exposition, label } from '../../src/observe/exposition.ts';
import { createLatencyRecorder, Latency } from '../../src/observe/latency.ts';
import { emptyLatencyTotal, LatencyTotals, latencyBounds } from '../../src/observe/latency-totals.ts';
import { random } from './latency-log.ts';
import { readPrometheusText, valueOf } from './prometheus-text.ts';

t.test('numbers of all sizes come back as they are', async (t) => {
  const values = [0, 1, -1.5, 1e-7, 1e21, 2 ** 53, 0.1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
  const page = new Exposition();
  page.open('spillway_ring_bytes');
  for (const [i, value] of values.entries()) page.sample(label('lane', String(i)), value);
  const { samples } = readPrometheusText(page.text).get('spillway_ring_bytes') ?? { samples: [] };
  t.strictSame(
    samples.map(({ value }) => value),
    values,
  );
});

t.test('a metric without samples is left out', async (t) => {
  const page = new Exposition();
  page.open('spillway_alert_active');
  page.open('spillway_ready');
  page.sample('', 1);
  t.strictSame([...readPrometheusText(page.text).keys()], ['spillway_ready']);
});

t.test('buckets hold what was recorded, over intervals and lanes, to a thousandth of their bounds', async (t) => {
  const seed = 7;
  t.comment(`seed ${seed}`);
  const next = random(seed);
  const totals = new LatencyTotals();
  const values: number[] = [];
  const recorder = createLatencyRecorder();
  for (let interval = 0; interval < 3; interval++) {
    for (let i = 0; i < 2_000; i++) {
      const valueUs = Math.floor(Math.exp(next() * 20));
      values.push(valueUs);
      recorder.record(Latency.put, valueUs, 1);
    }
    for (const snapshot of recorder.snapshotAndReset()) totals.add('orders', snapshot);
  }
  recorder.destroy();
  const total = totals.of('put', 'orders') ?? emptyLatencyTotal();
  const page = new Exposition();
  page.open('spillway_put_seconds');
  page.histogram(label('stream', 'orders'), total);
  const families = readPrometheusText(page.text);
  for (const bound of latencyBounds) {
    const counted = valueOf(families, 'spillway_put_seconds_bucket', { le: String(bound) }) ?? -1;
    const below = (limitUs: number): number => values.filter((valueUs) => valueUs <= limitUs).length;
    t.ok(counted >= below(bound * 1e6) && counted <= below(bound * 1.001e6), `${counted} at most ${bound} s`);
  }
  t.equal(valueOf(families, 'spillway_put_seconds_count'), values.length);
  const sum = values.reduce((a, b) => a + b, 0) / 1e6;
  t.ok(Math.abs((valueOf(families, 'spillway_put_seconds_sum') ?? 0) / sum - 1) < 0.001);
  t.equal(totals.of('put', 'clicks'), undefined);
});

t.test('the reader of these tests refuses what a scraper would', async (t) => {
  const head = '# HELP a_total x\n# TYPE a_total counter\n';
  const histogram = '# HELP h x\n# TYPE h histogram\n';
  t.doesNotThrow(() => readPrometheusText(`${head}a_total{b="\\"\\\\\\n"} 1\n`));
  t.doesNotThrow(() =>
    readPrometheusText(`${histogram}h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n`),
  );
  for (const text of [
    `${head}a_total 1`,
    'a_total 1\n',
    `${head}a_total -1\n`,
    `${head}a_total 1\na_total 1\n`,
    `${head}a_total{b="\\x"} 1\n`,
    `${head}a_total{b="c"d"} 1\n`,
    `${head}a_total{b="c",} 1\n`,
    `${head}a_total{} 1\n`,
    `${head}a_total 1,5\n`,
    `${head}b_total 1\n`,
    `${head}\na_total 1\n`,
    head,
    head.replaceAll('_total', ''),
    `${head}a_total 1\n${head}a_total{b="c"} 1\n`,
    '# TYPE a_total counter\na_total 1\n',
    `${histogram}h_bucket{le="1"} 3\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n`,
    `${histogram}h_bucket{le="1"} 2\nh_sum 3\nh_count 2\n`,
    `${histogram}h_bucket{le="+Inf"} 2\nh_sum 3\nh_count 3\n`,
    `${histogram}h_bucket{le="+Inf"} 2\n`,
  ]) {
    t.throws(() => readPrometheusText(text), text);
  }
});
