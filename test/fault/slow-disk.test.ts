import t from 'tap';
import { withoutTroubledDisk } from './disks.ts';
import { stallDisk } from './slow-disk.ts';

const skip = withoutTroubledDisk();
const plan = { stallMs: 4_000, eventsPerSecond: 10_000, warmMs: 500, fsync: '200ms' };
/** One more than libuv has threads: each stream syncs files of its own. */
const manyStreams = 5;

for (const streams of [1, manyStreams]) {
  t.test(
    `while the disk stands still, senders at level memory are answered as before, and nothing is lost: ${streams} streams`,
    { skip },
    async (t) => {
      const run = await stallDisk(t, { ...plan, streams });
      for (const { phases, heldMs, refusedEvents } of run.reports) {
        const { p99Ms, maxMs } = phases['stall']!.sinceSent;
        t.comment(`acks in the stall: p99 ${p99Ms} ms, most ${maxMs} ms`);
        // Other tests have the cores; alone the limits are 10 ms and 10 s: test/long/slow-disk. One that waits for the disk waits for seconds.
        t.ok(p99Ms < 200);
        t.equal(refusedEvents, 0);
        t.equal(heldMs, 0, 'no sender was held back');
      }
      t.comment(`drained ${Math.round(run.drainedMs)} ms later`);
      t.comment(`memory: ${Math.round(run.peakMiB)} MiB at most, ${Math.round(run.idleMiB)} idle`);
      t.ok(
        run.spilledInStall > (0.9 * plan.eventsPerSecond * plan.stallMs) / 1000,
        `${run.spilledInStall} spills in the stall`,
      );
      t.equal(run.lost, 0);
      t.match(run.ledger, { accepted: run.accepted, delivered: run.accepted, dropped: 0 });
      t.equal(run.exitCode, 0);
    },
  );
}
