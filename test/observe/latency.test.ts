import hdr from 'hdr-histogram-js';
import t from 'tap';
import { highestUs, startHistograms } from '../../src/observe/histogram.ts';
import { createLatencyRecorder, intervalCountMax, Latency, LatencyRecorder } from '../../src/observe/latency.ts';
import { exactPercentile, random } from './latency-log.ts';

t.test('a snapshot holds what was recorded, within three digits, and leaves an empty recorder', async (t) => {
  const seed = 1;
  t.comment(`seed ${seed}`);
  const next = random(seed);
  const values = Array.from({ length: 5_000 }, () => Math.floor(Math.exp(next() * 16)));
  const recorder = createLatencyRecorder();
  t.equal(recorder.engine, 'wasm');
  for (const value of values) recorder.record(Latency.put, value, 2);
  const [snapshot, ...others] = recorder.snapshotAndReset();
  t.same(others, []);
  if (snapshot === undefined) throw new Error('no snapshot');
  t.match(snapshot, { histogram: 'put', count: 10_000, clamped: 0, max: Math.max(...values) });
  const sorted = values.toSorted((a, b) => a - b);
  const { p50, p90, p99, p999 } = snapshot;
  for (const [found, percentile] of [
    [p50, 50],
    [p90, 90],
    [p99, 99],
    [p999, 99.9],
  ] as const) {
    const exact = exactPercentile(sorted, percentile);
    t.ok(Math.abs(found - exact) <= exact / 1_000, `p${percentile}: ${found} for ${exact}`);
  }
  t.same(recorder.snapshotAndReset(), []);
  recorder.destroy();
});

t.test("the base64 is what HdrHistogram's own decoder reads", async (t) => {
  const recorder = createLatencyRecorder();
  recorder.record(Latency.ringWait, 7, 3);
  recorder.record(Latency.ringWait, 123_456, 1);
  const decoded = hdr.decodeFromCompressedBase64(recorder.snapshotAndReset()[0]?.base64 as string, 64, false);
  t.equal(decoded.totalCount, 4);
  t.equal(decoded.getValueAtPercentile(75), 7);
  t.ok(Math.abs(decoded.maxValue - 123_456) <= 123);
  recorder.destroy();
});

t.test('WebAssembly and JavaScript give the same snapshot', async (t) => {
  t.equal(startHistograms(), 'wasm');
  const next = random(2);
  const recorders = [new LatencyRecorder('wasm'), new LatencyRecorder('js')];
  for (let index = 0; index < 2_000; index++) {
    const value = next() * 10_000_000;
    for (const recorder of recorders) recorder.record(Latency.ingressToAck, value, 1 + (index % 5));
  }
  const [wasm, js] = recorders.map((recorder) => recorder.snapshotAndReset());
  t.same(wasm, js);
  for (const recorder of recorders) recorder.destroy();
});

t.test('values outside the range count at its ends and are counted as clamped', async (t) => {
  for (const engine of ['wasm', 'js'] as const) {
    const recorder = new LatencyRecorder(engine);
    recorder.record(Latency.linger, -5, 1);
    recorder.record(Latency.linger, Number.NaN, 1);
    recorder.record(Latency.linger, Number.NEGATIVE_INFINITY, 1);
    recorder.record(Latency.linger, 0.4, 1);
    recorder.record(Latency.linger, highestUs + 1, 2);
    recorder.record(Latency.linger, Number.POSITIVE_INFINITY, 1);
    t.match(recorder.snapshotAndReset(), [{ count: 7, clamped: 6, p50: 0, max: highestUs }]);
    recorder.record(Latency.linger, 1, 1);
    recorder.record(Latency.linger, highestUs, 1);
    t.match(recorder.snapshotAndReset(), [{ count: 2, clamped: 0, p50: 1, max: highestUs }]);
    recorder.destroy();
  }
});

t.test('counts beyond what an interval can hold are left out instead of wrapping', async (t) => {
  const recorder = new LatencyRecorder('wasm');
  recorder.record(Latency.put, 100, intervalCountMax - 1);
  recorder.record(Latency.put, 100, 2);
  t.match(recorder.snapshotAndReset(), [{ count: intervalCountMax - 1, p50: 100 }]);
  recorder.destroy();
});
