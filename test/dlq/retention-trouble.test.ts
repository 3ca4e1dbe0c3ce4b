import { readdirSync } from 'node:fs';
import t from 'tap';
import { Kind } from '../../src/dlq/layout.ts';
import { Appended } from '../../src/dlq/series.ts';
import { type Files, realFiles } from '../../src/edges/files.ts';
import { until } from '../daemon/running.ts';
import { agedEvent, conserved, retainedData as data } from './aged-events.ts';
import { eventOf, Queue, temporaryDirectory } from './queue.ts';

const kibibyte = 1024;
const dropping = { maxBytes: 256 * kibibyte, segmentBytes: 16 * kibibyte, whenFull: 'drop-oldest' } as const;

t.test('while a file cannot be removed drop-oldest drops no second segment for room, and refuses', async (t) => {
  let isReadOnly = false;
  const files: Files = {
    ...realFiles,
    unlink: (path) =>
      isReadOnly
        ? Promise.reject(Object.assign(new Error('read-only file system'), { code: 'EROFS' }))
        : realFiles.unlink(path),
  };
  const directory = temporaryDirectory(t);
  const queue = await Queue.open(t, directory, { ...dropping, files });
  const taken: number[] = [];
  let refused = 0;
  const offer = async (id: number): Promise<void> => {
    await queue.append(eventOf(id, data)).then(
      () => void taken.push(id),
      () => void (refused += 1),
    );
  };
  for (let id = 0; id < 600; id++) await offer(id);
  t.strictSame([refused, queue.dropped[0]], [0, 0]);
  isReadOnly = true;
  for (let id = 600; id < 2_000; id++) await offer(id);
  t.ok(refused > 500, `${refused} refused`);
  const [dropped] = queue.reported('dropped');
  t.equal(queue.reported('dropped').length, 1, 'one segment');
  t.equal(queue.dropped[0], dropped?.['events']);
  t.ok(queue.reported('attempt_failed').length < 20, 'and it is not tried for each event');
  t.match(queue.dlq.condition, { full: true, cause: 'max_bytes' });
  conserved(t, queue, taken.length);
  isReadOnly = false;
  await until(
    async () => queue.offer(eventOf(2_000, data)),
    (answer) => answer === Appended.ok,
  );
  await queue.close();
  const second = await Queue.open(t, directory, dropping);
  t.equal(second.dlq.holdings(0).spilled, taken.length + 1 - queue.dropped[0]!, 'what was dropped stays gone');
});

t.test(
  'what came back and was too old by then holds up neither checkpoints nor the removal of its segment',
  async (t) => {
    const directory = temporaryDirectory(t);
    const queue = await Queue.open(t, directory, { maxAgeMs: 60_000 });
    // Young enough to be handed out, and too old soon after.
    for (let id = 0; id < 5; id++) await queue.append(agedEvent(id, 59_500));
    const cursor = queue.dlq.cursor(0);
    t.equal(await cursor.load(), true);
    const handed = new Map<number, number>();
    while (cursor.next()) handed.set(cursor.sequence, cursor.keyLength + cursor.dataLength);
    t.equal(handed.size, 5);
    const [first, , third, , last] = [...handed.keys()] as [number, number, number, number, number];
    queue.dlq.checkpoint(0, first);
    for (const sequence of [third, last]) cursor.takeBack(handed.get(sequence)!);
    queue.dlq.checkpoint(0, third - 1);
    cursor.rewind([third, last], [handed.get(third)!, handed.get(last)!]);
    await until(
      async () => Date.now(),
      (nowMs) => cursor.firstSeenUs < (nowMs - 60_000) * 1000,
    );
    while (await cursor.load()) t.equal(cursor.next(), false);
    t.equal(queue.dropped[0], 2);
    await until(
      async () => readdirSync(directory).filter((name) => name.startsWith('spill-')),
      (names) => names.length === 0,
      5_000,
    );
    await queue.close();
    t.equal((await Queue.open(t, directory)).dlq.holdings(0).spilled, 0, 'it does not come back with the next run');
  },
);

t.test(
  'an event that came back and is on its way again holds its segment, though a later one was too old',
  async (t) => {
    const directory = temporaryDirectory(t);
    const queue = await Queue.open(t, directory, { maxAgeMs: 60_000 });
    await queue.append(agedEvent(0, 0));
    await queue.append(agedEvent(1, 59_500));
    const cursor = queue.dlq.cursor(0);
    const handed = new Map<number, number>();
    t.equal(await cursor.load(), true);
    while (cursor.next()) handed.set(cursor.sequence, cursor.keyLength + cursor.dataLength);
    const sequences = [...handed.keys()];
    for (const bytes of handed.values()) cursor.takeBack(bytes);
    cursor.rewind(sequences, [...handed.values()]);
    await until(
      async () => Date.now(),
      (nowMs) => cursor.firstSeenUs < (nowMs - 60_000) * 1000,
    );
    t.equal(await cursor.load(), true);
    t.equal(cursor.next(), true);
    t.equal(cursor.next(), false, 'the second is dropped');
    t.equal(queue.dropped[0], 1);
    await cursor.load();
    await queue.close();
    const second = await Queue.open(t, directory);
    t.equal(second.dlq.holdings(0).spilled, 2, 'nothing is covered while the first is on its way');
  },
);

t.test(
  'what came back and is dropped by age before it is handed out again makes way for what comes next',
  async (t) => {
    const directory = temporaryDirectory(t);
    const queue = await Queue.open(t, directory, { maxAgeMs: 1_000, clockRate: 10 });
    const cursor = queue.dlq.cursor(0);
    const hand = async (): Promise<Map<number, number>> => {
      const handed = new Map<number, number>();
      t.equal(await cursor.load(), true);
      while (cursor.next()) handed.set(cursor.sequence, cursor.keyLength + cursor.dataLength);
      return handed;
    };
    const bringBack = (handed: ReadonlyMap<number, number>): void => {
      for (const bytes of handed.values()) cursor.takeBack(bytes);
      cursor.rewind([...handed.keys()], [...handed.values()]);
    };
    for (let id = 0; id < 10; id++) await queue.append(agedEvent(id, 0));
    bringBack(await hand());
    await until(
      async () => queue.dropped[0],
      (dropped) => dropped === 10,
    );
    for (let id = 10; id < 20; id++) await queue.append(agedEvent(id, 0));
    const next = await hand();
    t.equal(next.size, 10);
    bringBack(next);
    t.strictSame(await hand(), next, 'in turn, they come back and are handed out again');
    t.equal(await cursor.load(), false);
    queue.checkpoint();
    await until(
      async () => readdirSync(directory).filter((name) => name.startsWith('spill-')),
      ({ length }) => length === 0,
      5_000,
    );
  },
);

for (const [what, replay] of [
  ['sent again', { perSecond: 40 }],
  ['thrown away', undefined],
] as const) {
  t.test(
    `letters whose age comes while letters are ${what} are dropped once that is done, and booked once`,
    async (t) => {
      const directory = temporaryDirectory(t);
      const letters = 60;
      const work = { filter: { streams: ['orders'] }, replay, isStopped: () => false, onProgress: () => undefined };
      const slow: Files = {
        ...realFiles,
        open: async (path, purpose) => {
          if (purpose === 'read') await new Promise((resolve) => setTimeout(resolve, 200));
          return realFiles.open(path, purpose);
        },
      };
      const options = { maxAgeMs: 60_000, segmentBytes: 4_096, clockRate: 20, files: slow };
      const queue = await Queue.open(t, directory, options);
      for (let id = 0; id < letters; id++) await queue.append(agedEvent(id, 59_500, id % 2), Kind.dead);
      await queue.dlq.flush();
      let [purged, isDone] = [0, false];
      const running = queue.dlq.deadLetters.run({
        ...work,
        onGone: (_stream, events, to) => {
          if (to === undefined) purged += events;
        },
      });
      const done = running.finally(() => {
        isDone = true;
      });
      await until(
        async () => {
          const { spilled, dead } = queue.dlq.holdings(undefined);
          t.equal(spilled + dead + queue.dropped[0]! + queue.dropped[1]! + purged, letters);
          return isDone;
        },
        (is) => is,
      );
      const { events } = await done;
      t.ok(events > 0);
      await until(
        async () => queue.dlq.holdings(undefined),
        ({ spilled, dead }) => spilled + dead === 0,
      );
      t.equal(queue.dropped[0]! + queue.dropped[1]! + purged, letters);
      t.match(queue.dlq.condition.droppedByReason, { max_age: letters - purged });
    },
  );
}
