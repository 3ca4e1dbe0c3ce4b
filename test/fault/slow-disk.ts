/**
 * Stalls the disk under a real daemon that must spill, since its Kinesis is away, while a sender goes on at its rate. Used by
 * slow-disk.test.ts and, with a longer stall and a higher rate, by test/long/slow-disk.ts.
 *
 * ```
 *   before ─▶ Kinesis away: everything is spilled ─▶ stall: the device answers nothing ─▶ it does again, Kinesis is back ─▶ drained
 * ```
 */
import { join } from 'node:path';
import { NumberedEvents } from '../daemon/numbered-events.ts';
import { drained, type Ending, type Ledger, type LogLine, Rig, until } from '../daemon/running.ts';
import { type Sender, type SenderReport, startSender } from '../long/parts/sending.ts';
import { pause, residentMiB, Watch } from '../long/parts/watch.ts';
import { mountTroubledDisk } from './disks.ts';

const diskMiB = 512;
const eventBytes = { least: 180, most: 219 };

/** Numbers that one sender may use. */
const senderEvents = 2_000_000;

export interface StallPlan {
  readonly stallMs: number;
  /** Of all senders together. */
  readonly eventsPerSecond: number;
  /** Each has a sender, and files of its own in the DLQ. */
  readonly streams: number;
  /** Spilling before the disk stalls: the daemon's code is compiled in the first seconds. */
  readonly warmMs: number;
  /** Of dlq.fsync. */
  readonly fsync: string;
}

export interface StallReport {
  /** By stream. */
  readonly reports: readonly SenderReport[];
  /** Of all of them. */
  readonly accepted: number;
  /** Spills that were taken while the disk stood still. */
  readonly spilledInStall: number;
  readonly idleMiB: number;
  readonly peakMiB: number;
  /** From the end of the stall until nothing waited any more. */
  readonly drainedMs: number;
  readonly lost: number;
  readonly ledger: Ledger;
  readonly told: readonly LogLine[];
  readonly exitCode: number | null;
}

export async function stallDisk(ending: Ending, plan: StallPlan): Promise<StallReport> {
  const rig = await Rig.start(ending, 1, { keepBytes: 4 * 1024 ** 3 }, new NumberedEvents(eventBytes));
  const disk = await mountTroubledDisk(ending, join(rig.directory, 'state'), diskMiB);
  // Small segments: several are full within the stall.
  const rest = `[dlq]\nfsync = "${plan.fsync}"\nsegment_bytes = "2MiB"\n[breaker]\nfailures = 1\n`;
  const others = Array.from({ length: plan.streams - 1 }, (_, index) => otherStream(rig, index + 1));
  const daemon = await rig.daemon('', `${others.map(({ config }) => config).join('')}${rest}`);
  const idleMiB = residentMiB(daemon.process.pid as number);
  const watch = new Watch(ending, daemon, 50);
  const senders: Sender[] = [];
  for (const path of [daemon.socket, ...others.map(({ socket }) => socket)]) {
    const from = senders.length * senderEvents;
    const eventsPerSecond = plan.eventsPerSecond / plan.streams;
    senders.push(await startSender(ending, { path, events: eventBytes, from, eventsPerSecond, phase: 'before' }));
  }
  await rig.simulator.faults({ refuse: true });
  await daemon.line(({ kind, breaker, to }) => kind === 'breaker' && breaker === 'lane' && to === 'open');
  for (const sender of senders) sender.phase('spilling');
  await pause(plan.warmMs);
  const before = await daemon.ledger();
  for (const sender of senders) sender.phase('stall');
  const stalledMs = performance.now();
  disk.stall(plan.stallMs);
  await pause(plan.stallMs);
  const after = await daemon.ledger();
  for (const sender of senders) sender.phase('after');
  await rig.simulator.faults({});
  await watch.until(({ status }) => status.ledger.dlq === 0 && status.backlog.oldestMs < 1_000, 60_000);
  const drainedMs = performance.now() - stalledMs - plan.stallMs;
  const reports = await Promise.all(senders.map((sender) => sender.stop()));
  const accepted = reports.reduce((sum, report) => sum + report.accepted, 0);
  const ledger = await until(() => daemon.ledger(), drained(accepted));
  await watch.end();
  const oracle = await rig.readBack(plan.streams * senderEvents);
  const lost = reports.reduce((sum, { sent }, index) => {
    const from = index * senderEvents;
    return sum + oracle.counts(from, from + sent).lost;
  }, 0);
  const told = daemon.log.filter(({ kind }) => kind === 'dlq');
  return {
    reports,
    accepted,
    spilledInStall: after.dlq - before.dlq,
    idleMiB,
    peakMiB: watch.peakMiB,
    drainedMs,
    lost,
    ledger,
    told,
    exitCode: await daemon.stop(),
  };
}

/** A stream that goes to the same place as the first, and a listener of its own. */
function otherStream(rig: Rig, index: number): { readonly socket: string; readonly config: string } {
  const socket = join(rig.directory, `other${index}.sock`);
  const config = `
[[stream]]
name = "other${index}"
stream_name = "orders"
region = "us-east-1"
endpoint = "${rig.simulator.url}"
[[listen]]
kind = "unix"
path = "${socket}"
stream = "other${index}"
`;
  return { socket, config };
}
