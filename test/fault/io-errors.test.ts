import t from 'tap';
import { checkLogLine } from '../../src/observe/log-check.ts';
import { withoutTroubledDisk } from './disks.ts';
import { failAndHeal } from './io-errors.ts';

const skip = withoutTroubledDisk('strace');
const episodes = 6;

for (const fsync of ['each', '20ms']) {
  const name = `with fsync = "${fsync}" a disk that fails and heals loses nothing, and no file is synced again after a failure`;
  t.test(name, { skip }, async (t) => {
    const report = await failAndHeal(t, episodes, fsync);
    t.comment(`${report.accepted} accepted, ${report.refused} refused, ${report.failedSyncs} syncs failed`);
    t.ok(report.failedSyncs >= episodes, 'the fault fired');
    t.strictSame(report.syncedAgain, []);
    t.equal(report.lost, 0);
    t.equal(report.altered, 0);
    t.match(report.ledger, { delivered: report.accepted, recovered: report.accepted, dropped: 0 });
    const events = report.told.map(({ event }) => event);
    t.ok(events.includes('failing') && events.includes('full') && events.includes('room'));
    t.match(
      report.told.find(({ event }) => event === 'failing'),
      { code: 'EIO', series: 'spill', level: 'warn' },
    );
    t.strictSame(
      report.told.flatMap((line) => checkLogLine(line)),
      [],
    );
    t.strictSame(report.exitCodes, [0, 0]);
  });
}
