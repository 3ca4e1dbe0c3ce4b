import { chmodSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { type Files, realFiles } from '../../src/edges/files.ts';
import { segmentNames } from './independent-reader.ts';
import { malformedKinds, rewriteHeader } from './malformed.ts';
import { type Event, eventOf, Queue, temporaryDirectory } from './queue.ts';

type Test = Parameters<typeof temporaryDirectory>[0];

const count = 60;
const all = Array.from({ length: count }, (_, id) => eventOf(id));

/** A closed directory with spills in several segments, the first three of which are named. */
async function filled(t: Test): Promise<{ directory: string; path: (name: string) => string; names: string[] }> {
  const directory = temporaryDirectory(t);
  const queue = await Queue.open(t, directory, { segmentBytes: 1_024 });
  for (const event of all) await queue.append(event);
  await queue.close();
  return { directory, path: (name) => join(directory, name), names: segmentNames(directory, 'spill') };
}

/** The contents of every regular file, to see that none is gone. */
function contents(directory: string): Map<string, string> {
  const files = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(files.map(({ name }) => [readFileSync(join(directory, name), 'hex'), name]));
}

for (const { name, spoil, missing = [], told } of malformedKinds) {
  t.test(`${name}: it starts, keeps what is there, takes new events, and gives back all others`, async (t) => {
    const { directory, path, names } = await filled(t);
    const eventsOf = (segment: number): Event[] => idsIn(path(names.at(segment)!)).map((id) => eventOf(id));
    const lost = missing.flatMap(eventsOf).map(({ key }) => key);
    spoil(path, names);
    const before = contents(directory);
    const queue = await Queue.open(t, directory, { segmentBytes: 1_024 });
    await queue.append(eventOf(count));
    t.equal(await queue.dlq.flush(), true);
    const now = contents(directory);
    for (const [content, file] of before) {
      const isKept =
        now.has(content) || content === '' || file === 'checkpoint.tmp' || isKeptInPieces(directory, file, content);
      t.ok(isKept, `${file} is still there`);
    }
    if (told !== undefined)
      t.ok(
        queue.reports.some((report) => matches(report, told)),
        JSON.stringify(queue.reports),
      );
    const expected = [...all, eventOf(count)].filter(({ key }) => !lost.includes(key));
    t.strictSame(await queue.replay(), expected);
    await queue.close();
    const again = await Queue.open(t, directory);
    t.strictSame(await again.replay(), expected, 'and the same after a restart');
  });
}

/** Whether every byte that a file had is there: in what is left of it, and in pieces in quarantine named after their place. */
function isKeptInPieces(directory: string, file: string, content: string): boolean {
  const rebuilt = Buffer.alloc(content.length / 2);
  const left = [file, `${file}.quarantine`].find((name) => existsSync(join(directory, name)));
  if (left !== undefined) readFileSync(join(directory, left)).copy(rebuilt);
  for (const name of readdirSync(directory)) {
    const position = name.startsWith(`${file}.`)
      ? /^\.(\d+)\.quarantine$/.exec(name.slice(file.length))?.[1]
      : undefined;
    if (position !== undefined) readFileSync(join(directory, name)).copy(rebuilt, Number(position));
  }
  return rebuilt.toString('hex') === content;
}

function matches(report: object, told: object): boolean {
  return Object.entries(told).every(([field, wanted]) => {
    const value = (report as Record<string, unknown>)[field];
    return wanted instanceof RegExp ? wanted.test(String(value)) : value === wanted;
  });
}

for (const umask of [0, 0o777]) {
  const name = umask.toString(8).padStart(3, '0');
  t.test(`under umask ${name} a directory that is not there is made with those above it, each private`, async (t) => {
    const above = temporaryDirectory(t);
    chmodSync(above, 0o755);
    const parts = ['a', 'b', 'dlq'];
    const umaskBefore = process.umask(umask);
    const queue = await Queue.open(t, join(above, ...parts)).finally(() => process.umask(umaskBefore));
    await queue.append(eventOf(1));
    t.strictSame(await queue.replay(), [eventOf(1)]);
    const modes = parts.map((_, depth) => statSync(join(above, ...parts.slice(0, depth + 1))).mode & 0o777);
    t.strictSame(modes, [0o700, 0o700, 0o700]);
    t.equal(statSync(above).mode & 0o777, 0o755, 'what was there above them stays as it was');
  });
}

t.test('a file in the place of its directory is left as it is', async (t) => {
  const path = join(temporaryDirectory(t), 'dlq');
  writeFileSync(path, 'not a directory', { mode: 0o644 });
  await t.rejects(Queue.open(t, path), { code: 'EEXIST' });
  t.equal(statSync(path).mode & 0o777, 0o644);
  await t.rejects(Queue.open(t, join(path, 'below')), { code: 'ENOTDIR' });
  symlinkSync(join(path, 'nowhere'), `${path}-link`);
  await t.rejects(Queue.open(t, join(`${path}-link`, 'below')), { code: /ENOENT|ENOTDIR/ });
});

t.test('a file that was set aside is never overwritten by another of the same name', async (t) => {
  const { directory, path, names } = await filled(t);
  const [first] = names as [string];
  const original = readFileSync(path(first));
  for (const version of [7, 8, 9]) {
    writeFileSync(path(first), original);
    rewriteHeader(path(first), (bytes) => bytes.writeUInt32LE(version, 4));
    await (await Queue.open({ teardown: () => undefined }, directory)).close();
  }
  const versions = readdirSync(directory)
    .filter((name) => name.startsWith(first) && name.endsWith('.quarantine'))
    .map((name) => readFileSync(path(name)).readUInt32LE(4));
  t.strictSame(
    versions.sort((a, b) => a - b),
    [7, 8, 9],
  );
  t.notOk(existsSync(path(first)));
});

t.test('a segment that cannot be read is set aside, and the others are as if it were not there', async (t) => {
  for (const code of ['EACCES', 'EIO']) {
    const { directory, names } = await filled(t);
    const [, second] = names as [string, string];
    const refuse = (): Promise<never> => Promise.reject(Object.assign(new Error(`${code}: no`), { code }));
    const files: Files = {
      ...realFiles,
      open: async (path, purpose) => {
        if (basename(path) !== second) return realFiles.open(path, purpose);
        if (code === 'EACCES') return refuse();
        return Object.assign(await realFiles.open(path, purpose), { read: refuse });
      },
    };
    const queue = await Queue.open(t, directory, { files });
    t.match(queue.reported('set_aside'), [{ segment: second, why: `${code}: no` }]);
    await queue.append(eventOf(count));
    t.equal(await queue.dlq.flush(), true);
    const missing = idsIn(join(directory, `${second}.quarantine`));
    t.ok(missing.length > 0, `${missing.length} events are set aside`);
    t.strictSame(
      await queue.replay(),
      [...all, eventOf(count)].filter((_, id) => !missing.includes(id)),
    );
  }
});

/** Numbers of the events in a file. */
function idsIn(file: string): number[] {
  return [...readFileSync(file, 'latin1').matchAll(/event (\d+)/g)].map(([, id]) => Number(id));
}
