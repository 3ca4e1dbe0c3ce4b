import { readdirSync } from 'node:fs';
import t from 'tap';
import { temporaryDirectory } from '../dlq/queue.ts';
import { type Campaign, campaign } from './disk-lives.ts';

/** As many again die at named steps: step-kills.test.ts. */
const kills = 150;
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const planOf = (directory: string): Campaign => ({
  seed,
  kills,
  works: ['all'],
  fsyncs: [{ kind: 'each' }, { kind: 'interval', intervalMs: 200 }, { kind: 'none' }],
  failpoints: [],
  aimed: 0,
  places: [{ directory }, { directory }],
});

t.test('a process that is killed at any time loses nothing that was on disk, and leaves nothing behind', async (t) => {
  t.comment(`SEED=${seed}`);
  const directory = temporaryDirectory(t);
  const report = await campaign(planOf(directory));
  t.comment(JSON.stringify({ ...report, struck: undefined }));
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
  t.ok(report.duplicates <= report.uncovered, `at most the ${report.uncovered} that were in flight at the kills`);
  t.ok(report.killsInStarts > kills / 50, `${report.killsInStarts} kills of a start`);
  t.strictSame(readdirSync(directory), []);
});

t.test('checkpoints that are not there, and files that are not removed, are noticed: the check can fail', async (t) => {
  const short = { kills: 40, killsPerGeneration: 5 };
  const repeating = await campaign({ ...planOf(temporaryDirectory(t)), ...short, lie: 'checkpoint' });
  t.match(repeating.broken.join('\n'), /came again though covered: /);
  const hoarding = await campaign({ ...planOf(temporaryDirectory(t)), ...short, lie: 'unlink' });
  t.match(hoarding.broken.join('\n'), /left behind: /);
});
