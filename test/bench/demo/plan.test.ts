import t from 'tap';
import { eventsMin, planDay, sendersMax, split } from '../../../bench/demo/plan.ts';

t.test('a day sends every event once, whatever their number, and the peak is five times the morning', async (t) => {
  for (const events of [eventsMin, 6_000, 99_991, 600_000]) {
    const day = planDay(events, 1);
    const ends = day.map(({ to }) => to);
    t.strictSame(
      day.map(({ from }) => from),
      [0, ...ends.slice(0, -1)],
    );
    t.equal(ends.at(-1), events);
    for (const { from, to, senders } of day)
      t.ok(to - from >= senders && senders <= sendersMax, 'each sender has some');
    const [morning, peak] = day;
    t.equal(peak?.eventsPerSecond, 5 * (morning?.eventsPerSecond ?? 0));
  }
});

t.test('the rates take the day through in the time it is planned for', async (t) => {
  const seconds = (pace: number): number =>
    planDay(600_000, pace).reduce((sum, { from, to, eventsPerSecond }) => sum + (to - from) / eventsPerSecond, 0);
  t.ok(Math.abs(seconds(1) - 22) < 0.01, `${seconds(1)} s`);
  t.ok(Math.abs(seconds(8) - 22 / 8) < 0.01, `${seconds(8)} s`);
});

t.test('a chapter in two has the same events', async (t) => {
  const [chapter] = planDay(6_001, 1);
  if (chapter === undefined) throw new Error('a day has chapters');
  const [first, second] = split(chapter, 0.5);
  t.strictSame([first.from, second.from, second.to], [chapter.from, first.to, chapter.to]);
  t.ok(first.to > first.from && second.to > second.from);
});
