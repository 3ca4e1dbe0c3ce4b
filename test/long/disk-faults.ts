/**
 * Lane: the campaigns of test/fault on the model disk at ten times the size that `npm test` has time for: kills, calls that fail, second
 * faults, segments that cannot be read, and what power cuts leave.
 *
 *   node dist/test/long/disk-faults.js [--seed N] [--scale SHARE]        about ten minutes at scale 1; scale 10 is a million cases
 */

import { failedCalls, kills, powerFailures } from '../fault/disk-campaigns.ts';
import type { Findings } from '../fault/disk-findings.ts';
import { secondFaults, unreadableSegments } from '../fault/disk-recoveries.ts';
import { runLane } from './parts/lane.ts';

await runLane('disk-faults: the DLQ on a disk that fails', async (lane) => {
  const { seed } = lane;
  const run = async (claim: string, least: number, campaign: Promise<Findings>): Promise<void> => {
    const { cases, struck, acknowledged, broken } = await campaign;
    lane.check(
      claim,
      broken.length === 0 && cases >= least,
      `${cases} cases, ${struck} struck, ${acknowledged} events`,
    );
    for (const what of broken) lane.line(`     ${what}`);
  };
  const of = (full: number): number => lane.sized(full, 100);
  await run('killed before any call', of(15_000), kills(seed, of(15_000)));
  const lives = lane.sized(30);
  await run('any call that fails', lives * 500, failedCalls(seed, lives));
  await run('a second fault in the recovery', of(10_000), secondFaults(seed, of(10_000)));
  await run('a segment that cannot be read', of(10_000), unreadableSegments(seed, of(10_000)));
  await run('power cuts', of(100_000), powerFailures(seed, of(100_000)));
});
