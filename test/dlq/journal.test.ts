import { cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Appended } from '../../src/dlq/series.ts';
import { until } from '../daemon/running.ts';
import { FailingSyncs, Journalled } from './journalled.ts';
import { type Event, eventOf, Queue, type QueueOptions, temporaryDirectory } from './queue.ts';

const orders = 0;
const clicks = 1;

async function open(t: Test, directory: string, options: QueueOptions = {}): Promise<Journalled> {
  return new Journalled(await Queue.open(t, directory, options));
}

/** The directory as a kill at this moment leaves it. */
function killed(t: Test, directory: string): string {
  const copy = temporaryDirectory(t);
  cpSync(directory, copy, { recursive: true });
  return copy;
}

const at = (id: number, stream = orders): Event => ({ ...eventOf(id), stream });
const dataOf = (events: readonly Event[]): string[] => events.map(({ data }) => data);
const files = (directory: string, pattern: RegExp): string[] =>
  readdirSync(directory).filter((name) => pattern.test(name));

t.test(
  'what an ended run had in its journal comes back field by field, as spills, behind the spills of that run',
  async (t) => {
    const directory = temporaryDirectory(t);
    const journalled = await open(t, directory);
    const { queue } = journalled;
    await journalled.write(at(1), at(2, clicks), at(3));
    await queue.append(at(4));
    await journalled.write(at(5));
    await queue.append(at(6));
    await queue.dlq.flush();
    const next = await Queue.open(t, killed(t, directory));
    t.match(next.dlq.holdings(undefined), { spilled: 6, dead: 0 });
    const back = await next.replay();
    t.strictSame(dataOf(back), dataOf([at(4), at(6), at(1), at(3), at(5), at(2, clicks)]));
    t.match(back[2], { key: 'key1', firstSeenUs: at(1).firstSeenUs, attempts: 0 });
    t.equal(back[3]?.hashKey, at(3).hashKey);
  },
);

t.test('marks are kept by stream: what is done does not come back, what is not does', async (t) => {
  const directory = temporaryDirectory(t);
  const journalled = await open(t, directory);
  await journalled.write(at(1), at(2, clicks));
  await journalled.write(at(3), at(4, clicks));
  await journalled.giveBack(orders, 1);
  const oneDone = killed(t, directory);
  await journalled.giveBack(orders, 1);
  const ordersDone = killed(t, directory);
  const spilled = async (copy: string): Promise<string[]> => dataOf(await (await Queue.open(t, copy)).replay());
  t.strictSame(await spilled(oneDone), dataOf([at(3), at(2, clicks), at(4, clicks)]));
  t.strictSame(await spilled(ordersDone), dataOf([at(2, clicks), at(4, clicks)]));
});

t.test('marks of a run hold until its journal is gone, whatever later runs do to theirs', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await open(t, directory);
  await first.write(at(1));
  await first.write(at(2));
  await first.giveBack(orders, 1);
  const second = killed(t, directory);
  const next = await open(t, second);
  await next.write(at(3));
  await next.write(at(4));
  await next.giveBack(orders, 1);
  const third = await Queue.open(t, killed(t, second));
  t.strictSame(dataOf(await third.replay()), dataOf([at(2), at(4)]));
  third.checkpoint();
  await third.close();
  t.strictSame(files(third.directory, /journal/), [], 'and then it is gone, with its marks');
});

t.test('a torn slot of the marks costs what it said more than the other; without any all comes back', async (t) => {
  const directory = temporaryDirectory(t);
  const journalled = await open(t, directory);
  for (let id = 1; id <= 4; id++) await journalled.write(at(id));
  await journalled.giveBack(orders, 1);
  await journalled.giveBack(orders, 1);
  const [name] = files(directory, /marks$/);
  const bytes = readFileSync(join(directory, name as string));
  const found = async (change: (path: string) => void): Promise<string[]> => {
    const copy = killed(t, directory);
    change(join(copy, name as string));
    const queue = await Queue.open(t, copy);
    return dataOf(await queue.replay());
  };
  t.strictSame(await found(() => {}), dataOf([at(3), at(4)]));
  for (const slot of [0, 4_096]) {
    const torn = Buffer.from(bytes);
    torn[slot + 40]! ^= 1;
    const left = await found((path) => writeFileSync(path, torn));
    t.strictSame(left, dataOf(slot === 0 ? [at(2), at(3), at(4)] : [at(3), at(4)]));
  }
  t.strictSame(await found((path) => truncateSync(path, 20)), dataOf([at(1), at(2), at(3), at(4)]));
});

t.test('a start on damaged marks says so, and needs no cure', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'journal-0000000009.marks'), 'nonsense');
  const queue = await Queue.open(t, directory);
  t.match(queue.reported('marks_damaged'), [{ name: 'journal-0000000009.marks', cure: /none needed/ }]);
  t.strictSame(files(directory, /marks/), [], 'they are of no use');
});

t.test('at its limit the journal takes no more, until the rings have given back what it holds', async (t) => {
  const directory = temporaryDirectory(t);
  const journalled = new Journalled(await Queue.open(t, directory), 64 * 1024);
  const long = 'x'.repeat(1_000);
  let written = 0;
  const fill = async (): Promise<void> => {
    while (journalled.take({ ...at(++written), data: long }) === Appended.ok) {
      journalled.logs.journal.commit();
      await until(
        async () => journalled.durable.at(-1),
        (last) => last === journalled.logs.journal.lastSequence,
      );
    }
  };
  await fill();
  const full = written;
  t.ok(full > 45 && full < 64, `${full} events of 1,000 bytes and more filled it`);
  const bytes = (): number => journalled.logs.journal.status().bytes;
  t.ok(bytes() <= 64 * 1024);
  t.match(journalled.queue.reported('full'), [{ series: 'journal', cause: 'max_bytes' }]);
  await journalled.giveBack(orders, full - 1);
  await until(
    async () => bytes(),
    (now) => now < 20 * 1024,
  );
  await fill();
  t.ok(written > full + 30, 'it was filled again');
  t.ok(bytes() <= 64 * 1024);
  t.equal(journalled.queue.dlq.diskBytes < 1_000, true, 'the DLQ has its own limit');
});

for (const isThrough of [false, true]) {
  const what = isThrough ? 'write through' : 'fdatasync';
  t.test(`a failed ${what} acknowledges nothing: its events go to a new segment, and are durable there`, async (t) => {
    const directory = temporaryDirectory(t);
    const disk = new FailingSyncs();
    const journalled = await open(t, directory, { files: disk.files });
    // The first commit of a segment is synced, with the zeros for those behind it.
    for (const id of isThrough ? [0, 1] : []) await journalled.write(at(id));
    const { length } = journalled.durable;
    t.equal(disk.writesThrough, isThrough ? 1 : 0);
    disk.failures = 1;
    await journalled.write(at(2), at(3));
    t.equal(disk.failures, 0);
    t.equal(journalled.durable.length, length + 1, 'only the second try was acknowledged');
    t.equal(files(directory, /journal.*seg$/).length, isThrough ? 2 : 1);
    t.strictSame(journalled.lost, []);
    t.match(journalled.queue.reported('failing'), [{ series: 'journal', code: 'EIO' }]);
    const next = await Queue.open(t, killed(t, directory));
    t.strictSame(dataOf(await next.replay()), dataOf(isThrough ? [at(0), at(1), at(2), at(3)] : [at(2), at(3)]));
  });
}

t.test('what the DLQ took from a ring is durable there before the marks move past it', async (t) => {
  const directory = temporaryDirectory(t);
  const journalled = await open(t, directory);
  journalled.logs.mustSync();
  await journalled.write(at(1));
  t.equal(journalled.queue.offer(at(1)), Appended.ok);
  journalled.logs.journal.moved();
  await journalled.giveBack(orders, 1);
  const next = await Queue.open(t, killed(t, directory));
  t.strictSame(dataOf(await next.replay()), dataOf([at(1)]));
});
