/**
 * What does it cost to count one latency, and to write a histogram into a log line?
 *
 * ```
 *   values in memory -> LatencyRecorder.record (WebAssembly | JavaScript) -> snapshotAndReset -> base64
 *   values in memory -> counts[index]++                                      the plain baseline
 * ```
 * One thread, nothing else. `--smoke`: a small run that checks the sums only.
 * Run: `npx tsc && node --expose-gc dist/bench/latency-record.js`
 */
import { parseArgs } from 'node:util';
import { assert } from '../src/base/assert.ts';
import { HdrCounts } from '../src/observe/hdr-counts.ts';
import { HdrDecoder } from '../src/observe/hdr-decode.ts';
import { startHistograms } from '../src/observe/histogram.ts';
import { Latency, LatencyRecorder } from '../src/observe/latency.ts';

const { values: args } = parseArgs({ options: { smoke: { type: 'boolean', default: false } } });
const records = args.smoke ? 20_000 : 5_000_000;
const encodes = args.smoke ? 3 : 200;
const rounds = args.smoke ? 1 : 5;

/** Log-uniform from 1 us to 1 s: the widest that a histogram of real latencies is. */
const durationsUs = new Float64Array(65_536);
let state = 1;
for (let index = 0; index < durationsUs.length; index++) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
  durationsUs[index] = Math.floor(Math.exp((state / 0x7fff_ffff) * Math.log(1e6)));
}

/** The best of `rounds`, in nanoseconds per turn. */
function best(turns: number, run: () => void): number {
  let leastNs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = process.hrtime.bigint();
    run();
    leastNs = Math.min(leastNs, Number(process.hrtime.bigint() - start) / turns);
  }
  return leastNs;
}

function row(what: string, value: string, note: string): void {
  console.log(`${what.padEnd(34)} ${value.padStart(12)}  ${note}`);
}

assert(startHistograms() === 'wasm', 'WebAssembly is available');

const counts = new Uint32Array(23 * 1_024);
const baselineNs = best(records, () => {
  for (let index = 0; index < records; index++) {
    const us = durationsUs[index & 65_535] as number;
    const bucket = us < 2_048 ? 0 : 21 - Math.clz32(us);
    const place = bucket * 1_024 + Math.floor(us / (1 << bucket));
    counts[place] = (counts[place] as number) + 1;
  }
});
const counted = counts.reduce((sum, count) => sum + count, 0);
assert(counted === records * rounds, 'the baseline counted every value');
row('baseline: counts[index]++', `${baselineNs.toFixed(1)} ns`, 'per record');

for (const engine of ['wasm', 'js'] as const) {
  const recorder = new LatencyRecorder(engine);
  const recordNs = best(records, () => {
    for (let index = 0; index < records; index++)
      recorder.record(Latency.put, durationsUs[index & 65_535] as number, 1);
  });
  globalThis.gc?.();
  const heapBefore = process.memoryUsage().heapUsed;
  for (let index = 0; index < records; index++) recorder.record(Latency.put, durationsUs[index & 65_535] as number, 1);
  const heapBytes = process.memoryUsage().heapUsed - heapBefore;
  const first = recorder.snapshotAndReset()[0];
  assert(first?.count === records * (rounds + 1), 'the recorder counted every value');
  row(
    `${engine}: record`,
    `${recordNs.toFixed(1)} ns`,
    `per record; heap ${(heapBytes / records).toFixed(4)} bytes per record`,
  );

  let snapshotNs = 0;
  let base64Length = 0;
  for (let round = 0; round < encodes; round++) {
    for (let index = 0; index < 65_536; index++) recorder.record(Latency.put, durationsUs[index] as number, 1);
    const start = process.hrtime.bigint();
    const snapshot = recorder.snapshotAndReset()[0];
    snapshotNs += Number(process.hrtime.bigint() - start);
    base64Length = snapshot?.base64.length ?? 0;
    assert(snapshot?.count === 65_536, 'each snapshot starts from nothing');
  }
  row(
    `${engine}: snapshotAndReset`,
    `${(snapshotNs / encodes / 1e6).toFixed(3)} ms`,
    `per histogram of ${base64Length} characters`,
  );

  const decoder = new HdrDecoder();
  const merged = new HdrCounts();
  const decodeNs = best(encodes, () => {
    for (let round = 0; round < encodes; round++) {
      decoder.decode(first?.base64 ?? '');
      decoder.addTo(merged);
    }
  });
  assert(merged.total === records * (rounds + 1) * encodes * rounds, 'merging loses nothing');
  row(`${engine}: decode and merge`, `${(decodeNs / 1e6).toFixed(3)} ms`, 'per histogram, as hist does it');
  recorder.destroy();
}
console.log(`checksum ${counted}`);
