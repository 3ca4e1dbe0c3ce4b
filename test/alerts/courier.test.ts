import t from 'tap';
import { Courier, noticesTogetherMax, noticesWaitingMax } from '../../src/alerts/courier.ts';

/** A courier in a time of its own, whose deliveries the test answers. */
function courier(tries: number, intervalMs = 5_000) {
  const time = { nowMs: 0 };
  const due: { atMs: number; run: () => void }[] = [];
  const sent: { readonly ids: number[]; readonly lost: number; readonly atMs: number }[] = [];
  const said: string[] = [];
  let answers: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const one = new Courier({
    deliver: (notices, lost) => {
      sent.push({ ids: notices.map((notice) => (notice as { id: number }).id), lost, atMs: time.nowMs });
      return new Promise<void>((resolve, reject) => answers.push({ resolve, reject }));
    },
    nowMs: () => time.nowMs,
    after: (delayMs, run) => {
      const timer = { atMs: time.nowMs + delayMs, run };
      due.push(timer);
      return () => due.splice(due.indexOf(timer), 1);
    },
    intervalMs,
    tries,
    onFailing: (error) => said.push(`failing: ${(error as Error).message}`),
    onWell: (lost) => said.push(`well, ${lost} lost`),
  });
  const settle = async (how: 'resolve' | 'reject'): Promise<void> => {
    const all = answers;
    answers = [];
    for (const { resolve, reject } of all) {
      if (how === 'resolve') resolve();
      else reject(new Error('no'));
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  /** Lets time pass to the next timer; false: there is none. */
  const pass = (): boolean => {
    const [next] = due.sort((a, b) => a.atMs - b.atMs).splice(0, 1);
    if (next === undefined) return false;
    time.nowMs = Math.max(time.nowMs, next.atMs);
    next.run();
    return true;
  };
  const offer = (from: number, to: number): void => {
    for (let id = from; id < to; id++) one.offer({ id });
  };
  return { courier: one, sent, said, settle, pass, offer };
}

t.test('the first goes at once, later ones together after the interval, one delivery at a time', async (t) => {
  const { sent, settle, pass, offer } = courier(1);
  offer(0, 2);
  pass();
  t.strictSame(sent, [{ ids: [0, 1], lost: 0, atMs: 0 }]);
  offer(2, 5);
  t.notOk(pass(), 'nothing is begun while one is under way');
  await settle('resolve');
  pass();
  t.strictSame(sent[1], { ids: [2, 3, 4], lost: 0, atMs: 5_000 });
  await settle('resolve');
  t.notOk(pass(), 'and nothing when nothing waits');
});

t.test('what fails goes again, later each time, and is given up after the last try; it is said once', async (t) => {
  const { sent, said, settle, pass, offer } = courier(3, 100);
  offer(0, 1);
  pass();
  await settle('reject');
  offer(1, 2);
  pass();
  await settle('reject');
  pass();
  await settle('reject');
  t.strictSame(
    sent.map(({ ids, atMs }) => [ids, atMs]),
    [
      [[0], 0],
      [[0, 1], 1_000],
      [[0, 1], 3_000],
    ],
  );
  t.notOk(pass(), 'both were given up');
  t.strictSame(said, ['failing: no']);
  offer(2, 3);
  pass();
  t.match(sent.at(-1), { ids: [2], lost: 2 });
  await settle('resolve');
  t.strictSame(said, ['failing: no', 'well, 2 lost']);
  offer(3, 4);
  pass();
  t.match(sent.at(-1), { ids: [3], lost: 0 }, 'what was told is told once');
});

t.test('so many wait and no more, the oldest are given up and counted; a delivery takes so many', async (t) => {
  const { sent, settle, pass, offer } = courier(1, 100);
  offer(0, 1);
  pass();
  offer(1, noticesWaitingMax + 11);
  await settle('resolve');
  pass();
  t.match(sent[1], { lost: 10 });
  t.strictSame([sent[1]?.ids[0], sent[1]?.ids.length], [11, noticesTogetherMax]);
  for (let i = 0; i < 20; i++) {
    await settle('resolve');
    pass();
  }
  t.equal(sent.flatMap(({ ids }) => ids).at(-1), noticesWaitingMax + 10);
  t.equal(sent.flatMap(({ ids }) => ids).length, noticesWaitingMax + 1);
});

t.test('one that is closed brings nothing more, whatever becomes of what is under way', async (t) => {
  const { courier: one, sent, said, settle, pass, offer } = courier(3);
  offer(0, 1);
  pass();
  offer(1, 2);
  one.close();
  await settle('reject');
  offer(2, 3);
  t.notOk(pass());
  t.equal(sent.length, 1);
  t.strictSame(said, []);
  const waiting = courier(3);
  waiting.offer(0, 1);
  waiting.courier.close();
  t.notOk(waiting.pass(), 'nor what was due');
});
