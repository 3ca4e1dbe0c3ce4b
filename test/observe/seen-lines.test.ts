import t from 'tap';
import { SeenLines } from '../../src/observe/seen-lines.ts';

t.test('a hundred thousand lines are each new once, and known ever after', async (t) => {
  const seen = new SeenLines();
  const keys = Array.from({ length: 100_000 }, (_, index) => `2026-11-27T18:00:00.000Z put ${index % 10} ${index}`);
  t.equal(keys.filter((key) => seen.add(key)).length, keys.length);
  t.equal(keys.filter((key) => seen.add(key)).length, 0);
});

t.test('beyond two generations the oldest are forgotten, and the newest generation never', async (t) => {
  const most = 1_000;
  const seen = new SeenLines(most);
  for (let index = 0; index < 10 * most; index++) {
    if (!seen.add(`line ${index}`)) t.fail(`line ${index} is new`);
    const known = Math.max(0, index - (most - 1));
    if (seen.add(`line ${known}`)) t.fail(`line ${known} was forgotten at ${index}`);
  }
  t.equal(seen.add('line 0'), true, 'what is older than two generations counts as new');
});
