import { test } from 'tap';
import { killWorkers } from './worker-kills.ts';

const kills = 21;

test('lane workers die by exit, exception and heap exhaustion; each is replaced and nothing is lost', async (t) => {
  const report = await killWorkers(t, { kills, lanes: 4, apartMs: 0 });
  const { accepted, duplicated, inFlight, replacedMs } = report;
  const sortedMs = [...replacedMs].sort((left, right) => left - right);
  const [medianMs, slowestMs] = [sortedMs[kills >> 1] as number, sortedMs.at(-1) as number];
  t.comment(`${accepted} events, ${duplicated} twice of ${inFlight} in flight at the kills`);
  t.comment(`replaced after ${medianMs} ms (median), ${slowestMs} ms at most`);
  t.strictSame(report.otherCauses, [], 'every worker died as it was told to');
  t.equal(replacedMs.length, kills);
  t.equal(report.restarts, kills, 'the status counts them');
  // A thread's start takes half a second of a core, and other tests take the cores. Alone, 1 s is the limit: test/long.
  t.ok(slowestMs <= 5_000, 'each lane went on');
  t.equal(report.lost, 0);
  t.ok(duplicated > 0, 'workers died with events in flight');
  t.ok(duplicated <= inFlight, 'no event came twice that was not in flight at a kill');
  t.match(report.ledger, { received: accepted, refused: 0, accepted, delivered: accepted, inFlight: 0, dropped: 0 });
  t.equal(report.exitCode, 0);
});
