/**
 * Lane: the disk under a daemon that must spill fails with EIO and heals, fifty times. No file is synced again after a sync of it has
 * failed, and all that was acknowledged is on the disk in the end. Needs root, nbdkit, nbdfuse and strace.
 */
import { withoutTroubledDisk } from '../fault/disks.ts';
import { failAndHeal } from '../fault/io-errors.ts';
import { type Lane, runLane } from './parts/lane.ts';

await runLane('io-errors: fifty episodes of EIO', async (lane) => {
  const without = withoutTroubledDisk('strace');
  if (without !== false) return lane.figure('skipped', without);
  for (const fsync of ['each', '20ms']) await fail(lane, fsync);
});

async function fail(lane: Lane, fsync: string): Promise<void> {
  const episodes = lane.sized(50, 2);
  lane.figure('fsync', fsync);
  const report = await failAndHeal(lane, episodes, fsync);
  lane.figure('accepted', report.accepted);
  lane.figure('refused', report.refused);
  lane.check('the fault fired each time', report.failedSyncs >= episodes, `${report.failedSyncs} failed syncs`);
  lane.check('synced again after that', report.syncedAgain.length === 0, report.syncedAgain.length);
  lane.check('lost', report.lost === 0, report.lost);
  lane.check('altered', report.altered === 0, report.altered);
  const isExact = report.ledger.recovered === report.accepted && report.ledger.delivered === report.accepted;
  lane.check('the ledger is exact', isExact, JSON.stringify(report.ledger));
  lane.check(
    'both daemons stop with 0',
    report.exitCodes.every((code) => code === 0),
    report.exitCodes.join(),
  );
}
