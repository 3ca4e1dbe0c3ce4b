/**
 * Lane: the disk stands still for thirty seconds while all events must be spilled. Senders at level memory are answered as before,
 * memory stays in its budget, and ten seconds later nothing waits any more. Needs root, nbdkit and nbdfuse.
 */
import { withoutTroubledDisk } from '../fault/disks.ts';
import { stallDisk } from '../fault/slow-disk.ts';
import { runLane } from './parts/lane.ts';

const eventsPerSecond = 20_000;
/** More than libuv has threads: each syncs files of its own. */
const streams = 5;
const ackP99Ms = 10;
const drainMs = 10_000;
/** The default of daemon.memory_budget. */
const budgetMiB = 256;

await runLane('slow-disk: thirty seconds without an answer of the disk', async (lane) => {
  const without = withoutTroubledDisk();
  if (without !== false) return lane.figure('skipped', without);
  const stallMs = lane.sized(30_000, 3_000);
  const run = await stallDisk(lane, { stallMs, warmMs: 5_000, eventsPerSecond, streams, fsync: '200ms' });
  for (const report of run.reports) {
    lane.figure('events sent', report.sent);
    // How it is when nothing stands still: what else the machine does shows in both.
    lane.figure('p99 of acks before, ms', report.phases['spilling']!.sinceSent.p99Ms);
    const { p50Ms, p99Ms, p999Ms, maxMs } = report.phases['stall']!.sinceSent;
    const figures = `p50 ${p50Ms.toFixed(2)}, p99 ${p99Ms.toFixed(2)}, p99.9 ${p999Ms.toFixed(1)}, max ${maxMs.toFixed(0)} ms`;
    lane.check(`p99 of acks in the stall: at most ${ackP99Ms} ms`, p99Ms <= ackP99Ms, figures);
    lane.check('no sender was held back', report.heldMs === 0, `${report.heldMs.toFixed(0)} ms`);
    lane.check('nothing was refused', report.refusedEvents === 0, report.refusedEvents);
  }
  const expected = (0.9 * eventsPerSecond * stallMs) / 1000;
  lane.check('what came in the stall was spilled', run.spilledInStall >= expected, run.spilledInStall);
  const memory = `${run.peakMiB.toFixed(0)} MiB, idle ${run.idleMiB.toFixed(0)}, budget ${budgetMiB}`;
  lane.check('memory stays in its budget', run.peakMiB <= run.idleMiB + budgetMiB, memory);
  lane.check('drained within 10 s', run.drainedMs <= drainMs, `${Math.round(run.drainedMs)} ms after the stall`);
  lane.check('lost', run.lost === 0, run.lost);
  const isExact = run.ledger.delivered === run.accepted && run.ledger.accepted === run.accepted;
  lane.check('the ledger is exact', isExact, JSON.stringify(run.ledger));
  lane.check('the daemon stops with 0', run.exitCode === 0, run.exitCode ?? 'a signal');
});
