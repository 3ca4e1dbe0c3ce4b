import t from 'tap';
import { failedCalls, kills, powerFailures } from './disk-campaigns.ts';
import { holds, seed } from './held.ts';

t.test('encrypted, what was acknowledged is there after a kill, and whatever a power cut leaves', async (t) => {
  holds(t, await kills(seed, 300, true), 300);
  holds(t, await powerFailures(seed, 2_000, undefined, true), 2_000);
});

t.test('encrypted, what was acknowledged is there whichever call of the disk fails, once or for good', async (t) => {
  holds(t, await failedCalls(seed, 1, true), 500);
});
