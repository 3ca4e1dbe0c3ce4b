import t from 'tap';
import type { Survey } from '../../src/deliver/survey.ts';
import { type HeldVerdict, HeldVerdicts } from '../../src/deliver/verdicts.ts';

/** Ring entries stand for their hash keys here: entry 70 belongs to the shard that has 70 in its range. */
const ranges: Readonly<Record<string, readonly [number, number]>> = { low: [0, 49], high: [50, 99] };

function surveyed(changed: Partial<Survey> = {}): Survey {
  const rangeOf = (shardId: string): Uint32Array | undefined => {
    const range = ranges[shardId];
    return range === undefined ? undefined : Uint32Array.from(range);
  };
  return { placesByKey: true, rounds: 1, rangeOf, ...changed } as Survey;
}

function record(shardId: string, offsets: readonly number[], changed: Partial<HeldVerdict> = {}): HeldVerdict {
  return {
    shardId,
    sequenceNumber: '1',
    offsets: Uint32Array.from(offsets),
    outlet: 0,
    round: 0,
    answer: 0,
    ...changed,
  };
}

/** What becomes of the records: those of each answer by its number, `undefined` where it waits on. */
function judged(survey: Survey, ...records: readonly HeldVerdict[]): (boolean | undefined)[] {
  const verdicts = new HeldVerdicts();
  for (const each of records) verdicts.hold(each);
  const outcome = new Map<HeldVerdict, boolean>();
  const isInside = (offset: number, [first, last]: Uint32Array): boolean =>
    offset >= (first as number) && offset <= (last as number);
  verdicts.judge(survey, isInside, (verdict, delivered) => outcome.set(verdict, delivered));
  t.equal(verdicts.count, records.length - outcome.size);
  return records.map((each) => outcome.get(each));
}

t.test('an aggregate is delivered when all of it is inside the shard that took it, and not at all else', async (t) => {
  t.strictSame(judged(surveyed(), record('low', [0, 10, 49])), [true]);
  for (const outside of [50, 99]) t.strictSame(judged(surveyed(), record('low', [10, 20, outside])), [false]);
  t.strictSame(judged(surveyed(), record('low', [1, 70], { answer: 1 }), record('high', [70, 71], { answer: 1 })), [
    false,
    true,
  ]);
});

t.test('a shard that nobody knows, AUTO, and an unknown way of placing deliver no aggregate', async (t) => {
  t.strictSame(judged(surveyed(), record('never heard of', [1])), [false]);
  t.strictSame(judged(surveyed({ placesByKey: false }), record('low', [1])), [false]);
  t.strictSame(judged(surveyed({ placesByKey: undefined }), record('low', [1])), [false]);
});

t.test('a survey that was asked before the answer came says nothing of it', async (t) => {
  const waits = record('low', [1], { round: 1 });
  t.strictSame(judged(surveyed({ rounds: 1 }), waits, record('low', [1])), [undefined, true]);
  t.strictSame(judged(surveyed({ rounds: 2 }), waits), [true]);
});

t.test('one record that was not placed by its first event condemns its whole answer, and no other', async (t) => {
  const answers = [record('low', [70]), record('low', [1]), record('low', [1], { answer: 1 })];
  t.strictSame(judged(surveyed(), ...answers), [false, false, true]);
});

t.test('what is overdue leaves, the rest stays in its order', async (t) => {
  const verdicts = new HeldVerdicts();
  for (const offset of [1, 2, 3, 4]) verdicts.hold(record('low', [offset]));
  const overdue = verdicts.takeOverdue(({ offsets }) => (offsets[0] as number) % 2 === 0);
  t.strictSame(
    overdue.map(({ offsets }) => offsets[0]),
    [2, 4],
  );
  t.equal(verdicts.count, 2);
  t.strictSame(
    verdicts.takeOverdue(() => false),
    [],
  );
  t.strictSame(
    verdicts.takeOverdue(() => true).map(({ offsets }) => offsets[0]),
    [1, 3],
  );
  verdicts.hold(record('low', [5]));
  verdicts.clear();
  t.equal(verdicts.count, 0);
});
