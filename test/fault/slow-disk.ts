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
import { type SenderReport, startSender } from '../long/parts/sending.ts';
import { pause, residentMiB, Watch } from '../long/parts/watch.ts';
import { mountTroubledDisk } from './disks.ts';

const diskMiB = 512;
const eventBytes = { least: 180, most: 219 };

export interface StallPlan {
  readonly stallMs: number;
  readonly eventsPerSecond: number;
  /** Spilling before the disk stalls: the daemon's code is compiled in the first seconds. */
  readonly warmMs: number;
  /** Of dlq.fsync. */
  readonly fsync: string;
}

export interface StallReport {
  readonly report: SenderReport;
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
  const daemon = await rig.daemon('', rest);
  const idleMiB = residentMiB(daemon.process.pid as number);
  const watch = new Watch(ending, daemon, 50);
  const sender = await startSender(ending, {
    path: daemon.socket,
    events: eventBytes,
    from: 0,
    eventsPerSecond: plan.eventsPerSecond,
    phase: 'before',
  });
  await rig.simulator.faults({ refuse: true });
  await daemon.line(({ kind, breaker, to }) => kind === 'breaker' && breaker === 'lane' && to === 'open');
  await pause(plan.warmMs);
  const before = await daemon.ledger();
  sender.phase('stall');
  const stalledMs = performance.now();
  disk.stall(plan.stallMs);
  await pause(plan.stallMs);
  const after = await daemon.ledger();
  sender.phase('after');
  await rig.simulator.faults({});
  await watch.until(({ status }) => status.ledger.dlq === 0 && status.backlog.oldestMs < 1_000, 60_000);
  const drainedMs = performance.now() - stalledMs - plan.stallMs;
  const report = await sender.stop();
  const ledger = await until(() => daemon.ledger(), drained(report.accepted));
  await watch.end();
  const { lost } = (await rig.readBack(report.sent)).counts();
  const told = daemon.log.filter(({ kind }) => kind === 'dlq');
  return {
    report,
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
