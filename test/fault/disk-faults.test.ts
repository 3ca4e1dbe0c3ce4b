import t from 'tap';
import { failedCalls, kills, secondFaults } from './disk-campaigns.ts';
import { holds, seed } from './held.ts';

t.test('killed before any of its calls, the DLQ keeps what it acknowledged, and goes on', async (t) => {
  holds(t, await kills(seed, 1_500), 1_500);
});

t.test('each call that fails, in each way, once or for ever, loses nothing and keeps nobody waiting', async (t) => {
  holds(t, await failedCalls(seed, 3), 3_000);
});

t.test('a second fault while the disk that the first one left is read loses nothing either', async (t) => {
  holds(t, await secondFaults(seed, 1_000), 1_000);
});
