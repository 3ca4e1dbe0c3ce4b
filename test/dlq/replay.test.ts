import { readdirSync } from 'node:fs';
import t from 'tap';
import { Kind } from '../../src/dlq/layout.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { type Files, realFiles } from '../../src/edges/files.ts';
import { until } from '../daemon/running.ts';
import { readSeries, segmentNames } from './independent-reader.ts';
import { eventOf, Queue, temporaryDirectory } from './queue.ts';

const events = (from: number, to: number): ReturnType<typeof eventOf>[] =>
  Array.from({ length: to - from }, (_, i) => eventOf(from + i));

t.test('spills come back oldest first, over many segments and runs, and while more are appended', async (t) => {
  const directory = temporaryDirectory(t);
  for (let run = 0; run < 5; run++) {
    const queue = await Queue.open(t, directory, { segmentBytes: 2_048 });
    for (const event of events(run * 100, (run + 1) * 100)) await queue.append(event);
    await queue.close();
  }
  t.ok(segmentNames(directory, 'spill').length > 15);
  // A window that holds a few entries only: it is filled again and again.
  const queue = await Queue.open(t, directory, { segmentBytes: 2_048, windowBytes: 512 });
  const replayed = [];
  while (await queue.dlq.cursor(0).load()) {
    while (queue.dlq.cursor(0).next()) {
      replayed.push(queue.current());
      if (replayed.length % 5 === 0 && replayed.length <= 500) await queue.append(eventOf(499 + replayed.length / 5));
    }
  }
  t.strictSame(replayed, events(0, 600));
});

t.test('what is taken back comes again as the next one', async (t) => {
  const queue = await Queue.open(t, temporaryDirectory(t));
  for (const event of events(0, 3)) await queue.append(event);
  const cursor = queue.dlq.cursor(0);
  await cursor.load();
  cursor.next();
  t.equal(queue.dlq.spilledEvents(0), 2, 'what is handed out is in flight');
  cursor.unread();
  t.equal(queue.dlq.spilledEvents(0), 3);
  t.strictSame(await queue.replay(), events(0, 3));
});

t.test('what is not covered by a checkpoint comes again after a restart, what is covered does not', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await Queue.open(t, directory);
  for (const event of events(0, 10)) await first.append(event);
  await first.replay();
  // Positions count from 1.
  first.dlq.checkpoint(0, 4);
  await first.close();
  const second = await Queue.open(t, directory);
  t.equal(second.dlq.holdings(0).spilled, 6);
  t.strictSame(await second.replay(), events(4, 10));
});

t.test('segments are given back when a checkpoint covers them, and their room with them', async (t) => {
  const directory = temporaryDirectory(t);
  const queue = await Queue.open(t, directory, { segmentBytes: 2_048 });
  const empty = queue.dlq.diskBytes;
  for (const event of events(0, 200)) await queue.append(event);
  await queue.replay();
  await queue.dlq.flush();
  const full = segmentNames(directory, 'spill').length;
  t.ok(full > 5);
  const middle = readSeries(directory, 'spill')[100]?.sequence ?? 0;
  queue.dlq.checkpoint(0, middle);
  await until(
    async () => segmentNames(directory, 'spill').length,
    (left) => left < full,
  );
  t.equal(readSeries(directory, 'spill').at(-1)?.sequence, 200, 'what is not covered stays');
  queue.checkpoint();
  await until(
    async () => segmentNames(directory, 'spill').length,
    (left) => left === 0,
  );
  await until(
    async () => queue.dlq.diskBytes,
    (bytes) => bytes === empty,
  );
});

t.test('dead letters stay over restarts, with reason, attempts and time, and are never replayed', async (t) => {
  const directory = temporaryDirectory(t);
  const dead = { ...eventOf(1), reason: Reason.rejected, attempts: 3 };
  for (let run = 1; run <= 4; run++) {
    const queue = await Queue.open(t, directory);
    t.match(queue.dlq.holdings(0), { spilled: 0, dead: run - 1 });
    await queue.append(dead, Kind.dead);
    await queue.append(eventOf(run));
    t.strictSame(await queue.replay(), [eventOf(run)]);
    queue.checkpoint();
    await queue.close();
  }
  const { key, data, attempts, reason, firstSeenUs } = dead;
  t.match(
    readSeries(directory, 'dead'),
    Array.from({ length: 4 }, () => ({ key, data, attempts, reason, firstSeenUs, stream: 'orders' })),
  );
  t.strictSame(segmentNames(directory, 'spill'), []);
});

t.test('a spill of a stream that is gone, or larger than its stream now takes, becomes a dead letter', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await Queue.open(t, directory);
  await first.append({ ...eventOf(1), stream: 1 });
  await first.append(eventOf(2, 'x'.repeat(2_000)));
  await first.append(eventOf(3));
  await first.close();
  const second = await Queue.open(t, directory, { streams: ['orders'], eventBytesMax: [1_000] });
  t.strictSame(await second.replay(), [eventOf(3)]);
  t.match(second.dlq.holdings(undefined), { spilled: 0, dead: 2 });
  second.checkpoint();
  await second.close();
  t.match(readSeries(directory, 'dead'), [
    { stream: 'orders', reason: Reason.tooLarge, key: 'key2', data: 'x'.repeat(2_000) },
    { stream: 'clicks', reason: Reason.unknownStreamOnReplay, key: 'key1' },
  ]);
});

/** The real file system, with every call written down, and with room for a wait before one of them. */
function recorded(before: (call: string) => Promise<void> = async () => undefined): { files: Files; calls: string[] } {
  const calls: string[] = [];
  const note = async (call: string, path: string): Promise<void> => {
    const said = `${call} ${path.split('/').at(-1)}`;
    calls.push(said);
    await before(said);
  };
  const files: Files = {
    ...realFiles,
    async open(path, purpose) {
      const file = await realFiles.open(path, purpose);
      return {
        read: (...where) => file.read(...where),
        size: () => file.size(),
        close: () => file.close(),
        truncate: (length) => file.truncate(length),
        write: async (...what) => note('write', path).then(() => file.write(...what)),
        sync: async () => note('sync', path).then(() => file.sync()),
      };
    },
    rename: async (from, to) => note('rename', to).then(() => realFiles.rename(from, to)),
    unlink: async (path) => note('unlink', path).then(() => realFiles.unlink(path)),
    syncDirectory: async (path) => note('sync', path).then(() => realFiles.syncDirectory(path)),
  };
  return { files, calls };
}

t.test('what was set aside anew is written before the checkpoint that covers its old place', async (t) => {
  const directory = temporaryDirectory(t);
  const { files, calls } = recorded();
  // An interval that never comes by itself within this test.
  const fsync = { kind: 'interval', intervalMs: 60_000 } as const;
  const queue = await Queue.open(t, directory, { files, fsync });
  await queue.append(eventOf(1));
  await queue.replay();
  calls.length = 0;
  queue.checkpoint();
  // A moment before the checkpoint's timer ends, the event comes back from its ring.
  await new Promise((resolve) => setTimeout(resolve, 195));
  await queue.append(eventOf(1), Kind.dead);
  await until(async () => calls.includes('unlink spill-0000000001.seg'), Boolean);
  const order = [
    'write dead-0000000002.seg',
    'sync dead-0000000002.seg',
    'sync checkpoint.tmp',
    'rename checkpoint',
    'unlink spill-0000000001.seg',
  ];
  t.strictSame(
    order.map((call) => calls.lastIndexOf(call)).sort((a, b) => a - b),
    order.map((call) => calls.lastIndexOf(call)),
  );
  t.notOk(
    order.some((call) => !calls.includes(call)),
    calls.join(', '),
  );
});

t.test('a checkpoint that takes long is never overtaken by the next, and no live segment is forgotten', async (t) => {
  const directory = temporaryDirectory(t);
  let running = 0;
  let most = 0;
  const { files } = recorded(async (call) => {
    if (!call.endsWith('checkpoint')) return;
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 450));
    running--;
  });
  const queue = await Queue.open(t, directory, { files, segmentBytes: 1_024 });
  for (const event of events(0, 100)) await queue.append(event);
  await queue.replay();
  for (let position = 1; position <= 100; position++) {
    queue.dlq.checkpoint(0, position);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await queue.append(eventOf(100));
  t.strictSame(await queue.replay(), [eventOf(100)]);
  await queue.close();
  t.equal(most, 1);
  const again = await Queue.open(t, directory);
  t.strictSame(await again.replay(), [eventOf(100)]);
});

t.test('closing while a load is under way ends it, and leaves no file open', async (t) => {
  const directory = temporaryDirectory(t);
  const files: Files = {
    ...realFiles,
    open: async (path, purpose) => {
      if (purpose === 'read') await new Promise((resolve) => setTimeout(resolve, 100));
      return realFiles.open(path, purpose);
    },
  };
  const queue = await Queue.open(t, directory, { files });
  for (const event of events(0, 50)) await queue.append(event);
  await queue.dlq.flush();
  const open = readdirSync('/proc/self/fd').length;
  const load = queue.dlq.cursor(0).load();
  await queue.close();
  await load;
  t.ok(readdirSync('/proc/self/fd').length < open, 'the segment that was written is closed too');
  t.strictSame(queue.reported('read_failed'), []);
  t.equal((await Queue.open(t, directory)).dlq.holdings(0).spilled, 50);
});
