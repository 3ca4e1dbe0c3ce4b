import t from 'tap';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { signalsHeld } from './signals-held.ts';
import { signalDaemons } from './sigterms.ts';

t.test('fifty daemons that get SIGTERM under load at ack level memory end with 0, and lose nothing', async (t) => {
  await signalsHeld(t, 50, 'memory');
});

t.test('SIGKILL in its place loses what was in memory only: the check can fail', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.comment(`SEED=${seed}`);
  const dice = new RandomSequence(seed);
  const random = (): number => dice.next();
  const report = await signalDaemons(t, { lives: 3, signal: 'SIGKILL', acks: ['memory'], random, seed });
  t.ok(report.lost > 0, `${report.lost} of ${report.acked} lost`);
});
