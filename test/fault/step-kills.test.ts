import t from 'tap';
import { temporaryDirectory } from '../dlq/queue.ts';
import { type Campaign, campaign } from './disk-lives.ts';
import { inCheckpoint, inJournal, inRecovery, inSeal, inUnlink } from './failpoints.ts';

/** As many again die at random moments: disk-kills.test.ts. */
const kills = 150;
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const steps = { inSeal, inCheckpoint, inUnlink, inJournal, inRecovery };

const planOf = (directory: string): Campaign => ({
  seed,
  kills,
  works: ['all'],
  fsyncs: [{ kind: 'each' }, { kind: 'interval', intervalMs: 200 }, { kind: 'none' }],
  failpoints: Object.values(steps).flat(),
  aimed: 1,
  places: [{ directory }, { directory }],
});

t.test(
  'a process that dies while it closes, checkpoints, removes or recovers segments leaves all that was on disk',
  async (t) => {
    t.comment(`SEED=${seed}`);
    const report = await campaign(planOf(temporaryDirectory(t)));
    t.comment(JSON.stringify({ ...report, struck: [...report.struck] }));
    t.strictSame(
      report.broken,
      [],
      'nothing lost, altered, repeated though covered, or left behind; every start succeeds',
    );
    t.ok(report.kills >= kills, `${report.kills} kills`);
    t.ok(report.acknowledged > 10 * kills, `${report.acknowledged} events were on disk`);
    t.ok(report.duplicates <= report.uncovered, `${report.duplicates} again, of ${report.uncovered} in flight`);
    const struck = [...report.struck.values()].reduce((sum, times) => sum + times, 0);
    t.ok(struck > kills / 2, `${struck} died at a step of their work`);
    for (const [name, points] of Object.entries(steps)) {
      const times = points.reduce((sum, point) => sum + (report.struck.get(point.join(' ')) ?? 0), 0);
      t.ok(times >= 3, `${times} of them ${name}`);
    }
  },
);

t.test('what is said to be on disk before it is written, is missed: the check can fail', async (t) => {
  const early = { failpoints: [['write spill', 'before']], promisesEarly: true } as const;
  const report = await campaign({ ...planOf(temporaryDirectory(t)), ...early, kills: 40, killsPerGeneration: 5 });
  t.match(report.broken.join('\n'), /lost: /);
});
