/**
 * What does a scrape of `/metrics` cost the main thread, and what the latencies that an interval brings it?
 *
 * ```
 *   status of so many streams and lanes, latencies ──▶ metricsPage ──▶ text
 *   an interval's snapshots (lanes x streams x 4)  ──▶ LatencyTotals
 * ```
 *
 * One thread. The baseline is the status as JSON, which an answer of `/v1/status` costs.
 */
import { metricsPage } from '../src/daemon/metrics.ts';
import type { Status } from '../src/daemon/status.ts';
import { createLatencyRecorder, Latency, type LatencySnapshot } from '../src/observe/latency.ts';
import { LatencyTotals } from '../src/observe/latency-totals.ts';
import { madeStatus } from '../test/daemon/made-status.ts';
import { type BenchCase, benchSwitches, printLine, runCases } from './harness.ts';

const switches = benchSwitches();

/** A busy lane's figures of one stream: log-normal, as real latencies are. */
function snapshotsOf(events: number): LatencySnapshot[] {
  const recorder = createLatencyRecorder();
  for (let event = 0; event < events; event++) {
    const spread = Math.sin(event * 12.9898) + Math.sin(event * 78.233);
    for (const handle of [Latency.ringWait, Latency.linger, Latency.put, Latency.ingressToAck]) {
      recorder.record(handle, 20_000 * Math.exp(spread), 1);
    }
  }
  const snapshots = recorder.snapshotAndReset();
  recorder.destroy();
  return snapshots;
}

const snapshots = snapshotsOf(switches.smoke ? 10 : 10_000);

function casesOf(streams: number, lanes: number): BenchCase[] {
  const names = Array.from({ length: streams }, (_, i) => `stream-${i}`);
  const status: Status = madeStatus(names, lanes);
  const totals = new LatencyTotals();
  const add = (): number => {
    for (const name of names) for (const snapshot of snapshots) totals.add(name, snapshot);
    return totals.of('put', names[0])?.counts[8] ?? 0;
  };
  add();
  const size = `${streams} streams x ${lanes} lanes`;
  printLine(`${size}: a page of ${Math.round(metricsPage(status, totals).length / 1024)} KiB`);
  return [
    { name: `the page, ${size}`, unit: 'scrape', units: 1, run: () => metricsPage(status, totals).length },
    { name: `the status as JSON, ${size}`, unit: 'scrape', units: 1, run: () => JSON.stringify(status).length },
    { name: `a snapshot into the totals, ${size}`, unit: 'snapshot', units: 4 * streams, run: add },
  ];
}

await runCases([...casesOf(1, 2), ...casesOf(64, 8)], switches);
