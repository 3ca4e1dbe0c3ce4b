/**
 * Question: what does an event cost the daemon from its sender's socket to an acknowledged PutRecords over TLS, how many can
 * there be in a second, and how far is that from the floor (bench/floor)?
 *
 * ```
 *   sender process ─ unix socket ─▶ daemon process ─ HTTPS, PutRecords, JSON ─▶ simulator process (4 shards, counting mode)
 *        ▲  acks, level memory  ◀────────┘
 * ```
 *
 * All three run on this machine's cores. 10,000 keys, KPL aggregation, and everything else as the daemon has it by default but
 * `overflow = "block"`: the sender is as fast as it is let. A round ends when the daemon's ledger says that every event of it is
 * delivered. CPU is the daemon's own, user and system, all threads, by /proc. The figures are medians over the rounds, beside
 * the cheapest round, because noise only adds; the floor, itself the least of its passes, is measured in the same run before.
 *
 *   node dist/bench/end-to-end.js [--smoke] [--json] [--case NAME] [--wire json|cbor] [--profile DIR]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { latencyRow } from '../src/observe/latency-row.ts';
import { type SimulatorProcess, startSimulator } from '../src/simulator/process.ts';
import { peakResidentBytes, processCpuSeconds, type WatchedDaemon, watchDaemon } from './end-to-end-daemon.ts';
import { keyCount, type LoadCase } from './end-to-end-load.ts';
import type { SenderReport } from './end-to-end-sender.ts';
import { measureFloor } from './floor.ts';
import { median, printLine } from './harness.ts';

const cases: readonly LoadCase[] = [
  { name: 'frames-200', framing: 'frames', eventBytes: 200 },
  { name: 'frames-1000', framing: 'frames', eventBytes: 1_000 },
  { name: 'lines-200', framing: 'lines', eventBytes: 200 },
  { name: 'lines-1000', framing: 'lines', eventBytes: 1_000 },
];

/** Bytes of events in one round, and rounds after the first, which warms up and is not counted. */
const roundBytes = 800_000_000;
const rounds = 4;

interface Round {
  readonly seconds: number;
  readonly daemonCpu: number;
  readonly senderCpu: number;
  readonly simulatorCpu: number;
}

const { values: switches } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    case: { type: 'string' },
    wire: { type: 'string', default: 'json' },
    profile: { type: 'string' },
  },
});

for (const loadCase of cases) {
  if (switches.case === undefined || switches.case === loadCase.name) await report(loadCase);
}

async function report(loadCase: LoadCase): Promise<void> {
  const blocks = switches.smoke ? 2 : Math.ceil(roundBytes / loadCase.eventBytes / keyCount);
  const events = blocks * keyCount;
  const floor = await measureFloor({ eventBytes: loadCase.eventBytes, events: Math.min(events, 1_000_000) });
  const { measured, peakBytes, put, ack, connections } = await run(loadCase, events);
  const millions = events / 1e6;
  const seconds = median(measured.map((round) => round.seconds));
  const cpus = measured.map(({ daemonCpu }) => daemonCpu / millions);
  const cpu = median(cpus);
  const row = {
    case: loadCase.name,
    events,
    eventsPerSecond: Math.round(events / seconds),
    megabytesPerSecond: Math.round((events * loadCase.eventBytes) / seconds / 1e6),
    daemonCpuSecondsPerMillion: rounded(cpu),
    daemonCpuSecondsPerMillionLeast: rounded(Math.min(...cpus)),
    floorCpuSecondsPerMillion: rounded(floor.cpuSecondsPerMillion),
    timesFloor: rounded(cpu / floor.cpuSecondsPerMillion),
    senderCpuSecondsPerMillion: rounded(median(measured.map(({ senderCpu }) => senderCpu)) / millions),
    simulatorCpuSecondsPerMillion: rounded(median(measured.map(({ simulatorCpu }) => simulatorCpu)) / millions),
    peakMemoryMiB: Math.round(peakBytes / 2 ** 20),
    tlsConnections: connections,
    ingressToAckMs: ack,
    putMs: put,
  };
  printLine(switches.json ? JSON.stringify(row) : textOf(row));
}

async function run(loadCase: LoadCase, events: number) {
  const directory = await mkdtemp(join(tmpdir(), 'spillway-bench-'));
  const simulator = await startSimulator({ streams: [{ name: 'orders', shards: 4 }], tls: true, counting: true });
  const daemon = await watchDaemon({
    directory,
    endpoint: simulator.url,
    caFile: simulator.caFile as string,
    wire: switches.wire,
    profileDir: switches.profile,
  });
  const sender = fork(fileURLToPath(new URL('end-to-end-sender.js', import.meta.url)), [
    daemon.socket,
    JSON.stringify(loadCase),
  ]);
  try {
    const measured: Round[] = [];
    for (let round = 0; round <= (switches.smoke ? 1 : rounds); round++) {
      if (round === 1) daemon.resetLatencies();
      const figures = await oneRound(sender, daemon, simulator, events, (round + 1) * events);
      if (round > 0) measured.push(figures);
    }
    const peakBytes = peakResidentBytes(daemon.pid);
    const connections = (await simulator.stats()).connections.tlsOpened;
    const senderEnded = once(sender, 'exit');
    sender.disconnect();
    await senderEnded;
    await daemon.stop();
    return {
      measured,
      peakBytes,
      connections,
      ack: percentiles(daemon, 'ingress_to_ack'),
      put: percentiles(daemon, 'put'),
    };
  } finally {
    sender.kill();
    daemon.kill();
    await simulator.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function oneRound(
  sender: ChildProcess,
  daemon: WatchedDaemon,
  simulator: SimulatorProcess,
  events: number,
  deliveredAfter: number,
): Promise<Round> {
  const pids = [daemon.pid, sender.pid as number, simulator.pid];
  const before = pids.map(processCpuSeconds);
  const fromMs = performance.now();
  const answer = once(sender, 'message') as Promise<[SenderReport]>;
  sender.send({ events });
  const [{ accepted }] = await answer;
  if (accepted !== events) throw new Error(`the daemon accepted ${accepted} of ${events} events`);
  while ((await daemon.delivered()) < deliveredAfter) await new Promise((resolve) => setTimeout(resolve, 20));
  const seconds = (performance.now() - fromMs) / 1000;
  const [daemonCpu, senderCpu, simulatorCpu] = pids.map((pid, i) => processCpuSeconds(pid) - (before[i] as number));
  return {
    seconds,
    daemonCpu: daemonCpu as number,
    senderCpu: senderCpu as number,
    simulatorCpu: simulatorCpu as number,
  };
}

function percentiles(daemon: WatchedDaemon, histogram: string): { p50: number; p99: number } {
  const merged = daemon.latencies.groups().find((group) => group.histogram === histogram);
  if (merged === undefined) throw new Error(`the daemon logged no ${histogram} histogram`);
  const { p50Us, p99Us } = latencyRow(merged);
  return { p50: rounded(p50Us / 1000), p99: rounded(p99Us / 1000) };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function textOf(row: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(row).map(
    ([name, value]) => `  ${name.padEnd(32)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  );
  return lines.join('\n');
}
