import { randomBytes } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { segmentNames } from './independent-reader.ts';
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

/** Rewrites a segment's header field and its checksum. */
function rewriteHeader(file: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file);
  change(bytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  writeFileSync(file, bytes);
}

interface Malformed {
  readonly name: string;
  readonly spoil: (path: (name: string) => string, names: readonly string[]) => void;
  /** Segments (by index) whose events are not expected back. */
  readonly missing?: readonly number[];
  /** A report that there must be. */
  readonly told?: object;
}

const kinds: readonly Malformed[] = [
  { name: 'a segment is missing', spoil: (path, [, second]) => rmSync(path(second!)), missing: [1] },
  {
    name: 'a segment is empty',
    spoil: (path, [, second]) => truncateSync(path(second!), 0),
    missing: [1],
    told: { change: 'segment_removed' },
  },
  {
    name: 'an extra segment is empty',
    spoil: (path) => writeFileSync(path('spill-0000000999.seg'), ''),
    told: { change: 'segment_removed', segment: 'spill-0000000999.seg' },
  },
  {
    name: 'a segment is of another version',
    spoil: (path, [, second]) => rewriteHeader(path(second!), (bytes) => bytes.writeUInt32LE(2, 4)),
    missing: [1],
    told: { change: 'set_aside', why: /version is 2/ },
  },
  {
    name: 'a foreign file lies there',
    spoil: (path) => writeFileSync(path('notes.txt'), 'do not delete'),
    told: { change: 'skipped', name: 'notes.txt' },
  },
  {
    name: 'a foreign file has the name of a segment',
    spoil: (path) => writeFileSync(path('spill-0000000999.seg'), randomBytes(5_000)),
    told: { change: 'quarantined', segment: 'spill-0000000999.seg' },
  },
  {
    name: 'a segment is a symbolic link',
    spoil: (path, [first]) => symlinkSync(path(first!), path('spill-0000000999.seg')),
    told: { change: 'skipped', why: 'symlink' },
  },
  {
    name: 'a directory has the name of the next segment',
    spoil: (path, names) => mkdirSync(path(`spill-${String(names.length + 1).padStart(10, '0')}.seg`)),
    told: { change: 'skipped', why: 'directory' },
  },
  {
    name: 'the checkpoint is a directory',
    spoil: (path) => mkdirSync(path('checkpoint')),
    told: { change: 'checkpoint_damaged' },
  },
  {
    name: 'the checkpoint is a link that leads nowhere',
    spoil: (path) => symlinkSync('/nonexistent/checkpoint', path('checkpoint')),
    told: { change: 'checkpoint_damaged' },
  },
  {
    name: 'a checkpoint was being written',
    spoil: (path) => writeFileSync(path('checkpoint.tmp'), 'half'),
  },
  {
    name: 'two segments have swapped names',
    spoil: (path, [first, second]) => {
      renameSync(path(first!), path('other'));
      renameSync(path(second!), path(first!));
      renameSync(path('other'), path(second!));
    },
    told: { change: 'misnamed' },
  },
  {
    name: 'a segment is there twice',
    spoil: (path, [, second]) => copyFileSync(path(second!), path('spill-0000000999.seg')),
    told: { change: 'set_aside', why: /other segments/ },
  },
  {
    name: 'a segment calls itself a dead letter',
    spoil: (path, [, second]) => renameSync(path(second!), path('dead-0000000999.seg')),
    told: { change: 'misnamed' },
  },
  {
    name: 'the header of a segment is noise',
    spoil: (path, [, second]) => {
      const bytes = readFileSync(path(second!));
      randomBytes(64).copy(bytes);
      writeFileSync(path(second!), bytes);
    },
    told: { change: 'quarantined', from: 0, bytes: 64 },
  },
  {
    name: 'a number is the largest that a name can have',
    spoil: (path, [first]) => renameSync(path(first!), path('spill-999999999999999.seg')),
    told: { change: 'misnamed' },
  },
];

for (const { name, spoil, missing = [], told } of kinds) {
  t.test(`${name}: it starts, keeps what is there, takes new events, and gives back all others`, async (t) => {
    const { directory, path, names } = await filled(t);
    const eventsOf = (segment: number): Event[] => {
      const ids = readFileSync(path(names[segment]!), 'latin1').matchAll(/event (\d+)/g);
      return [...ids].map(([, id]) => eventOf(Number(id)));
    };
    const lost = missing.flatMap(eventsOf).map(({ key }) => key);
    spoil(path, names);
    const before = contents(directory);
    const queue = await Queue.open(t, directory, { segmentBytes: 1_024 });
    await queue.append(eventOf(count));
    t.equal(await queue.dlq.flush(), true);
    const now = contents(directory);
    for (const [content, file] of before) {
      const isKept =
        now.has(content) || content === '' || file === 'checkpoint.tmp' || isQuarantined(directory, content);
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

/** Whether every byte of a file that is gone is in quarantine, in pieces named after their place. */
function isQuarantined(directory: string, content: string): boolean {
  const pieces = readdirSync(directory).filter((name) => /^\S+\.seg\.\d+\.quarantine$/.test(name));
  const rebuilt = pieces
    .sort((a, b) => Number(a.split('.')[2]) - Number(b.split('.')[2]))
    .map((name) => readFileSync(join(directory, name), 'hex'));
  return rebuilt.join('') === content;
}

function matches(report: object, told: object): boolean {
  return Object.entries(told).every(([field, wanted]) => {
    const value = (report as Record<string, unknown>)[field];
    return wanted instanceof RegExp ? wanted.test(String(value)) : value === wanted;
  });
}

t.test('a directory that is not there is made, private whatever the umask', async (t) => {
  const directory = join(temporaryDirectory(t), 'a', 'b', 'dlq');
  const umask = process.umask(0);
  t.teardown(() => process.umask(umask));
  const queue = await Queue.open(t, directory);
  await queue.append(eventOf(1));
  t.strictSame(await queue.replay(), [eventOf(1)]);
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
