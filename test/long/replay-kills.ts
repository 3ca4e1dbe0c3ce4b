/**
 * Lane: a process that takes a backlog out of a real DLQ is killed with SIGKILL, 1,000 times, and the next one goes on. Nothing is lost,
 * and what comes twice is what no checkpoint covered.
 *
 *   node dist/test/long/replay-kills.js [--seed N] [--scale SHARE]        1,000 kills at scale 1
 */
import { campaign } from '../fault/disk-lives.ts';
import { inCheckpoint, inUnlink } from '../fault/failpoints.ts';
import { runLane } from './parts/lane.ts';
import { checkLives, directoryOf } from './parts/lives.ts';

await runLane('replay-kills: a killed replay goes on where its checkpoint was', async (lane) => {
  const kills = lane.sized(1_000, 20);
  const directory = directoryOf(lane);
  const failpoints = [...inCheckpoint, ...inUnlink.filter(([call]) => call === 'unlink spill')];
  const report = await campaign({
    seed: lane.seed,
    kills,
    works: ['replay'],
    fsyncs: [{ kind: 'interval', intervalMs: 200 }, { kind: 'none' }],
    failpoints,
    aimed: 0.3,
    places: [{ directory }, { directory }],
  });
  checkLives(lane, report, { kills, failpoints });
});
