import t from 'tap';
import { killAtDisk } from './kill-at-disk.ts';

const eventsPerSecond = 10_000;

/** A linear congruential generator (Numerical Recipes). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

for (const ordering of ['none', 'key'] as const) {
  t.test(
    `killed again and again, ordering ${ordering}: nothing that was acknowledged at level disk is lost`,
    async (t) => {
      const seed = Math.floor(Math.random() * 2 ** 31);
      t.comment(`seed ${seed}`);
      const report = await killAtDisk(t, { kills: 6, eventsPerSecond, random: seeded(seed), seed, ordering });
      const found = report.recovered.reduce((sum, events) => sum + events, 0);
      t.comment(
        `${report.acked} of ${report.sent} acknowledged; found ${report.recovered.join(', ')}; ${report.duplicated} twice, ${report.torn} torn`,
      );
      t.ok(report.acked > 6 * 0.05 * eventsPerSecond, 'events were acknowledged before the kills');
      t.ok(found > 0, 'some were on disk only');
      t.equal(report.lost, 0);
      t.equal(report.altered, 0);
      t.ok(report.duplicated <= found, 'only what no mark covered came twice');
      if (ordering === 'key') t.equal(report.disordered, 0, 'no event came before an older one of its key');
      t.ok(report.torn <= report.sent - report.acked, 'nobody was promised what a kill has torn');
      t.ok(report.isLedgerExact, 'the last run delivered what it found, exactly');
      t.equal(report.exitCode, 0);
    },
  );
}
