/**
 * Lane: the power of a real ext4 is cut under a killed process that works on a real DLQ there, 5,000 times, each time on what the one
 * before it left. Nothing that was on disk is lost. Needs root, loop devices and gcc.
 *
 *   node dist/test/long/power-cuts.js [--seed N] [--scale SHARE]        5,000 cuts at scale 1
 */
import { campaign } from '../fault/disk-lives.ts';
import { inCheckpoint, inJournal, inSeal, inUnlink } from '../fault/failpoints.ts';
import { cuttableDisks, withoutPowerCuts } from '../fault/power-cut.ts';
import { runLane } from './parts/lane.ts';
import { checkLives } from './parts/lives.ts';

await runLane('power-cuts: what is on disk outlives every power cut', async (lane) => {
  const reason = withoutPowerCuts();
  if (reason !== false) return lane.check('there is a disk whose power can be cut', false, reason);
  const kills = lane.sized(5_000, 20);
  const failpoints = [...inSeal, ...inCheckpoint, ...inUnlink, ...inJournal];
  const report = await campaign({
    seed: lane.seed,
    kills,
    works: ['all', 'replay'],
    fsyncs: [{ kind: 'each' }, { kind: 'interval', intervalMs: 1_000 }, { kind: 'none' }],
    failpoints,
    aimed: 0.5,
    places: cuttableDisks(lane, 2),
  });
  checkLives(lane, report, { kills, failpoints });
});
