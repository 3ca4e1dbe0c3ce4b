import t from 'tap';
import { failedCalls } from './disk-campaigns.ts';
import { holds, seed } from './held.ts';

t.test('each call that fails, in each way, once or for ever, loses nothing and keeps nobody waiting', async (t) => {
  holds(t, await failedCalls(seed, 2), 2_000);
});
