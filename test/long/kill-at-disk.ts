/**
 * Lane: 50,000 events a second at ack level `disk`, and the daemon is killed with SIGKILL at random moments, 300 times. Nothing that
 * was acknowledged is lost, and what comes twice is what no mark covered: some tens of milliseconds of traffic. Once with, once
 * without the order of keys.
 *
 *   node dist/test/long/kill-at-disk.js [--seed N] [--scale SHARE]        300 kills at scale 1, half of them each
 */
import { killAtDisk } from '../fault/kill-at-disk.ts';
import { runLane } from './parts/lane.ts';

const eventsPerSecond = 50_000;
/** Traffic that one kill may repeat, on average, in ms. */
const repeatedMsMax = 150;

await runLane('kill-at-disk: what is acknowledged at level disk outlives every kill', async (lane) => {
  const kills = lane.sized(150, 4);
  for (const ordering of ['none', 'key'] as const) {
    const random = (): number => lane.random();
    const report = await killAtDisk(lane, { kills, eventsPerSecond, random, seed: lane.seed, ordering });
    const { acked, sent, lost, altered, duplicated, disordered, recovered, torn, isLedgerExact, exitCode } = report;
    const found = recovered.reduce((sum, events) => sum + events, 0);
    lane.figure(`ordering ${ordering}: kills`, kills);
    lane.figure('sent; acknowledged', `${sent}; ${acked}`);
    lane.figure('found by the next run, all kills; at most', `${found}; ${Math.max(...recovered)}`);
    lane.figure('of that, torn by the last kill', torn);
    lane.check('most of what was sent was acknowledged before a kill', acked > sent / 2, acked);
    lane.check('kills left events on disk only', found > kills);
    lane.check('lost of the acknowledged', lost === 0, lost);
    lane.check('altered', altered === 0, altered);
    const repeatedMs = duplicated / (kills * (eventsPerSecond / 1_000));
    lane.check('came twice: only what no mark covered', duplicated <= found, duplicated);
    lane.check('that is, ms of traffic a kill', repeatedMs <= repeatedMsMax, repeatedMs.toFixed(1));
    if (ordering === 'key') lane.check('first of their key out of order', disordered === 0, disordered);
    lane.check('the books of the last run are exact', isLedgerExact);
    lane.check('it stops with 0', exitCode === 0);
  }
});
