import { readdirSync } from 'node:fs';
import t from 'tap';
import { Kind } from '../../src/dlq/layout.ts';
import { Appended } from '../../src/dlq/series.ts';
import { until } from '../daemon/running.ts';
import { agedEvent, conserved, retainedData as data } from './aged-events.ts';
import { type Event, eventOf, Queue, temporaryDirectory } from './queue.ts';

const kibibyte = 1024;

const keysOf = (events: readonly Event[]): number[] => events.map(({ key }) => Number(key.slice(3)));

const dropping = { maxBytes: 256 * kibibyte, segmentBytes: 16 * kibibyte, whenFull: 'drop-oldest' } as const;

t.test('drop-oldest takes whole segments of the oldest spills, of whichever stream, and refuses nothing', async (t) => {
  const queue = await Queue.open(t, temporaryDirectory(t), dropping);
  const count = 4_000;
  for (let id = 0; id < count; id++) {
    await queue.append({ ...eventOf(id, data), stream: id % 2 });
    if (id % 500 === 0) conserved(t, queue, id + 1);
  }
  await queue.dlq.flush();
  t.strictSame(queue.reported('full'), []);
  const dropped = queue.reported('dropped');
  t.ok(dropped.length > 10, `${dropped.length} segments`);
  t.ok(dropped.every(({ reason, events }) => reason === 'drop_oldest' && Number(events) > 10));
  t.strictSame(new Set(dropped.map(({ stream }) => stream)), new Set(['orders', 'clicks']));
  t.match(queue.dlq.condition, {
    full: false,
    droppedByReason: { drop_oldest: queue.dropped[0]! + queue.dropped[1]!, max_age: 0, damaged: 0 },
  });
  conserved(t, queue, count);
  t.ok(queue.dlq.diskBytes <= dropping.maxBytes);
  for (const stream of [0, 1]) {
    const left = keysOf(await queue.replay(stream));
    const expected = Array.from({ length: left.length }, (_, i) => count - 2 * (left.length - i) + stream);
    t.strictSame(left, expected, 'what is left is the youngest, without a gap');
  }
});

t.test('drop-oldest leaves what replay has in hand, and takes what waits behind it', async (t) => {
  const queue = await Queue.open(t, temporaryDirectory(t), dropping);
  for (let id = 0; id < 200; id++) await queue.append(eventOf(id, data));
  const cursor = queue.dlq.cursor(0);
  t.equal(await cursor.load(), true);
  for (let id = 0; id < 5; id++) t.equal(cursor.next(), true);
  const handed = cursor.handedPosition;
  for (let id = 200; id < 3_000; id++) await queue.append(eventOf(id, data));
  const inHand: number[] = [];
  while (cursor.next()) inHand.push(...keysOf([queue.current()]));
  t.strictSame(inHand.slice(0, 3), [5, 6, 7], 'its segment is still there');
  t.ok(queue.dropped[0]! > 1_000);
  queue.dlq.checkpoint(0, cursor.handedPosition);
  t.ok(cursor.handedPosition > handed);
  const left = keysOf(await queue.replay(0));
  t.equal(left.at(-1), 2_999);
  conserved(t, queue, 3_000 - 5 - inHand.length - left.length);
});

t.test('a cursor that has delivered what it handed out lets go of its segment', async (t) => {
  const queue = await Queue.open(t, temporaryDirectory(t), dropping);
  for (let id = 0; id < 200; id++) await queue.append(eventOf(id, data));
  const cursor = queue.dlq.cursor(0);
  t.equal(await cursor.load(), true);
  t.equal(cursor.next(), true);
  queue.dlq.checkpoint(0, cursor.handedPosition);
  for (let id = 200; id < 3_000; id++) await queue.append(eventOf(id, data));
  t.equal(cursor.next(), false, 'the rest of it is gone');
  const left = keysOf(await queue.replay(0));
  t.strictSame(
    left,
    Array.from({ length: left.length }, (_, i) => 3_000 - left.length + i),
  );
  conserved(t, queue, 3_000 - 1 - left.length);
});

t.test('drop-oldest drops spills to make room for dead letters, never dead letters', async (t) => {
  const queue = await Queue.open(t, temporaryDirectory(t), dropping);
  for (let id = 0; id < 300; id++) await queue.append({ ...eventOf(id, data), reason: 64 }, Kind.dead);
  for (let id = 0; id < 3_000; id++) await queue.append(eventOf(id, data));
  t.match(queue.dlq.holdings(0), { dead: 300 });
  for (let id = 0; id < 200; id++) await queue.append({ ...eventOf(id, data), reason: 64 }, Kind.dead);
  t.match(queue.dlq.holdings(0), { dead: 500 });
  conserved(t, queue, 3_500);
  for (;;) {
    const answer = queue.offer({ ...eventOf(1, data), reason: 64 }, Kind.dead);
    if (answer === Appended.full) break;
    if (answer === Appended.busy) await new Promise<void>((resolve) => queue.dlq.whenWritable(resolve));
  }
  t.match(
    queue.reported('full').at(-1),
    { series: 'dead', cause: 'max_bytes' },
    'when nothing else is left they are refused',
  );
});

t.test('max_age drops spills and dead letters a segment at a time, and says so', async (t) => {
  const directory = temporaryDirectory(t);
  const queue = await Queue.open(t, directory, { segmentBytes: 16 * kibibyte, maxAgeMs: 3_600_000 });
  for (let id = 0; id < 300; id++) await queue.append(agedEvent(id, 2 * 3_600_000));
  for (let id = 0; id < 100; id++) await queue.append(agedEvent(id, 2 * 3_600_000, 1), Kind.dead);
  await queue.append(agedEvent(300, 0));
  await queue.close();
  // A second run finds their ages in the segments; its sweeps come more often.
  const second = await Queue.open(t, directory, { maxAgeMs: 60_000, segmentBytes: 16 * kibibyte, clockRate: 20 });
  t.match(second.dlq.holdings(undefined), { spilled: 301, dead: 100 });
  await until(
    async () => second.dlq.holdings(undefined),
    ({ dead }) => dead === 0,
  );
  const told = second.reported('dropped');
  t.ok(told.every(({ reason, segment }) => reason === 'max_age' && segment !== undefined));
  t.equal(second.dropped[1], 100);
  conserved(t, second, 401);
  t.strictSame(
    readdirSync(directory).filter((name) => name.startsWith('dead-')),
    [],
  );
});

t.test('replay hands out nothing older than max_age, though its segment is younger', async (t) => {
  const queue = await Queue.open(t, temporaryDirectory(t), { maxAgeMs: 3_600_000 });
  for (let id = 0; id < 100; id++) await queue.append(agedEvent(id, id % 2 === 0 ? 2 * 3_600_000 : 0));
  const left = keysOf(await queue.replay(0));
  t.strictSame(
    left,
    Array.from({ length: 50 }, (_, i) => 2 * i + 1),
  );
  t.equal(queue.dropped[0], 50);
  t.match(queue.reported('dropped'), [{ reason: 'max_age', events: 50, stream: 'orders' }], 'one line');
  queue.checkpoint();
  conserved(t, queue, 50);
});

t.test(
  'of a segment in hand, max_age drops what was not handed out; its file stays until the rest is done',
  async (t) => {
    const directory = temporaryDirectory(t);
    const queue = await Queue.open(t, directory, { maxAgeMs: 1_000, clockRate: 10 });
    for (let id = 0; id < 100; id++) await queue.append(agedEvent(id, 0));
    const cursor = queue.dlq.cursor(0);
    t.equal(await cursor.load(), true);
    for (let id = 0; id < 5; id++) t.equal(cursor.next(), true);
    await until(
      async () => queue.dropped[0],
      (dropped) => dropped === 95,
    );
    t.match(queue.dlq.holdings(0), { spilled: 0 });
    t.equal(cursor.next(), false);
    const segments = (): string[] => readdirSync(directory).filter((name) => name.startsWith('spill-'));
    t.equal(segments().length, 1, 'a crash now costs none of the five');
    queue.checkpoint();
    await until(
      async () => segments(),
      ({ length }) => length === 0,
    );
    await queue.append(agedEvent(100, 0));
    t.strictSame(keysOf(await queue.replay(0)), [100], 'and what comes next is handed out');
    conserved(t, queue, 95);
  },
);
