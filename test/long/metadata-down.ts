/**
 * Lane: the instance metadata service is away for half a minute, and the credentials end in it. Events are set aside meanwhile,
 * nothing is lost, and delivery goes on within five seconds of its return.
 */
import { loseMetadata } from '../fault/metadata-down.ts';
import { runLane } from './parts/lane.ts';

await runLane('metadata-down: half a minute without metadata service, with credentials that end', async (lane) => {
  const downMs = lane.sized(30_000, 6_000);
  const report = await loseMetadata(lane, { lifeSeconds: 3, downMs, eventsPerSecond: 1_000 });
  const { accepted, refused, lost, deliveredLate, recoveredMs, lines, exitCode } = report;
  lane.figure('events', accepted);
  lane.check('without credentials nothing was delivered', deliveredLate === 0, deliveredLate);
  lane.check('goes on within 5 s of the return', recoveredMs <= 5_000, `${recoveredMs.toFixed(0)} ms`);
  lane.check('nothing is lost', lost === 0, lost);
  lane.check('nothing was refused', refused === 0, refused);
  lane.check('one line told the cause', lines.length === 1, lines.map(({ cause }) => cause).join(', '));
  lane.check('the daemon stops with 0', exitCode === 0, exitCode ?? 'a signal');
});
