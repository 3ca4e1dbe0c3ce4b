import t from 'tap';
import { Turns } from '../../src/edges/turns.ts';

/** An action that says when it begins and ends when it is told. */
function action(begun: number[], number: number) {
  let [resolve, reject] = [(): void => undefined, (_error: Error): void => undefined];
  const ended = new Promise<void>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  const run = (): Promise<void> => {
    begun.push(number);
    return ended;
  };
  return { run, end: () => resolve(), fail: () => reject(new Error(`${number}`)) };
}

t.test('so many actions run at one time, the others follow in their order, after failures too', async (t) => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const actions = Array.from({ length: 5 }, (_, number) => action(begun, number));
  const runs = actions.map(({ run }) => turns.run(run));
  t.strictSame(begun, [0, 1]);
  actions[1]?.end();
  await runs[1];
  t.strictSame(begun, [0, 1, 2], 'the first still hangs');
  actions[2]?.fail();
  await t.rejects(runs[2] as Promise<void>, { message: '2' });
  t.strictSame(begun, [0, 1, 2, 3]);
  for (const number of [0, 3]) actions[number]?.end();
  await Promise.all([runs[0], runs[3]]);
  t.strictSame(begun, [0, 1, 2, 3, 4]);
  const [late, later] = [action(begun, 5), action(begun, 6)];
  const behind = [turns.run(late.run), turns.run(later.run)];
  t.strictSame(begun, [0, 1, 2, 3, 4, 5], 'one place is free, and no more');
  for (const one of [actions[4], late, later]) one?.end();
  await Promise.all([runs[4], ...behind]);
});
