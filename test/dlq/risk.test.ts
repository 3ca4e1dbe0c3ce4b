import { cpSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { FsyncPolicy } from '../../src/dlq/options.ts';
import { FailingSyncs, Journalled } from './journalled.ts';
import { eventOf, Queue, temporaryDirectory } from './queue.ts';

/** Two blocks, each of which holds one event: what is written and not synced must give its memory, or be synced. */
const small = { blockBytes: 512, blockCount: 2 };
const count = 20;

async function fill(queue: Queue, from = 0, to = count): Promise<void> {
  for (let id = from; id < to; id++) await queue.append(eventOf(id, 'x'.repeat(300)));
}

/** Keys of what a start would find if the process died now. */
async function keysLeft(t: Test, directory: string): Promise<string[]> {
  const copy = temporaryDirectory(t);
  cpSync(directory, copy, { recursive: true });
  const next = await Queue.open(t, copy);
  return (await next.replay()).map(({ key }) => key);
}

const allKeys = Array.from({ length: count }, (_, id) => `key${id}`);

t.test('what gave its memory to newer events before a sync that failed is at risk: flush says no, once', async (t) => {
  const disk = new FailingSyncs(/spill.*seg$/);
  const fsync = { kind: 'interval', intervalMs: 60_000 } as const;
  const queue = await Queue.open(t, temporaryDirectory(t), { ...small, fsync, files: disk.files });
  await fill(queue);
  disk.failures = 1;
  t.equal(await queue.dlq.flush(), false);
  const [report] = queue.reported('at_risk');
  t.ok(Number(report?.['events']) >= count - 3, `${report?.['events']} events at risk`);
  t.equal(await queue.dlq.flush(), true, 'what is left is on disk');
});

t.test('where every write is synced, a sync that fails puts nothing at risk', async (t) => {
  const disk = new FailingSyncs(/spill.*seg$/);
  const directory = temporaryDirectory(t);
  const queue = await Queue.open(t, directory, { ...small, fsync: { kind: 'each' }, files: disk.files });
  await fill(queue, 0, 10);
  await queue.dlq.flush();
  disk.failures = 1;
  await fill(queue, 10);
  t.equal(await queue.dlq.flush(), true);
  t.equal(disk.failures, 0);
  t.strictSame(queue.reported('at_risk'), []);
  t.strictSame(await keysLeft(t, directory), allKeys);
  const back = (await queue.replay()).map(({ key }) => key);
  t.strictSame(back, allKeys, 'each comes back once, though two segments may have it');
  t.equal(queue.dlq.holdings(undefined).spilled, 0);
  t.strictSame(queue.reported('damaged_events'), [], 'and none is counted twice');
});

const policies: readonly FsyncPolicy[] = [
  { kind: 'interval', intervalMs: 60_000 },
  { kind: 'bytes', bytes: 1024 ** 2 },
  { kind: 'none' },
];
for (const fsync of policies) {
  t.test(`while senders wait for the disk, a sync that fails puts nothing at risk: fsync ${fsync.kind}`, async (t) => {
    const disk = new FailingSyncs(/spill.*seg$/);
    disk.failures = 1;
    const directory = temporaryDirectory(t);
    const queue = await Queue.open(t, directory, { ...small, fsync, files: disk.files });
    new Journalled(queue).logs.mustSync();
    // Nobody asks for a sync but those who wait for memory.
    await fill(queue);
    t.equal(await queue.dlq.flush(), true);
    t.equal(disk.failures, 0, 'a sync has failed');
    t.strictSame(queue.reported('at_risk'), []);
    t.strictSame(await keysLeft(t, directory), allKeys);
  });
}
