/**
 * An outage of the endpoint under a sender that goes on at its rate: the run itself, for the lanes that judge it. Three
 * processes beside this one: sender, daemon, simulator over TLS. The last stands for a service on other machines, and so has
 * the cores when the daemon and its sender do not want them.
 *
 * ```
 *   before ─▶ outage: the port is closed ─▶ drain: it is open again, the sender still sends ─▶ sender stops, the rest is drained
 * ```
 */
import { setPriority } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { drained, type LogLine, Rig, type RunningDaemon, until } from '../../daemon/running.ts';
import { bytes200, checkBooks, checkStream, events200 } from './delivery.ts';
import type { Lane } from './lane.ts';
import { type SenderReport, startSender } from './sending.ts';
import { pause, residentMiB, type Sample, Watch } from './watch.ts';

export const eventsPerSecond = 50_000;
/** The default of daemon.memory_budget. */
const budgetMiB = 256;
/** Defaults of [breaker]: what saturation is. */
const openAt = 0.9;
const openAfterMs = 1_000;
/** How late a breaker may be. */
const openWithinMs = 100;

export interface OutagePlan {
  readonly overflow: 'spill' | 'refuse' | 'block';
  readonly beforeMs: number;
  readonly outageMs: number;
}

export interface OutageRun {
  readonly report: SenderReport;
  readonly daemon: RunningDaemon;
  readonly samples: readonly Sample[];
  /** When the port was closed, open again, and all of the backlog gone; milliseconds since the epoch. */
  readonly closedMs: number;
  readonly openMs: number;
  readonly drainedMs: number;
}

/** Runs it and checks what holds for every policy: books, stream, memory, breaker. */
export async function runOutage(lane: Lane, plan: OutagePlan): Promise<OutageRun> {
  const rig = await Rig.start(lane, lane.seed, { tls: true, keepBytes: 16 * 1024 ** 3 }, events200());
  setPriority(rig.simulator.pid, 10);
  const daemon = await rig.daemon(`overflow = "${plan.overflow}"`);
  const idleMiB = residentMiB(daemon.process.pid as number);
  const watch = new Watch(lane, daemon, 100);
  const sender = await startSender(lane, {
    path: daemon.socket,
    events: bytes200,
    from: 0,
    eventsPerSecond,
    phase: 'before',
  });
  // What this idle process waits for a core says what the machine itself adds to every answer.
  const machine = monitorEventLoopDelay({ resolution: 1 });
  machine.enable();
  await pause(plan.beforeMs);
  sender.phase('outage');
  watch.everyMs = 10;
  await rig.simulator.faults({ refuse: true });
  const closedMs = Date.now();
  await pause(plan.outageMs);
  watch.everyMs = 100;
  sender.phase('drain');
  await rig.simulator.faults({});
  const openMs = Date.now();
  const last = await watch.until(isDrained, 4 * plan.outageMs + 30_000);
  const report = await sender.stop();
  await watch.end();
  machine.disable();
  const ledger = await until(() => daemon.ledger(), drained(report.accepted), 60_000);
  const run = { report, daemon, samples: watch.samples, closedMs, openMs, drainedMs: last.atMs };

  lane.figure('events sent', report.sent);
  const [p99Ms, maxMs] = [machine.percentile(99) / 1e6, machine.max / 1e6];
  lane.figure('a timer of 1 ms in an idle process took, ms', `p99 ${p99Ms.toFixed(1)}, max ${maxMs.toFixed(0)}`);
  lane.check(
    'the sender kept its rate',
    kept(plan, run),
    `${report.sent} events, held for ${report.heldMs.toFixed(0)} ms`,
  );
  checkBooks(lane, ledger, { accepted: report.accepted, refused: report.refusedEvents });
  const memory = `${watch.peakMiB.toFixed(0)} MiB, idle ${idleMiB.toFixed(0)}, budget ${budgetMiB}`;
  lane.check('memory stays in its budget', watch.peakMiB <= idleMiB + budgetMiB, memory);
  checkBreaker(lane, run);
  await checkStream(lane, rig, report.sent, report.refusedRanges);
  lane.check('the daemon stops with 0', (await daemon.stop()) === 0);
  return run;
}

/** Nothing on disk, and nothing old in the rings. */
function isDrained({ status }: Sample): boolean {
  return status.ledger.dlq === 0 && status.backlog.oldestMs < openAfterMs && status.ledger.inFlight < eventsPerSecond;
}

function kept({ beforeMs, outageMs }: OutagePlan, { report, openMs, drainedMs }: OutageRun): boolean {
  const sendingMs = beforeMs + outageMs + (drainedMs - openMs) - report.heldMs;
  return report.sent >= 0.95 * eventsPerSecond * (sendingMs / 1000);
}

/**
 * Saturation is the first sample (every 10 ms) in which a lane's ring is as full as open_at or its oldest event as old as
 * open_after; for the age, the moment is counted back from the sample. The breaker's moment is the time of its log line.
 */
function checkBreaker(lane: Lane, { daemon, samples, closedMs }: OutageRun): void {
  const opened = (breaker: string): LogLine | undefined =>
    daemon.log.find((line) => line.kind === 'breaker' && line['breaker'] === breaker && line['to'] === 'open');
  const [streamLine, laneLine] = [opened('stream'), opened('lane')];
  const at = (line: LogLine | undefined): number => Date.parse(String(line?.['time']));
  lane.figure("stream's breaker open, ms after the port closed", at(streamLine) - closedMs);
  const saturated = samples.find(({ atMs, status }) => atMs >= closedMs && status.lanes.some(isSaturated));
  if (saturated === undefined || laneLine === undefined) {
    lane.check('a lane was saturated and its breaker opened', false);
    return;
  }
  const oldestMs = Math.max(...saturated.status.lanes.map((row) => row.oldestMs));
  const byAge = oldestMs >= openAfterMs;
  const saturatedMs = saturated.atMs - (byAge ? oldestMs - openAfterMs : 0);
  const lateMs = at(laneLine) - saturatedMs;
  const how = `${lateMs.toFixed(0)} ms after ${byAge ? 'the oldest event had waited 1 s' : 'the ring was nine tenths full'}`;
  lane.check(`a lane's breaker is open ${openWithinMs} ms after saturation`, lateMs <= openWithinMs, how);
  lane.figure("cause in the lane's breaker line", String(laneLine['cause']));
}

function isSaturated(row: Sample['status']['lanes'][number]): boolean {
  return row.ringBytes >= openAt * row.ringCapacity || row.oldestMs >= openAfterMs;
}
