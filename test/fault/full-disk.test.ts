import t from 'tap';
import { checkLogLine } from '../../src/observe/log-check.ts';
import { withoutTmpfs } from './disks.ts';
import { fillAndFree } from './full-disk.ts';

const skip = withoutTmpfs();
const cycles = 6;
/** What the journal has written zeros for is filled first. */
const diskCycles = 3;

t.test('a full disk refuses at once, accepts again when there is room, and loses nothing', { skip }, async (t) => {
  const report = await fillAndFree(t, cycles);
  const most = (values: readonly number[]): number => Math.max(...values);
  t.comment(`refused within ${most(report.refusalMs)} ms, accepted again after ${most(report.acceptedAfterMs)} ms`);
  t.strictSame(report.codes, ['dlq_full']);
  t.equal(report.refusalMs.length, cycles);
  // Other tests have the cores; alone the limits are 100 ms and 1 s: test/long/full-disk.
  t.ok(most(report.refusalMs) <= 500);
  t.ok(most(report.acceptedAfterMs) <= 2_000);
  t.equal(report.lost, 0);
  t.match(report.ledger, {
    accepted: report.accepted,
    refused: report.refused,
    delivered: report.accepted,
    dropped: 0,
  });
  const events = report.told.map(({ event }) => event);
  t.equal(events.filter((event) => event === 'disk_full').length, cycles, 'told once each time');
  t.equal(events.filter((event) => event === 'disk_room').length, cycles);
  t.strictSame(
    report.told.flatMap((line) => checkLogLine(line)),
    [],
  );
  t.equal(report.exitCode, 0);
});

t.test(
  'at ack level disk a full disk refuses as well, and the journal leaves the reserve to others',
  { skip },
  async (t) => {
    const report = await fillAndFree(t, diskCycles, 'disk');
    t.strictSame(report.codes, ['journal_full']);
    t.ok(Math.max(...report.refusalMs) <= 500);
    t.ok(Math.max(...report.acceptedAfterMs) <= 2_000);
    t.equal(report.lost, 0);
    t.match(report.ledger, {
      accepted: report.accepted,
      refused: report.refused,
      delivered: report.accepted,
      dropped: 0,
    });
    const full = report.told.filter(({ event, series }) => event === 'full' && series === 'journal');
    t.equal(full.length, diskCycles);
    t.ok(full.every(({ cause }) => cause === 'disk_full'));
    t.equal(report.exitCode, 0);
  },
);
