import t from 'tap';
import { loseMetadata } from './metadata-down.ts';

t.test('credentials end while the metadata service is away: nothing is lost, and it goes on within 5 s', async (t) => {
  const report = await loseMetadata(t, { lifeSeconds: 2, downMs: 6_000, eventsPerSecond: 200 });
  t.comment(`${report.accepted} events, first delivery ${report.recoveredMs.toFixed(0)} ms after the return`);
  t.equal(report.deliveredLate, 0, 'without credentials nothing was delivered');
  t.ok(report.recoveredMs <= 5_000);
  t.equal(report.lost, 0);
  t.equal(report.refused, 0);
  t.equal(report.delivered, report.accepted);
  t.match(report.lines, [{ msg: /there are no credentials.*cure: give the instance/, cause: 'no_credentials' }]);
  t.equal(report.lines.length, 1, 'one line, however many requests failed');
  t.equal(report.exitCode, 0);
});
