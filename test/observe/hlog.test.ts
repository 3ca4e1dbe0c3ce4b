import hdr from 'hdr-histogram-js';
import t from 'tap';
import { LatencyMerge } from '../../src/observe/hist.ts';
import { hlogHeader, hlogLine } from '../../src/observe/hlog.ts';
import { Latency } from '../../src/observe/latency.ts';
import type { LatencyLine } from '../../src/observe/latency-line.ts';
import { latencyLines } from './latency-log.ts';

const startMs = Date.UTC(2026, 10, 27, 18);

t.test("HdrHistogram's log reader reads every interval back: time, length, tag, counts", async (t) => {
  const lines = [
    ...latencyLines(Latency.put, [[1_000, 2_000], [3_000]], { lane: 0, stream: 'orders' }, startMs),
    ...latencyLines(Latency.ingressToRing, [[7, 7, 7]], { lane: 'main' }, startMs + 5_000, 5_000),
  ].map((line) => JSON.parse(line) as LatencyLine);
  const reader = new hdr.HistogramLogReader(hlogHeader(startMs) + lines.map(hlogLine).join(''), 64);
  const merge = new LatencyMerge({ by: 'total', windowMs: 60_000, series: false });
  const seen: unknown[] = [];
  for (let read = reader.nextIntervalHistogram(); read !== null; read = reader.nextIntervalHistogram()) {
    seen.push([
      read.tag,
      read.startTimeStampMsec,
      read.endTimeStampMsec,
      read.totalCount,
      read.getValueAtPercentile(50),
    ]);
  }
  t.equal(reader.startTimeSec, startMs / 1_000);
  t.same(seen, [
    ['put:0:orders', startMs, startMs + 10_000, 2, 1_000],
    ['put:0:orders', startMs + 10_000, startMs + 20_000, 1, 3_001],
    ['ingress_to_ring:main', startMs + 5_000, startMs + 10_000, 3, 7],
  ]);
  for (const line of lines) merge.addLine(JSON.stringify(line));
  t.equal(merge.lines.merged, 3);
});

t.test('the header is that of format 1.3', async (t) => {
  const lines = hlogHeader(startMs).split('\n');
  t.equal(lines[1], '#[Histogram log format version 1.3]');
  t.equal(lines[2], '#[StartTime: 1795802400.000 (seconds since epoch), 2026-11-27T18:00:00.000Z]');
  t.equal(lines[3], '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"');
  t.same(lines.slice(4), ['']);
});

t.test('a stream whose name holds separators or line breaks keeps one line and its fields', async (t) => {
  const [text] = latencyLines(Latency.put, [[5]], { lane: 0, stream: 'a,b c\n#d' }, startMs) as [string];
  const line = hlogLine(JSON.parse(text) as LatencyLine);
  t.match(line, /^Tag=put:0:a_b_c__d,1795802400\.000,10\.000,0\.005,[A-Za-z0-9+/=]+\n$/);
});
