import t from 'tap';
import { ShardLimiter } from '../../src/deliver/limiter.ts';
import { Outlets } from '../../src/deliver/outlets.ts';
import { RetryBudget } from '../../src/deliver/retry-budget.ts';
import type { Random } from '../../src/edges/random.ts';

const middle: Random = { share: () => 0.5, bytes: (length) => Buffer.alloc(length) };
const startMs = 1_000_000;

function outletsOf(ordered: boolean, ...shardIds: string[]): Outlets {
  const limiter = new ShardLimiter({ bytesPerSecond: 1_000_000, recordsPerSecond: 1_000 }, middle);
  const outlets = new Outlets(ordered, new RetryBudget({ part: 0.1, floorPerSecond: 2, windowMs: 10_000 }), limiter);
  outlets.nowMs = startMs;
  outlets.reshape(shardIds);
  return outlets;
}

/** All that waits for an outlet, as it would be taken. */
function drained(outlets: Outlets, outlet: number): number[] {
  const offsets: number[] = [];
  while ((outlets.waiting[outlet] as number) > 0) offsets.push(outlets.next(outlet));
  return offsets;
}

t.test('what failed goes first, in its order, and what was put back before that', async (t) => {
  const outlets = outletsOf(true, 'a', 'b');
  for (const offset of [30, 40]) outlets.hold(0, offset);
  outlets.failed(0, Uint32Array.of(10, 20), startMs);
  t.equal(outlets.next(0), 10);
  outlets.putBack(0, 10);
  t.equal(outlets.waitingCount, 4);
  t.strictSame(drained(outlets, 0), [10, 20, 30, 40]);
  t.equal(outlets.ready(), -1, 'nothing waits');
});

t.test('a queue of many thousands keeps its order while it grows at both ends', async (t) => {
  const outlets = outletsOf(true, 'a');
  for (let offset = 5_000; offset < 10_000; offset++) outlets.hold(0, offset);
  outlets.failed(
    0,
    Uint32Array.from({ length: 5_000 }, (_, i) => i),
    0,
  );
  t.strictSame(
    drained(outlets, 0),
    Array.from({ length: 10_000 }, (_, i) => i),
  );
});

t.test('with order kept one record of a shard is under way; the others are not held up', async (t) => {
  const outlets = outletsOf(true, 'a', 'b');
  outlets.opened(0);
  t.notOk(outlets.mayOpen(0));
  t.ok(outlets.mayOpen(1));
  outlets.hold(0, 10);
  t.strictSame([outlets.ready(), outlets.nextOpenMs()], [-1, Number.POSITIVE_INFINITY], 'an answer decides, not time');
  outlets.done(0);
  t.strictSame([outlets.ready(), outlets.mayOpen(0)], [0, true]);
});

t.test('without order any number of records of a shard may be under way', async (t) => {
  const outlets = outletsOf(false, 'a');
  for (let i = 0; i < 10; i++) outlets.opened(0);
  t.ok(outlets.mayOpen(0));
});

t.test('what failed waits for its time and for the retry budget, and says until when', async (t) => {
  const outlets = outletsOf(true, 'a', 'b', 'c');
  for (const outlet of [0, 1, 2]) outlets.failed(outlet, Uint32Array.of(10 * outlet), startMs + 100);
  t.strictSame([outlets.ready(), outlets.nextOpenMs()], [-1, startMs + 100]);
  outlets.nowMs = startMs + 100;
  for (const outlet of [0, 1]) {
    t.equal(outlets.ready(), outlet);
    outlets.opened(outlet);
    outlets.next(outlet);
  }
  t.equal(outlets.ready(), -1, 'two retries at once are all that the budget has');
  t.equal(outlets.nextOpenMs(), startMs + 600);
  outlets.nowMs = startMs + 600;
  t.equal(outlets.ready(), 2);
  t.equal(outlets.ready(), 2, 'asked twice, it pays once');
});

t.test('a shard is limited from the first throttling on, not before, and stays so when the map changes', async (t) => {
  const outlets = outletsOf(false, 'a', 'b');
  for (const outlet of [0, 1]) outlets.charge(outlet, 50_000_000);
  t.ok(outlets.mayOpen(0) && outlets.mayOpen(1), 'nobody knows yet what they take');
  t.equal(outlets.opened(0), Number.POSITIVE_INFINITY);
  outlets.throttled(0, startMs);
  outlets.charge(0, 5_000_000);
  outlets.charge(1, 5_000_000);
  t.strictSame([outlets.mayOpen(0), outlets.mayOpen(1)], [false, true]);
  t.ok(outlets.opened(0) < 1_000_000, 'its records are small');
  outlets.hold(0, 10);
  t.ok(outlets.nextOpenMs() > startMs && outlets.nextOpenMs() < startMs + 60_000, 'time opens it');
  outlets.takeAll();
  outlets.reshape(['c', 'a']);
  t.strictSame([outlets.mayOpen(0), outlets.mayOpen(1)], [true, false]);
  outlets.reshape(['c']);
  outlets.reshape(['a']);
  t.ok(outlets.mayOpen(0), 'a shard that was gone begins anew');
});

t.test('the fullest queue is what crowds the others out', async (t) => {
  const outlets = outletsOf(false, 'a', 'b', 'c');
  t.equal(outlets.takeFullest().length, 0);
  for (const [outlet, offset] of [
    [0, 1],
    [1, 2],
    [1, 3],
    [2, 4],
  ] as const)
    outlets.hold(outlet, offset);
  t.strictSame([...outlets.takeFullest()], [2, 3]);
  t.strictSame([...outlets.waiting], [1, 0, 1]);
  t.equal(outlets.waitingCount, 2);
});

t.test('what is late leaves from the front of each queue, as far as it is late', async (t) => {
  const outlets = outletsOf(false, 'a', 'b');
  for (const [outlet, offset] of [
    [0, 1],
    [0, 2],
    [0, 30],
    [0, 3],
    [1, 4],
  ] as const)
    outlets.hold(outlet, offset);
  t.strictSame([...outlets.takeLate((offset) => offset < 10)], [1, 2, 4]);
  t.strictSame(drained(outlets, 0), [30, 3]);
  t.strictSame([...outlets.takeLate(() => true)], []);
});

t.test('all that waits is taken outlet by outlet, each in its order', async (t) => {
  const outlets = outletsOf(false, 'a', 'b', 'c');
  for (const [outlet, offset] of [
    [2, 5],
    [0, 1],
    [2, 6],
  ] as const)
    outlets.hold(outlet, offset);
  t.strictSame(
    outlets.takeAll().map((offsets) => [...offsets]),
    [[5, 6], [1]],
  );
  t.strictSame([outlets.waitingCount, outlets.ready()], [0, -1]);
});
