import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Work, WorkCounts } from '../../src/dlq/dead-letters.ts';
import { Kind } from '../../src/dlq/layout.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { Appended } from '../../src/dlq/series.ts';
import { type Files, type OpenFile, realFiles } from '../../src/edges/files.ts';
import { until } from '../daemon/running.ts';
import { readSeries } from './independent-reader.ts';
import { eventOf, Queue, temporaryDirectory } from './queue.ts';

const letters = 60;

/** Letters 0 to 59 of two streams in turns, in several segments. */
async function filled(t: Test): Promise<string> {
  const directory = temporaryDirectory(t);
  const ends: (() => unknown)[] = [];
  const queue = await Queue.open({ teardown: (end) => ends.push(end) }, directory, { segmentBytes: 2_048 });
  for (let id = 0; id < letters; id++) {
    await queue.append({ ...eventOf(id, `letter ${id}`), stream: id % 2, reason: Reason.rejected }, Kind.dead);
  }
  for (const end of ends) await end();
  t.ok(readdirSync(directory).length >= 3, 'several segments');
  return directory;
}

function run({ dlq }: Queue, work: Partial<Work>): Promise<WorkCounts> {
  return dlq.deadLetters.run({
    filter: {},
    isStopped: () => false,
    onProgress: () => undefined,
    onGone: () => undefined,
    ...work,
  });
}

const idsIn = (directory: string, series: 'spill' | 'dead'): number[] =>
  readSeries(directory, series).map(({ data }) => Number(data.split(' ')[1]));

/** All numbers once, in ascending order. */
const numbers = (list: readonly number[]): number[] => [...new Set(list)].sort((a, b) => a - b);
const all = Array.from({ length: letters }, (_, id) => id);

t.test('a segment that cannot be written anew fails the work; the next one sends nothing of it twice', async (t) => {
  const directory = await filled(t);
  let isFull = true;
  const files: Files = {
    ...realFiles,
    rename: (from, to) =>
      isFull && from.endsWith('.seg.tmp')
        ? Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }))
        : realFiles.rename(from, to),
  };
  const queue = await Queue.open(t, directory, { files });
  const gone: number[] = [0, 0];
  const work: Partial<Work> = {
    filter: { streams: ['clicks'] },
    replay: {},
    onGone: (stream, events) => {
      gone[stream]! += events;
    },
  };
  await t.rejects(run(queue, work), { code: 'dlq_unwritable', message: /no space left; make room on the disk/ });
  t.ok(gone[1]! > 0 && gone[1]! < letters / 2);
  t.equal(queue.dlq.holdings(1).dead + queue.dlq.holdings(1).spilled, letters / 2, 'each is counted once');
  isFull = false;
  const { events } = await run(queue, work);
  t.equal(gone[1], letters / 2);
  t.ok(events < letters / 2, 'those that were moved are not moved again');
  t.match(queue.dlq.holdings(1), { dead: 0, spilled: letters / 2 });
  await queue.close();
  t.strictSame(
    idsIn(directory, 'spill'),
    all.filter((id) => id % 2 === 1),
  );
  t.strictSame(
    idsIn(directory, 'dead'),
    all.filter((id) => id % 2 === 0),
  );
});

t.test('a purge that fails has thrown nothing away that it does not count', async (t) => {
  const directory = await filled(t);
  let fails = true;
  const files: Files = {
    ...realFiles,
    unlink: (path) => (fails ? Promise.reject(new Error('read-only')) : realFiles.unlink(path)),
  };
  const queue = await Queue.open(t, directory, { files });
  await t.rejects(run(queue, {}), { code: 'dlq_unwritable' });
  t.equal(queue.dlq.holdings(undefined).dead, letters);
  fails = false;
  t.match(await run(queue, {}), { events: letters });
  t.equal(queue.dlq.holdings(undefined).dead, 0);
  t.strictSame(readdirSync(directory), []);
});

t.test('all letters are meant that were taken before, those in memory and in full segments as well', async (t) => {
  const queue = await Queue.open(t, temporaryDirectory(t), { segmentBytes: 2_048, blockBytes: 1_024 });
  for (let id = 0; id < letters; id++) await queue.append({ ...eventOf(id), reason: Reason.rejected }, Kind.dead);
  t.match(await run(queue, {}), { events: letters });
  t.equal(queue.dlq.holdings(undefined).dead, 0);
});

t.test('where streams hold all windows the work asks for one; stopped, it waits no longer', async (t) => {
  const queue = await Queue.open(t, await filled(t), { windowCount: 1 });
  const { dlq } = queue;
  await queue.append(eventOf(letters));
  t.ok(await dlq.cursor(0).load());
  t.ok(dlq.areWindowsTaken);
  const isWanted = async (): Promise<boolean> => dlq.deadLetters.isWindowWanted;
  let isStopped = false;
  const stopped = run(queue, { isStopped: () => isStopped });
  await until(isWanted, Boolean);
  isStopped = true;
  t.match(await stopped, { events: 0, isStopped: true });
  t.notOk(await isWanted());
  const purged = run(queue, {});
  await until(isWanted, Boolean);
  dlq.cursor(0).release();
  t.match(await purged, { events: letters, isStopped: false });
});

t.test('letters that fill the DLQ to its limit are sent again, with a segment of room that is not there', async (t) => {
  const directory = temporaryDirectory(t);
  const [maxBytes, segmentBytes] = [64 * 1024, 2_048];
  const queue = await Queue.open(t, directory, { maxBytes, segmentBytes, blockBytes: 1_024 });
  let filledWith = 0;
  for (; filledWith < 2_000; filledWith++) {
    const appended = queue.offer(
      { ...eventOf(filledWith, `letter ${filledWith}`), reason: Reason.rejected },
      Kind.dead,
    );
    if (appended === Appended.full) break;
    if (appended === Appended.busy) {
      await new Promise<void>((resolve) => queue.dlq.whenWritable(resolve));
      filledWith -= 1;
    }
  }
  t.equal(queue.offer(eventOf(0)), Appended.full, 'no spill finds room');
  let diskBytesMost = 0;
  const onProgress = (): void => {
    diskBytesMost = Math.max(diskBytesMost, queue.dlq.diskBytes);
  };
  t.match(await run(queue, { replay: {}, onProgress }), { events: filledWith });
  t.match(queue.dlq.holdings(0), { dead: 0, spilled: filledWith });
  t.ok(diskBytesMost <= maxBytes + 2 * segmentBytes, `${diskBytesMost} bytes at most`);
});

/** Files that stand still from the `nth` call that changes something on: what is on disk then is what a crash leaves. */
function crashing(nth: number): {
  readonly files: Files;
  readonly crashed: Promise<void>;
  readonly hasCrashed: () => boolean;
  readonly close: () => Promise<unknown>;
} {
  let calls = 0;
  const open: OpenFile[] = [];
  let crash = (): void => undefined;
  const crashed = new Promise<void>((resolve) => {
    crash = resolve;
  });
  const step = async <T>(action: () => Promise<T>): Promise<T> => {
    calls += 1;
    if (calls < nth) return action();
    crash();
    return new Promise<T>(() => undefined);
  };
  const wrapped = (file: OpenFile): OpenFile => {
    open.push(file);
    return {
      read: (...rest) => file.read(...rest),
      size: () => file.size(),
      close: () => Promise.resolve(),
      write: (...rest) => step(() => file.write(...rest)),
      truncate: (length) => step(() => file.truncate(length)),
      sync: () => step(() => file.sync()),
    };
  };
  const files: Files = {
    makeDirectory: (path) => realFiles.makeDirectory(path),
    list: (path) => realFiles.list(path),
    open: async (path, purpose) =>
      wrapped(await (purpose === 'read' ? realFiles.open(path, purpose) : step(() => realFiles.open(path, purpose)))),
    rename: (from, to) => step(() => realFiles.rename(from, to)),
    unlink: (path) => step(() => realFiles.unlink(path)),
    syncDirectory: (path) => step(() => realFiles.syncDirectory(path)),
    measure: (path) => realFiles.measure(path),
    freeBytes: (path) => realFiles.freeBytes(path),
  };
  const close = (): Promise<unknown> => Promise.all(open.map((file) => file.close()));
  return { files, crashed, hasCrashed: () => calls >= nth, close };
}

for (const what of ['replay', 'purge'] as const) {
  t.test(
    `a crash at any step of a ${what} loses no letter that was not meant, and the next start goes on`,
    async (t) => {
      const original = await filled(t);
      let crashes = 0;
      for (let nth = 1; ; nth++) {
        const directory = join(temporaryDirectory(t), 'copy');
        mkdirSync(directory);
        cpSync(original, directory, { recursive: true });
        const { files, crashed, hasCrashed, close } = crashing(nth);
        const abandoned = await Queue.open({ teardown: () => undefined }, directory, {
          files,
          fsync: { kind: 'each' },
          reserveBytes: 0,
        });
        const work = { filter: { streams: ['orders'] }, ...(what === 'replay' ? { replay: {} } : {}) };
        await Promise.race([crashed, run(abandoned, work)]);
        await close();
        if (!hasCrashed()) break;
        crashes += 1;
        const found = numbers([...idsIn(directory, 'dead'), ...idsIn(directory, 'spill')]);
        const least = what === 'replay' ? all : all.filter((id) => id % 2 === 1);
        if (!least.every((id) => found.includes(id))) t.fail(`after step ${nth}: ${found.join()}`);
        const next = await Queue.open({ teardown: () => undefined }, directory, { reserveBytes: 0 });
        await run(next, work);
        await next.close();
        const dead = idsIn(directory, 'dead');
        if (dead.join() !== all.filter((id) => id % 2 === 1).join()) t.fail(`after step ${nth}, dead: ${dead.join()}`);
        if (what === 'replay') {
          const spilled = numbers(idsIn(directory, 'spill'));
          if (spilled.join() !== all.filter((id) => id % 2 === 0).join())
            t.fail(`after step ${nth}: ${spilled.join()}`);
        }
        const odd = readdirSync(directory).filter((name) => !/^(dead|spill)-\d+\.seg$|^checkpoint$/.test(name));
        if (odd.length > 0) t.fail(`after step ${nth}: ${odd.join()} is left`);
      }
      t.ok(crashes >= 10, `${crashes} steps`);
    },
  );
}
