import { readdirSync } from 'node:fs';
import t from 'tap';
import { temporaryDirectory } from '../dlq/queue.ts';
import { type Campaign, campaign } from './disk-lives.ts';
import { inCheckpoint, inJournal, inRecovery, inSeal, inUnlink } from './failpoints.ts';

const kills = 300;
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const planOf = (directory: string): Campaign => ({
  seed,
  kills,
  work: 'all',
  fsyncs: [{ kind: 'each' }, { kind: 'interval', intervalMs: 200 }, { kind: 'none' }],
  failpoints: [...inSeal, ...inCheckpoint, ...inUnlink, ...inJournal, ...inRecovery],
  aimed: 0.5,
  places: [{ directory }, { directory }],
});

t.test(
  'a process that is killed at any time, or at any step of its work, loses nothing that was on disk',
  async (t) => {
    t.comment(`SEED=${seed}`);
    const directory = temporaryDirectory(t);
    const report = await campaign(planOf(directory));
    t.comment(JSON.stringify({ ...report, struck: [...report.struck] }));
    t.strictSame(
      report.broken,
      [],
      'nothing lost, altered, repeated though covered, or left behind; every start succeeds',
    );
    t.equal(report.altered, 0);
    t.ok(report.kills >= kills, `${report.kills} kills`);
    t.ok(report.acknowledged > 20 * kills, `${report.acknowledged} events were on disk`);
    t.ok(report.delivered > 20 * kills, `${report.delivered} were delivered`);
    t.ok(report.duplicates > 0, `${report.duplicates} again: kills met what was not covered`);
    t.ok(report.duplicates <= kills * report.uncoveredMost, 'at most what was in flight at each kill');
    t.ok(report.killsInStarts > kills / 50, `${report.killsInStarts} kills of a start`);
    const struck = [...report.struck.values()].reduce((sum, times) => sum + times, 0);
    t.ok(struck > kills / 6, `${struck} died at a failpoint`);
    for (const [steps, points] of Object.entries({ inSeal, inCheckpoint, inUnlink, inJournal })) {
      const times = points.reduce((sum, point) => sum + (report.struck.get(point.join(' ')) ?? 0), 0);
      t.ok(times > 0, `${times} of them ${steps}`);
    }
    t.strictSame(readdirSync(directory), []);
  },
);

t.test('what is said to be on disk and is not, is missed after a few kills: the check can fail', async (t) => {
  const report = await campaign({ ...planOf(temporaryDirectory(t)), aimed: 0, promisesEarly: true });
  t.match(report.broken.join('\n'), /lost: /);
  t.ok(report.killsUntilBroken <= 80, `after ${report.killsUntilBroken} kills`);
});

t.test('checkpoints that are not there, and files that are not removed, are noticed as well', async (t) => {
  const repeating = await campaign({ ...planOf(temporaryDirectory(t)), aimed: 0, lie: 'checkpoint' });
  t.match(repeating.broken.join('\n'), /came again though covered: /);
  t.ok(repeating.killsUntilBroken <= 80, `after ${repeating.killsUntilBroken} kills`);
  const hoarding = await campaign({ ...planOf(temporaryDirectory(t)), aimed: 0, lie: 'unlink' });
  t.match(hoarding.broken.join('\n'), /left behind: /);
  t.ok(hoarding.killsUntilBroken <= 80, `after ${hoarding.killsUntilBroken} kills`);
});
