/**
 * Lane: a process that works on a real DLQ is killed with SIGKILL, at random moments and at named steps of its work, 10,000 times, each
 * time on what the one before it left. Nothing that was on disk is lost, altered, or comes twice though a checkpoint covered it.
 *
 *   node dist/test/long/disk-kills.js [--seed N] [--scale SHARE]        10,000 kills at scale 1
 */
import { campaign } from '../fault/disk-lives.ts';
import { inCheckpoint, inJournal, inRecovery, inSeal, inUnlink } from '../fault/failpoints.ts';
import { runLane } from './parts/lane.ts';
import { checkLives, directoryOf } from './parts/lives.ts';

await runLane('disk-kills: what is on disk outlives every kill, wherever in the work it strikes', async (lane) => {
  const kills = lane.sized(10_000, 20);
  const directory = directoryOf(lane);
  const failpoints = [...inSeal, ...inCheckpoint, ...inUnlink, ...inJournal, ...inRecovery];
  const report = await campaign({
    seed: lane.seed,
    kills,
    works: ['all'],
    fsyncs: [{ kind: 'each' }, { kind: 'interval', intervalMs: 200 }, { kind: 'none' }],
    failpoints,
    aimed: 0.5,
    places: [{ directory }, { directory }],
  });
  checkLives(lane, report, { kills, failpoints });
});
