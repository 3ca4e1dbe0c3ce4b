import t from 'tap';
import { temporaryDirectory } from '../dlq/queue.ts';
import { type Campaign, campaign } from './disk-lives.ts';
import { inCheckpoint, inUnlink } from './failpoints.ts';

const kills = 100;
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const planOf = (directory: string): Campaign => ({
  seed,
  kills,
  works: ['replay'],
  fsyncs: [{ kind: 'interval', intervalMs: 200 }, { kind: 'none' }],
  failpoints: [...inCheckpoint, ...inUnlink.filter(([call]) => call === 'unlink spill')],
  aimed: 0.3,
  places: [{ directory }, { directory }],
});

t.test('a replay that is killed loses nothing, and repeats only what no checkpoint covered', async (t) => {
  t.comment(`SEED=${seed}`);
  const report = await campaign(planOf(temporaryDirectory(t)));
  t.comment(JSON.stringify({ ...report, struck: [...report.struck] }));
  t.strictSame(report.broken, []);
  t.ok(report.kills >= kills, `${report.kills} kills`);
  t.ok(report.delivered > 50 * kills, `${report.delivered} events were taken out`);
  t.ok(report.duplicates > 0, `${report.duplicates} of them again`);
  t.ok(report.duplicates <= report.uncovered, `at most the ${report.uncovered} that were in flight at the kills`);
  t.ok(report.struck.size > 0, `some died at a step of a checkpoint: ${[...report.struck.keys()].join(', ')}`);
});

t.test('a checkpoint that does not hold repeats what it covered: the check can fail', async (t) => {
  const short = { kills: 40, killsPerGeneration: 5, aimed: 0 };
  const report = await campaign({ ...planOf(temporaryDirectory(t)), ...short, lie: 'checkpoint' });
  t.match(report.broken.join('\n'), /came again though covered: /);
});
