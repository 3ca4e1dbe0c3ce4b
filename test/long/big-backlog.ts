/**
 * Lane: a start on 1 GiB of spills and dead letters in 10,000 segments. Events are accepted within two seconds, all is counted
 * within ten, in bounded memory and open files; then the endpoint comes back, and the backlog drains beside live traffic at
 * twice its rate without the live events noticing.
 *
 *   node dist/test/long/big-backlog.js [--seed N] [--scale SHARE]
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '../../src/client/client.ts';
import { Rig, type RunningDaemon, until } from '../daemon/running.ts';
import { type Backlog, backlogConfig, backlogStreams, writeBacklog } from '../dlq/backlog.ts';
import { bytes200, checkStream, events200 } from './parts/delivery.ts';
import { type Lane, runLane } from './parts/lane.ts';
import { startSender } from './parts/sending.ts';
import { pause, residentMiB, Watch } from './parts/watch.ts';

const bytes = 1024 ** 3;
const segments = 10_000;
const acceptMsMax = 2_000;
const indexMsMax = 10_000;
const moreMiBMax = 64;
/** Beside those of an empty start: heads or segments that are read ahead, and a segment each that its stream replays. */
const moreFilesMax = 8 + 4 + backlogStreams.length;
const liveEventsPerSecond = 20_000;
/** The default of stream.linger, and what replay may add to it. */
const lingerMs = 100;
const laterMsMax = 50;

await runLane('big-backlog: a start on 1 GiB in 10,000 segments', async (lane) => {
  const rig = await Rig.start(lane, lane.seed, { tls: true, keepBytes: 8 * 1024 ** 3 }, events200());
  const empty = await idle(rig);
  const startedMs = performance.now();
  const backlog = await writeBacklog({
    directory: join(rig.directory, 'state', 'dlq'),
    segments: lane.sized(segments, 300),
    bytes: lane.sized(bytes, 32 * 1024 ** 2),
    events: rig.events,
  });
  lane.figure('segments', backlog.segments);
  lane.figure('spills', backlog.spilled);
  lane.figure('dead letters', backlog.dead);
  lane.figure('writing them, s', (performance.now() - startedMs) / 1000);
  await rig.simulator.faults({ refuse: true });
  const daemon = await checkStart(lane, rig, backlog, empty);
  await checkDrain(lane, rig, daemon, backlog);
  lane.check('the daemon stops with 0', (await daemon.stop()) === 0);
});

interface Idle {
  readonly mebibytes: number;
  readonly files: number;
}

async function startDaemon(rig: Rig, name: string): Promise<RunningDaemon> {
  const listener = `\n[[listen]]\nkind = "unix"\npath = "${liveSocket(rig, name)}"\nstream = "orders"\nack = "stream"\n`;
  const rest = listener + backlogConfig(rig.simulator.url, rig.simulator.caFile);
  return rig.daemon('', `${rest}\n[dlq]\nmax_bytes = "16GiB"\n`, { name });
}

/** Where events are acknowledged when Kinesis has them. */
function liveSocket(rig: Rig, name: string): string {
  return join(rig.directory, `live${name}.sock`);
}

function openFiles(daemon: RunningDaemon): number {
  return readdirSync(`/proc/${daemon.process.pid}/fd`).length;
}

/** The same daemon with nothing on disk. */
async function idle(rig: Rig): Promise<Idle> {
  const daemon = await startDaemon(rig, 'empty');
  const pid = daemon.process.pid as number;
  let mebibytes = 0;
  let files = 0;
  for (let look = 0; look < 40; look++) {
    mebibytes = Math.max(mebibytes, residentMiB(pid));
    files = Math.max(files, openFiles(daemon));
    await daemon.status();
    await pause(50);
  }
  await daemon.stop();
  return { mebibytes, files };
}

/** Starts without an endpoint, so that what is counted stays, and sends some events while it counts. */
async function checkStart(lane: Lane, rig: Rig, backlog: Backlog, empty: Idle): Promise<RunningDaemon> {
  const spawnedMs = performance.now();
  const daemon = await startDaemon(rig, '');
  const client = await connect({ path: daemon.socket });
  const first = backlog.spilled;
  client.send(rig.events.keyOf(first), rig.events.dataOf(first));
  const { accepted } = await client.close();
  const acceptedMs = performance.now() - spawnedMs;
  const claim = `an event is accepted ${acceptMsMax} ms after the process is spawned`;
  lane.check(claim, accepted === 1 && acceptedMs <= acceptMsMax, `${acceptedMs.toFixed(0)} ms`);
  let peakMiB = 0;
  let mostFiles = 0;
  const { ledger } = await until(
    () => {
      peakMiB = Math.max(peakMiB, residentMiB(daemon.process.pid as number));
      mostFiles = Math.max(mostFiles, openFiles(daemon));
      return daemon.status();
    },
    ({ index }) => index.indexed === index.segments,
  );
  const indexedMs = performance.now() - spawnedMs;
  lane.check(`all is counted within ${indexMsMax} ms`, indexedMs <= indexMsMax, `${indexedMs.toFixed(0)} ms`);
  lane.check('all of it was found', ledger.recovered === backlog.spilled + backlog.dead, ledger.recovered);
  const more = peakMiB - empty.mebibytes;
  const memory = `${more.toFixed(0)} MiB, to ${peakMiB.toFixed(0)}`;
  lane.check(`at most ${moreMiBMax} MiB more than an empty start`, more <= moreMiBMax, memory);
  const files = `${mostFiles}, of an empty start ${empty.files}`;
  lane.check('a few open files more', mostFiles <= empty.files + moreFilesMax, files);
  return daemon;
}

async function checkDrain(lane: Lane, rig: Rig, daemon: RunningDaemon, { spilled, dead }: Backlog): Promise<void> {
  const watch = new Watch(lane, daemon, 100);
  await rig.simulator.faults({});
  // Half open, the breakers let through what they want; from the first replayed events on, the backlog drains.
  const first = await watch.until(({ status }) => status.ledger.delivered > 1_000, 60_000);
  const sender = await startSender(lane, {
    path: liveSocket(rig, ''),
    events: bytes200,
    from: spilled + 1,
    eventsPerSecond: liveEventsPerSecond,
    windowBytes: 32 * 1024 ** 2,
    phase: 'drain',
  });
  const last = await watch.until(({ status }) => status.ledger.dlq <= dead, 600_000);
  sender.phase('after');
  await pause(lane.sized(5_000, 2_000));
  const report = await sender.stop();
  await watch.end();
  const seconds = (last.atMs - first.atMs) / 1000;
  const replayed = first.status.ledger.dlq - dead;
  const perSecond = replayed / seconds;
  const found = `${Math.round(perSecond)} a second for ${seconds.toFixed(1)} s`;
  lane.check('the backlog drains at twice the live rate', perSecond >= 2 * liveEventsPerSecond, found);
  lane.check('live events were sent meanwhile', report.sent >= 0.9 * liveEventsPerSecond * seconds, report.sent);
  lane.check('no live event was refused', report.refusedEvents === 0, report.refusedEvents);
  for (const [phase, { sinceSent }] of Object.entries(report.phases)) {
    if (phase === 'all') continue;
    const figures = `p50 ${sinceSent.p50Ms.toFixed(0)}, p99 ${sinceSent.p99Ms.toFixed(0)}, max ${sinceSent.maxMs.toFixed(0)} ms`;
    const claim = `${phase}: Kinesis has live events after linger + ${laterMsMax} ms (p99)`;
    lane.check(claim, sinceSent.p99Ms <= lingerMs + laterMsMax, figures);
  }
  const live = 1 + report.accepted;
  const ledger = await until(
    () => daemon.ledger(),
    ({ inFlight, dlq }) => inFlight === 0 && dlq === dead,
  );
  const expected = { accepted: live, recovered: spilled + dead, delivered: live + spilled, dlq: dead, dropped: 0 };
  const isExact = Object.entries(expected).every(([term, value]) => ledger[term as keyof typeof ledger] === value);
  lane.check('the ledger is exact', isExact, JSON.stringify(ledger));
  lane.figure('most memory, MiB', watch.peakMiB);
  await checkStream(lane, rig, spilled + live);
}
