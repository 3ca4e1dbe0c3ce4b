import t from 'tap';
import { kills } from './disk-campaigns.ts';
import { secondFaults, unreadableSegments } from './disk-recoveries.ts';
import { holds, seed } from './held.ts';

t.test('killed before any of its calls, the DLQ keeps what it acknowledged, and goes on', async (t) => {
  holds(t, await kills(seed, 600), 600);
});

t.test('a second fault while the disk that the first one left is read loses nothing either', async (t) => {
  holds(t, await secondFaults(seed, 1_000), 1_000);
});

t.test('while a segment cannot be read nothing is passed that is not kept: the next start finds it', async (t) => {
  holds(t, await unreadableSegments(seed, 400), 400);
});
