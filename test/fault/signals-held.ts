/** What must be true of daemons that got SIGTERM under load: for the two tests of it, one for each ack level. Test processes only. */
import type { Test } from 'tap';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { signalDaemons } from './sigterms.ts';

const endMsMost = 10_000;

export async function signalsHeld(t: Test, lives: number, ack: 'memory' | 'disk'): Promise<void> {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.comment(`SEED=${seed}`);
  const dice = new RandomSequence(seed);
  const random = (): number => dice.next();
  const report = await signalDaemons(t, { lives, signal: 'SIGTERM', acks: [ack], random, seed });
  const slowestMs = Math.max(...report.endMs);
  t.comment(`${report.acked} of ${report.sent} acknowledged, ${report.heirs} daemons found events of those before`);
  t.comment(
    `ended within ${slowestMs.toFixed(0)} ms, ${Math.max(...report.lingerMs).toFixed(0)} ms after the last line`,
  );
  t.ok(report.acked > lives * 200, `${report.acked} events were acknowledged`);
  t.ok(report.heirs >= lives / 8, `${report.heirs} left events on disk only`);
  t.equal(report.lost, 0);
  t.equal(report.altered, 0);
  t.strictSame([...new Set(report.exitCodes)], [0]);
  t.equal(report.exitCodes.length, lives + 1);
  t.ok(report.secondSignals > lives / 10, `${report.secondSignals} got a second signal while they ended`);
  t.ok(slowestMs <= endMsMost, `${slowestMs.toFixed(0)} ms`);
  t.match(report.ledger, { delivered: report.ledger.recovered, accepted: 0, dropped: 0 });
}
