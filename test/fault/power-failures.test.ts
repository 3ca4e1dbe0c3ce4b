import t from 'tap';
import { powerFailures } from './disk-campaigns.ts';
import { holds, seed } from './held.ts';

t.test('whatever a power cut leaves of what was not synced, what was acknowledged is there', async (t) => {
  holds(t, await powerFailures(seed, 10_000), 10_000);
});

t.test('without syncs a power cut loses what was acknowledged: the check can fail', async (t) => {
  const { cases, broken } = await powerFailures(seed, 100, { fsync: { kind: 'none' }, journal: false });
  t.match(broken[0], /lost|dead letters/);
  t.ok(cases <= 50, `found after ${cases} cases`);
});
