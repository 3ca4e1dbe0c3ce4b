/**
 * Lane: 1,000 daemons under load, one after the other, get SIGTERM, every third of them twice. Each ends with 0 within ten seconds, and
 * all that it acknowledged is delivered, by itself or by those behind it.
 *
 *   node dist/test/long/sigterms.js [--seed N] [--scale SHARE]        1,000 daemons at scale 1
 */
import { signalDaemons } from '../fault/sigterms.ts';
import { runLane } from './parts/lane.ts';

const endMsMost = 10_000;

await runLane('sigterms: a daemon that is told to end keeps what it acknowledged', async (lane) => {
  const lives = lane.sized(1_000, 6);
  const random = (): number => lane.random();
  const plan = { lives, signal: 'SIGTERM', acks: ['memory', 'disk'], random, seed: lane.seed } as const;
  const { acked, sent, lost, altered, duplicated, exitCodes, ...rest } = await signalDaemons(lane, plan);
  const endMs = Math.max(...rest.endMs);
  const wrong = exitCodes.filter((code) => code !== 0).length;
  lane.figure('sent; acknowledged', `${sent}; ${acked}`);
  lane.figure('daemons that found events of those before', rest.heirs);
  lane.figure('delivered twice', duplicated);
  lane.figure('ms from the last line to the end, at most', Math.max(...rest.lingerMs));
  lane.check('enough was acknowledged', acked > lives * 200, acked);
  lane.check('some of it was on disk only', rest.heirs >= lives / 8, rest.heirs);
  lane.check('lost of the acknowledged', lost === 0, lost);
  lane.check('altered', altered === 0, altered);
  lane.check('all end with 0', wrong === 0 && exitCodes.length === lives + 1, wrong);
  lane.check('within ten seconds', endMs <= endMsMost, `${endMs.toFixed(0)} ms at most`);
  lane.check('some got a second signal while they ended', rest.secondSignals > lives / 10, rest.secondSignals);
});
