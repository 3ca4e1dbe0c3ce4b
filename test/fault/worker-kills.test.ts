import { test } from 'tap';
import { killWorkers } from './worker-kills.ts';

const kills = 21;

test('lane workers die by exit, exception and heap exhaustion; each is replaced within 1 s and nothing is lost', async (t) => {
  const report = await killWorkers(t, { kills, lanes: 4, apartMs: 0 });
  const { accepted, duplicated, inFlight, replacedMs } = report;
  const slowestMs = Math.max(...replacedMs);
  t.comment(`${accepted} events, ${duplicated} twice of ${inFlight} in flight at the kills, slowest ${slowestMs} ms`);
  t.strictSame(report.otherCauses, [], 'every worker died as it was told to');
  t.equal(replacedMs.length, kills);
  t.ok(slowestMs <= 1_000, 'each lane went on within 1 s');
  t.equal(report.lost, 0);
  t.ok(duplicated > 0, 'workers died with events in flight');
  t.ok(duplicated <= inFlight, 'no event came twice that was not in flight at a kill');
  t.match(report.ledger, { received: accepted, refused: 0, accepted, delivered: accepted, inFlight: 0, dropped: 0 });
  t.equal(report.exitCode, 0);
});
