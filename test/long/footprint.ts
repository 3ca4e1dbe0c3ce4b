/**
 * Lane: what a daemon with one stream and its default configuration costs before it does anything, how soon it is ready, and
 * that its connections are kept: one for each request slot, however many calls there are.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { drained, Rig, type RunningDaemon, until } from '../daemon/running.ts';
import { bytes200, checkStream, events200 } from './parts/delivery.ts';
import { type Lane, runLane } from './parts/lane.ts';
import { startSender } from './parts/sending.ts';
import { pause, proportionalMiB, residentMiB } from './parts/watch.ts';

const starts = 10;
const readyMsMax = 500;
const idleMiBMax = 120;
/** The default of stream.requests_in_flight. */
const slots = 4;

await runLane('footprint: start, idle memory, connections', async (lane) => {
  const rig = await Rig.start(lane, lane.seed, { tls: true }, events200());
  await checkStarts(lane, rig);
  const daemon = await rig.daemon('linger = "5ms"');
  await checkIdle(lane, daemon);
  await checkConnections(lane, rig, daemon);
  lane.check('the daemon stops with 0', (await daemon.stop()) === 0);
});

/** From before the process is spawned until its `ready` line is read. */
async function checkStarts(lane: Lane, rig: Rig): Promise<void> {
  const took: number[] = [];
  for (let start = 0; start < starts; start++) {
    const fromMs = performance.now();
    const daemon = await rig.daemon();
    took.push(performance.now() - fromMs);
    await daemon.stop();
  }
  took.sort((a, b) => a - b);
  const [medianMs, slowestMs] = [took[starts >> 1] as number, took.at(-1) as number];
  lane.check(`ready within ${readyMsMax} ms, median of ${starts}`, medianMs <= readyMsMax, `${medianMs.toFixed(0)} ms`);
  lane.figure('slowest start, ms', Math.round(slowestMs));
  lane.figure('an empty Node program beside it, ms', Math.round(await emptyProgramMs()));
}

/** How fast this machine is now: the least that any start can take. */
async function emptyProgramMs(): Promise<number> {
  const took: number[] = [];
  for (let start = 0; start < starts; start++) {
    const fromMs = performance.now();
    await once(spawn(process.execPath, ['-e', '0']), 'exit');
    took.push(performance.now() - fromMs);
  }
  return took.sort((a, b) => a - b)[starts >> 1] as number;
}

async function checkIdle(lane: Lane, daemon: RunningDaemon): Promise<void> {
  const pid = daemon.process.pid as number;
  let most = residentMiB(pid);
  for (let second = 0; second < lane.sized(15, 2); second++) {
    await pause(1_000);
    most = Math.max(most, residentMiB(pid));
  }
  lane.check(`idle below ${idleMiBMax} MiB`, most < idleMiBMax, `${most.toFixed(0)} MiB resident at most`);
  lane.figure('of it, shared pages counted in part, MiB', proportionalMiB(pid));
}

/** A slow trickle, so that there are many small requests. */
async function checkConnections(lane: Lane, rig: Rig, daemon: RunningDaemon): Promise<void> {
  const count = lane.sized(20_000, 4_000);
  const plan = { path: daemon.socket, events: bytes200, from: 0, count, eventsPerSecond: 2_000, phase: 'all' };
  const before = (await rig.simulator.stats()).connections.tlsOpened;
  const { accepted } = await (await startSender(lane, plan)).report;
  await until(() => daemon.ledger(), drained(accepted));
  const { connections, requests } = await rig.simulator.stats();
  const calls = requests['PutRecords'] ?? 0;
  lane.check('hundreds of calls', calls >= lane.sized(300, 60), calls);
  // The daemon's first connection, for its shard map, was made before.
  const opened = connections.tlsOpened - before + 1;
  lane.check(`at most ${slots} TLS connections`, opened <= slots, opened);
  await checkStream(lane, rig, count);
}
