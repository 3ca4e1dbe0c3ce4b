import t from 'tap';
import { chosenLanes } from '../../src/daemon/lanes.ts';

t.test('unasked, lanes leave a core to the main thread and stay few', async (t) => {
  const plenty = (): number => 2 ** 30;
  t.strictSame(
    [1, 2, 3, 4, 96].map((cores) => chosenLanes(cores, plenty)),
    [1, 1, 2, 3, 4],
  );
});

t.test('unasked, lanes are as few as the memory has room for, never none', async (t) => {
  const shared = (lanes: number): number => (100 * 1024 ** 2) / lanes;
  t.equal(chosenLanes(96, shared), 3);
  t.equal(
    chosenLanes(96, () => 0),
    1,
  );
});
