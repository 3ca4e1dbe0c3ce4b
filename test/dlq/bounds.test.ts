import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkpointBytes } from '../../src/dlq/checkpoint.ts';
import { Kind } from '../../src/dlq/layout.ts';
import { Appended } from '../../src/dlq/series.ts';
import { type Files, realFiles } from '../../src/edges/files.ts';
import { until } from '../daemon/running.ts';
import { eventOf, Queue, temporaryDirectory } from './queue.ts';

const diskBytes = (directory: string): number =>
  readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

/** Appends until the queue refuses; how many it took. */
async function fill(queue: Queue, kind: Kind, from: number): Promise<number> {
  for (let id = from; ; id++) {
    const answer = queue.offer(eventOf(id, 'x'.repeat(200)), kind);
    if (answer === Appended.full) return id - from;
    if (answer === Appended.busy) {
      await new Promise<void>((resolve) => queue.dlq.whenWritable(resolve));
      id--;
    }
  }
}

t.test(
  'at max_bytes spills are refused, dead letters still find room; replay frees it and spills are taken again',
  async (t) => {
    const directory = temporaryDirectory(t);
    const maxBytes = 256 * 1024;
    const queue = await Queue.open(t, directory, { maxBytes, segmentBytes: 16 * 1024 });
    const spilled = await fill(queue, Kind.spill, 0);
    await queue.dlq.flush();
    t.match(queue.reported('full'), [{ series: 'spill', cause: 'max_bytes' }], 'said once');
    t.ok(diskBytes(directory) <= maxBytes && diskBytes(directory) > 0.85 * maxBytes, `${diskBytes(directory)} bytes`);
    const dead = await fill(queue, Kind.dead, 0);
    t.ok(dead > 20, `${dead} dead letters`);
    await queue.dlq.flush();
    t.ok(diskBytes(directory) <= maxBytes);
    t.equal(
      queue.dlq.diskBytes,
      diskBytes(directory) + checkpointBytes(['orders', 'clicks']),
      'the books are those of the disk; the checkpoint has its place',
    );
    t.equal((await queue.replay()).length, spilled);
    t.equal(queue.offer(eventOf(1)), Appended.full, 'what is in flight still has its place on disk');
    queue.checkpoint();
    await until(
      async () => queue.offer(eventOf(1)),
      (answer) => answer === Appended.ok,
    );
    t.match(queue.reported('room'), [{ series: 'spill' }]);
    t.match(queue.dlq.holdings(0), { spilled: 1, dead });
  },
);

t.test('a limit that was reached before a restart still holds after it', async (t) => {
  const directory = temporaryDirectory(t);
  const options = { maxBytes: 128 * 1024, segmentBytes: 16 * 1024 };
  const first = await Queue.open(t, directory, options);
  await fill(first, Kind.spill, 0);
  await first.close();
  const { diskBytes: before } = first.dlq;
  const second = await Queue.open(t, directory, options);
  t.equal(second.dlq.diskBytes, before);
  t.equal(second.offer(eventOf(1, 'x'.repeat(400))), Appended.full);
});

t.test('with the limit lifted what must go somewhere is taken, and the next run starts over the limit', async (t) => {
  const directory = temporaryDirectory(t);
  const options = { maxBytes: 128 * 1024, segmentBytes: 16 * 1024 };
  const first = await Queue.open(t, directory, options);
  const spilled = await fill(first, Kind.spill, 0);
  first.dlq.liftLimit();
  for (let id = 0; id < 500; id++) await first.append(eventOf(id, 'x'.repeat(200)));
  await first.close();
  t.ok(diskBytes(directory) > options.maxBytes);
  const second = await Queue.open(t, directory, options);
  t.equal(second.offer(eventOf(1)), Appended.full);
  t.equal((await second.replay()).length, spilled + 500);
});

t.test('with all blocks waiting for the disk an append says busy, and tells when to come again', async (t) => {
  const queue = await Queue.open(t, temporaryDirectory(t), { blockBytes: 512, blockCount: 2, fsync: { kind: 'each' } });
  let accepted = 0;
  let busy = 0;
  while (accepted < 200) {
    const answer = queue.offer(eventOf(accepted, 'x'.repeat(300)));
    if (answer === Appended.ok) accepted++;
    else {
      busy++;
      await new Promise<void>((resolve) => queue.dlq.whenWritable(resolve));
    }
  }
  t.ok(busy > 10, `${busy} times busy`);
  t.strictSame(
    (await queue.replay()).map(({ key }) => key),
    Array.from({ length: 200 }, (_, id) => `key${id}`),
  );
});

t.test('whoever waits for a block waits for a write, never for the next sync', async (t) => {
  const fsync = { kind: 'interval', intervalMs: 60_000 } as const;
  const queue = await Queue.open(t, temporaryDirectory(t), { blockBytes: 512, blockCount: 2, fsync });
  const started = performance.now();
  for (let id = 0; id < 100; id++) await queue.append(eventOf(id, 'x'.repeat(300)));
  t.ok(performance.now() - started < 30_000);
  t.equal(await queue.dlq.flush(), true);
  t.equal((await queue.replay()).length, 100);
});

t.test('with fsync by bytes a sync comes when so many are written, not earlier and not by the clock', async (t) => {
  let syncs = 0;
  let written = 0;
  const writtenAtSync: number[] = [];
  const files: Files = {
    ...realFiles,
    open: async (path, purpose) => {
      const file = await realFiles.open(path, purpose);
      const [write, sync] = [file.write.bind(file), file.sync.bind(file)];
      file.write = async (buffer, offset, length, position) => {
        await write(buffer, offset, length, position);
        if (position > 0) written += length;
      };
      file.sync = async () => {
        syncs++;
        writtenAtSync.push(written);
        await sync();
      };
      return file;
    },
  };
  const bytes = 64 * 1024;
  const queue = await Queue.open(t, temporaryDirectory(t), { fsync: { kind: 'bytes', bytes }, files, blockCount: 64 });
  for (let id = 0; id < 1_000; id++) await queue.append(eventOf(id, 'x'.repeat(300)));
  await until(
    async () => written,
    (sum) => sum > 300_000,
  );
  t.ok(syncs >= 2 && syncs <= written / bytes, `${syncs} syncs for ${written} bytes`);
  t.ok(writtenAtSync[0]! >= bytes);
  const before = syncs;
  await queue.dlq.flush();
  t.equal(syncs, before + 1, 'who waits for what is left has it synced');
});
