import t from 'tap';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { signalDaemons } from './sigterms.ts';

/** Two rigs side by side, so many daemons one after the other on each. */
const lives = 50;
const endMsMost = 10_000;
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

t.test(
  'a hundred daemons under load that get SIGTERM end with 0, and all that they acknowledged is delivered',
  async (t) => {
    t.comment(`SEED=${seed}`);
    const rigs = [seed, seed + 1].map((one) => {
      const dice = new RandomSequence(one);
      const random = (): number => dice.next();
      return signalDaemons(t, { lives, signal: 'SIGTERM', acks: ['memory', 'disk'], random, seed: one });
    });
    for (const report of await Promise.all(rigs)) {
      const slowestMs = Math.max(...report.endMs);
      t.comment(`${report.acked} of ${report.sent} acknowledged, ${report.heirs} daemons found events of those before`);
      t.comment(
        `ended within ${slowestMs.toFixed(0)} ms, ${Math.max(...report.lingerMs).toFixed(0)} ms after the last line`,
      );
      t.ok(report.acked > lives * 200, `${report.acked} events were acknowledged`);
      t.ok(report.heirs >= lives / 8, 'many were on disk only');
      t.equal(report.lost, 0);
      t.equal(report.altered, 0);
      t.strictSame([...new Set(report.exitCodes)], [0]);
      t.equal(report.exitCodes.length, lives + 1);
      t.ok(report.secondSignals > lives / 10, `${report.secondSignals} got a second signal while they ended`);
      t.ok(slowestMs <= endMsMost);
      t.match(report.ledger, { delivered: report.ledger.recovered, accepted: 0, dropped: 0 });
    }
  },
);

t.test('SIGKILL in its place loses what was in memory only: the check can fail', async (t) => {
  const dice = new RandomSequence(seed);
  const random = (): number => dice.next();
  const report = await signalDaemons(t, { lives: 3, signal: 'SIGKILL', acks: ['memory'], random, seed });
  t.ok(report.lost > 0, `${report.lost} of ${report.acked} lost`);
});
