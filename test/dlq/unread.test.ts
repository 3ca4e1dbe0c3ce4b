import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { asideCopiesMax, asideName } from '../../src/dlq/segment.ts';
import { type Files, realFiles } from '../../src/edges/files.ts';
import { until } from '../daemon/running.ts';
import { readSeries, segmentNames } from './independent-reader.ts';
import { Journalled } from './journalled.ts';
import { eventOf, Queue, temporaryDirectory } from './queue.ts';

const broken = (call: string): Error => Object.assign(new Error(`EIO: i/o error, ${call}`), { code: 'EIO' });

/** The real file system, with files that cannot be read, and calls that fail as long as they are told to. */
class BadDisk {
  /** Names of files that cannot be read. */
  readonly unreadable = new Set<string>();
  areRenamesBroken = false;
  areDirectorySyncsBroken = false;
  /** Names that files were given. */
  readonly renamed: string[] = [];
  readonly files: Files = {
    ...realFiles,
    open: async (path, purpose) => {
      const file = await realFiles.open(path, purpose);
      const read = file.read.bind(file);
      file.read = (...words) => (this.unreadable.has(basename(path)) ? Promise.reject(broken('read')) : read(...words));
      return file;
    },
    rename: async (from, to) => {
      if (this.areRenamesBroken && from.endsWith('.seg')) throw broken('rename');
      await realFiles.rename(from, to);
      this.renamed.push(basename(to));
    },
    syncDirectory: async (path) => {
      if (this.areDirectorySyncsBroken) throw broken('fsync');
      await realFiles.syncDirectory(path);
    },
  };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);
const keys = (ids: readonly number[]): string[] => ids.map((id) => `key${id}`);

/** A directory with two segments of spills: events 0 to 9, and 10 to 19. */
async function twoSegments(t: Test): Promise<{ directory: string; first: string; second: string }> {
  const directory = temporaryDirectory(t);
  for (const from of [0, 10]) {
    const queue = await Queue.open(t, directory);
    for (const id of range(from, from + 10)) await queue.append(eventOf(id));
    await queue.close();
  }
  const [first, second] = segmentNames(directory, 'spill') as [string, string];
  return { directory, first, second };
}

/** Keys of what a healthy start finds. */
async function found(t: Test, directory: string): Promise<string[]> {
  const copy = temporaryDirectory(t);
  cpSync(directory, copy, { recursive: true });
  const queue = await Queue.open(t, copy);
  return (await queue.replay()).map(({ key }) => key);
}

function checkpointTried(queue: Queue): Promise<unknown> {
  return until(
    async () => queue.reported('checkpoint_failed').length,
    (failures) => failures > 0,
  );
}

t.test(
  'no checkpoint passes a segment that could neither be read nor set aside: a healthy start has its events',
  async (t) => {
    const { directory, first } = await twoSegments(t);
    const disk = new BadDisk();
    disk.unreadable.add(first);
    disk.areRenamesBroken = true;
    const queue = await Queue.open(t, directory, { files: disk.files });
    t.strictSame(
      (await queue.replay()).map(({ key }) => key),
      keys(range(10, 20)),
    );
    queue.checkpoint();
    await checkpointTried(queue);
    t.strictSame(await found(t, directory), keys(range(0, 20)));
    disk.areRenamesBroken = false;
    await until(
      async () => disk.renamed,
      (names) => names.includes('checkpoint'),
    );
    t.strictSame(disk.renamed, [`${first}.quarantine`, 'checkpoint'], 'once it can be set aside, that comes first');
    t.strictSame(await found(t, directory), []);
  },
);

t.test('no checkpoint passes one that nobody has read and for which all names are taken', async (t) => {
  const { directory, first } = await twoSegments(t);
  for (let copy = 0; copy < asideCopiesMax; copy++) writeFileSync(join(directory, asideName(first, copy)), 'taken');
  const disk = new BadDisk();
  disk.unreadable.add(first);
  const queue = await Queue.open(t, directory, { files: disk.files });
  await queue.replay();
  queue.checkpoint();
  await checkpointTried(queue);
  t.strictSame(await found(t, directory), keys(range(0, 20)));
  rmSync(join(directory, asideName(first, 3)));
  await until(
    async () => disk.renamed,
    (names) => names.includes('checkpoint'),
  );
  t.strictSame(disk.renamed, [asideName(first, 3), 'checkpoint'], 'as soon as a name is free');
  t.strictSame(await found(t, directory), []);
});

t.test('a checkpoint waits until the new name of a segment that was set aside is on disk', async (t) => {
  const { directory, first } = await twoSegments(t);
  const disk = new BadDisk();
  disk.unreadable.add(first);
  disk.areDirectorySyncsBroken = true;
  const queue = await Queue.open(t, directory, { files: disk.files, fsync: { kind: 'each' } });
  await queue.replay();
  queue.checkpoint();
  await checkpointTried(queue);
  t.strictSame(disk.renamed, [`${first}.quarantine`]);
  disk.areDirectorySyncsBroken = false;
  await until(
    async () => disk.renamed,
    (names) => names.includes('checkpoint'),
  );
  t.strictSame(await found(t, directory), []);
});

t.test('a segment that replay cannot read gets its new name before a checkpoint passes it', async (t) => {
  const { directory, first } = await twoSegments(t);
  const disk = new BadDisk();
  const queue = await Queue.open(t, directory, { files: disk.files });
  disk.unreadable.add(first);
  disk.areRenamesBroken = true;
  const back: string[] = [];
  await until(
    async () => back.push(...(await queue.replay(0)).map(({ key }) => key)),
    (count) => count === 10,
  );
  t.strictSame(back, keys(range(10, 20)));
  queue.checkpoint();
  await until(
    async () => queue.reported('attempt_failed').length,
    (failures) => failures > 0,
  );
  t.strictSame(await found(t, directory), keys(range(0, 20)));
  disk.areRenamesBroken = false;
  await until(
    async () => disk.renamed,
    (names) => names.includes(`${first}.quarantine`),
  );
  await queue.close();
  t.strictSame(await found(t, directory), []);
});

t.test('what comes while a segment cannot be read is not taken for what is in it', async (t) => {
  const { directory, second } = await twoSegments(t);
  const disk = new BadDisk();
  disk.unreadable.add(second);
  disk.areRenamesBroken = true;
  const queue = await Queue.open(t, directory, { files: disk.files });
  for (const id of range(20, 30)) await queue.append(eventOf(id));
  await queue.close();
  t.strictSame(await found(t, directory), keys(range(0, 30)));
});

t.test('new entries begin behind what marks name, though a power cut has taken the journal', async (t) => {
  const directory = temporaryDirectory(t);
  const journalled = new Journalled(await Queue.open(t, directory));
  await journalled.write(eventOf(1), eventOf(2));
  await journalled.giveBack(0, 2);
  const marked = journalled.logs.journal.lastSequence;
  const copy = temporaryDirectory(t);
  cpSync(directory, copy, { recursive: true });
  for (const name of readdirSync(copy)) if (!name.endsWith('.marks')) rmSync(join(copy, name));
  const next = await Queue.open(t, copy);
  await next.append(eventOf(3));
  await next.dlq.flush();
  const [entry] = readSeries(copy, 'spill');
  t.ok((entry?.sequence ?? 0) > marked, `${entry?.sequence} is behind ${marked}`);
});
