/**
 * Lane: without an endpoint, two senders hand over events of 1 KB as fast as the daemon takes them. They are set aside on disk
 * nearly as fast as the disk takes plain writes, and the senders' acknowledgements stay quick.
 *
 *   node dist/test/long/spill-speed.js [--seed N] [--scale SHARE]
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writePlainly } from '../../bench/plain-writes.ts';
import { realFiles } from '../../src/edges/files.ts';
import { NumberedEvents } from '../daemon/numbered-events.ts';
import { Rig, until } from '../daemon/running.ts';
import { runLane } from './parts/lane.ts';
import { startSender } from './parts/sending.ts';
import { pause, Watch } from './parts/watch.ts';

const bytes1000 = { least: 980, most: 1_019 };
const senders = 2;
/** A sender that is held back waits for its own window: both together wait some 5 ms at 100 MB/s. */
const windowBytes = 256 * 1024;
const sendMs = 20_000;
/** Of the disk's own speed, by bytes in files. */
const shareMin = 0.8;
const ackP99Ms = 10;
const MiB = 1024 ** 2;
/** The default of dlq.fsync. */
const fsyncMs = 200;
/** Numbers that one sender may use. */
const senderEvents = 100_000_000;

await runLane('spill-speed: senders as fast as they can, and no endpoint', async (lane) => {
  const rig = await Rig.start(lane, lane.seed, {}, new NumberedEvents(bytes1000));
  await rig.simulator.faults({ refuse: true });
  const daemon = await rig.daemon('', '[breaker]\nfailures = 1\n[dlq]\nmax_bytes = "64GiB"\n');
  const watch = new Watch(lane, daemon, 100);
  const plans = Array.from({ length: senders }, (_, i) => ({
    path: daemon.socket,
    events: bytes1000,
    from: i * senderEvents,
    windowBytes,
    phase: 'before',
  }));
  const started = await Promise.all(plans.map((plan) => startSender(lane, plan)));
  await daemon.line(({ kind, to }) => kind === 'breaker' && to === 'open');
  await watch.until(({ status }) => status.ledger.dlq > 10_000, 30_000);
  for (const sender of started) sender.phase('spilling');
  const [fromBytes, fromMs] = [rig.spilledBytes(), performance.now()];
  await pause(lane.sized(sendMs, 3_000));
  const [toBytes, toMs] = [rig.spilledBytes(), performance.now()];
  const reports = await Promise.all(started.map((sender) => sender.stop()));
  await watch.end();
  const spilling = (toBytes - fromBytes) / (toMs - fromMs);
  const disk = await diskSpeed(rig.directory, toBytes - fromBytes);
  lane.figure('spilled, MB/s', spilling / 1_000);
  lane.figure('plain writes, MB/s', disk / 1_000);
  const share = `${((100 * spilling) / disk).toFixed(0)} %`;
  lane.check(`spills at ${100 * shareMin} % of the disk's speed or more`, spilling >= shareMin * disk, share);
  for (const report of reports) {
    const acks = report.phases['spilling']?.sinceSent;
    const figures = `p50 ${acks?.p50Ms.toFixed(2)}, p99 ${acks?.p99Ms.toFixed(2)}, max ${acks?.maxMs.toFixed(0)} ms`;
    lane.check(`p99 of acks at level memory: at most ${ackP99Ms} ms`, (acks?.p99Ms ?? Infinity) <= ackP99Ms, figures);
    lane.check('nothing was refused', report.refusedEvents === 0, report.refusedEvents);
  }
  const accepted = reports.reduce((sum, report) => sum + report.accepted, 0);
  const ledger = await until(
    () => daemon.ledger(),
    ({ inFlight, dlq }) => inFlight + dlq === accepted,
  );
  lane.check('the ledger is exact', ledger.accepted === accepted, JSON.stringify(ledger));
  lane.figure('most memory, MiB', watch.peakMiB);
  lane.check('the daemon stops with 0', (await daemon.stop()) === 0);
});

/** Bytes a millisecond of plain sequential writes on the same disk, synced as often. */
async function diskSpeed(directory: string, bytes: number): Promise<number> {
  const path = join(directory, 'plain');
  const file = await realFiles.open(path, 'create');
  const startMs = performance.now();
  const memory = Buffer.alloc(MiB, 0x78);
  await writePlainly(file, { memory, from: 0, length: bytes, blockBytes: MiB, inFlight: 1, fsyncMs });
  const tookMs = performance.now() - startMs;
  await file.close();
  rmSync(path);
  return bytes / tookMs;
}
