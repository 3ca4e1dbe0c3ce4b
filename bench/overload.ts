/**
 * Question: what becomes of goodput, latency and fairness at ten times of what the endpoint takes, and how does the daemon heal
 * from a minute without endpoint?
 *
 * ```
 *   sender process, 10 connections ─ unix socket ─▶ daemon process, one lane ─ HTTPS ─▶ simulator process, a fixed rate
 *   refuse:  probe ─▶ 95 % of the rate (the peak) ─▶ ten times, open loop, one connection greedy
 *   spill:   half of the rate ─▶ the same, and the endpoint gone ─▶ the same until the backlog is gone
 * ```
 *
 * The rate is fixed by four requests of 256 KiB that each take 100 ms, so that the three processes and this one leave the
 * machine's cores idle for most of the time. "Twice the load" of the outage is half of the rate: the usual load is a quarter of it.
 *
 *   node dist/bench/overload.js [--case refuse|spill] [--scale SHARE] [--svg FILE] [--json] [--smoke]
 *
 * Exits with 1 when a promise is not kept. `--scale 0.1` makes the phases a tenth as long; `--smoke` much shorter, and judges nothing.
 */
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { type LineChart, lineChartsSvg } from '../src/observe/svg.ts';
import { printLine } from './harness.ts';
import { delivered, type Finding, judgeOutage, judgeOverload, rate } from './overload-figures.ts';
import { connections, type Sample, Stage } from './overload-stage.ts';

const { values: switches } = parseArgs({
  options: {
    case: { type: 'string', default: 'both' },
    scale: { type: 'string', default: '1' },
    svg: { type: 'string' },
    json: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
  },
});
const scale = switches.smoke ? 0.01 : Number(switches.scale);
if (!(scale > 0 && scale <= 1)) throw new Error(`--scale ${switches.scale}: a number above 0, at most 1`);
if (!['both', 'refuse', 'spill'].includes(switches.case)) throw new Error(`--case ${switches.case}: refuse or spill`);
/** What the rings and the daemon's code need until figures mean something. */
const settleMs = switches.smoke ? 700 : 3_000;
const sized = (ms: number): number => Math.max(switches.smoke ? 600 : 3_000, ms * scale);
const nothing = { findings: [], charts: [] };
const evenly = (eventsPerSecond: number): number[] => Array<number>(connections).fill(eventsPerSecond / connections);

const flood = await floodOf();
const outage = switches.case === 'refuse' ? nothing : await outageOf(flood.capacity);
const findings = [...flood.findings, ...outage.findings];
for (const found of findings) tell(found);
if (switches.svg !== undefined) writeFileSync(switches.svg, lineChartsSvg([...flood.charts, ...outage.charts]));
if (!switches.smoke && findings.some(({ kept }) => !kept)) process.exitCode = 1;

/** Ten times the load, which is refused. */
async function floodOf(): Promise<{ capacity: number; findings: readonly Finding[]; charts: LineChart[] }> {
  const stage = await Stage.open('refuse');
  try {
    // About twice what it takes: enough to fill it, little enough for a small machine.
    const probe = await stage.phase(evenly(60_000), settleMs, sized(5_000));
    const capacity = rate(probe, delivered);
    figure('what the endpoint takes, events a second', capacity);
    if (switches.case === 'spill') return { capacity, ...nothing };
    // What the probe has left in the rings must not count.
    await stage.phase(evenly(0.5 * capacity), settleMs, 100);
    const peak = await stage.phase(evenly(0.95 * capacity), settleMs, sized(15_000));
    const openedBefore = openings(stage);
    const modest = capacity / (2 * connections);
    const greedy = 10 * capacity - (connections - 1) * modest;
    const machine = monitorEventLoopDelay({ resolution: 1 });
    machine.enable();
    const rates = [greedy, ...Array<number>(connections - 1).fill(modest)];
    const tenTimes = await stage.phase(rates, settleMs, sized(30_000));
    machine.disable();
    const idleP99Ms = machine.percentile(99) / 1e6;
    const charts = [
      chart('Ten times the load: events per second', stage.samples, [
        ['delivered', (sample) => sample.status.ledger.delivered],
        ['accepted', (sample) => sample.status.ledger.accepted],
      ]),
      chart('Refused, events per second', stage.samples, [['refused', (sample) => sample.status.ledger.refused]]),
    ].map((drawn) => ({
      ...drawn,
      bands: [{ from: tenTimes.fromMs / 1_000, to: tenTimes.toMs / 1_000, label: 'ten times' }],
    }));
    return {
      capacity,
      findings: judgeOverload({ peak, flood: tenTimes, capacity, idleP99Ms }, openings(stage) - openedBefore),
      charts,
    };
  } finally {
    await stage.close();
  }
}

/** The endpoint is gone; what comes in meanwhile is spilled and comes back. */
async function outageOf(capacity: number): Promise<{ findings: readonly Finding[]; charts: LineChart[] }> {
  const stage = await Stage.open('spill');
  try {
    const rates = evenly(capacity / 2);
    await stage.phase(rates, settleMs, sized(3_000));
    await stage.simulator.faults({ refuse: true });
    const gone = await stage.phase(rates, 0, sized(60_000));
    await stage.simulator.faults({ latencyMs: 100 });
    const backMs = stage.now();
    // A short outage has the same settling times as a long one.
    const healMsMax = 120_000 * scale + (scale < 1 ? 10_000 : 0);
    const isHealed = ({ status }: Sample): boolean => status.ledger.dlq === 0 && status.backlog.oldestMs < 1_000;
    const healed = await stage.until(isHealed, healMsMax + 10_000);
    const { samples } = stage;
    const drawn = chart('An outage at twice the load: events per second', samples, [
      ['delivered', (sample) => sample.status.ledger.delivered],
      ['accepted', (sample) => sample.status.ledger.accepted],
    ]);
    const waiting: LineChart = {
      title: 'Backlog on disk',
      xLabel: 'seconds',
      yLabel: 'events',
      series: [{ name: 'on disk', points: samples.map(({ ms, status }) => [ms / 1_000, status.ledger.dlq] as const) }],
    };
    const bands = [{ from: gone.fromMs / 1_000, to: backMs / 1_000, label: 'endpoint gone' }];
    figure('most on disk, events', Math.max(...samples.map(({ status }) => status.ledger.dlq)));
    return {
      findings: judgeOutage({ backMs, healedMs: healed?.ms, samples, healMsMax }),
      charts: [drawn, waiting].map((each) => ({ ...each, bands })),
    };
  } finally {
    await stage.close();
  }
}

/** How often a lane's breaker has opened. */
function openings({ daemon }: Stage): number {
  return daemon.log.filter(({ kind, breaker, to }) => kind === 'breaker' && breaker === 'lane' && to === 'open').length;
}

/** Rates over half a second of what grows. */
function chart(
  title: string,
  samples: readonly Sample[],
  sums: readonly [string, (sample: Sample) => number][],
): LineChart {
  const span = 5;
  const series = sums.map(([name, of]) => ({
    name,
    points: samples.slice(span).map((sample, i) => {
      const before = samples[i] as Sample;
      return [sample.ms / 1_000, ((of(sample) - of(before)) * 1_000) / (sample.ms - before.ms)] as const;
    }),
  }));
  return { title, xLabel: 'seconds', yLabel: 'events per second', series };
}

function figure(what: string, value: number): void {
  if (!switches.json) printLine(`      ${what.padEnd(66)} ${Math.round(value).toLocaleString('en')}`);
}

function tell(found: Finding): void {
  if (switches.json) printLine(JSON.stringify(found));
  else
    printLine(`${switches.smoke ? '' : found.kept ? 'ok    ' : 'MISSED'} ${found.promise.padEnd(66)} ${found.found}`);
}
