import t from 'tap';
import { readHead } from '../../src/dlq/heads.ts';
import { heapMemory, segmentHeaderBytes } from '../../src/dlq/layout.ts';
import { SegmentReader } from '../../src/dlq/reader.ts';
import type { OpenFile } from '../../src/edges/files.ts';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { emptyStory } from './disk-events.ts';
import { inspect } from './disk-inspection.ts';
import { openOn } from './disk-openings.ts';
import { segmentOf } from './disk-segment.ts';
import { type Image, ModelDisk } from './model-disk.ts';

/** Position and length of the entries of a segment. */
type Entries = readonly (readonly [position: number, length: number])[];

const memory = heapMemory(8_192);

/** Reads all entries with their payloads. */
async function entriesOf(file: OpenFile, tag: number | undefined, limit: number): Promise<[number, number][]> {
  const entries: [number, number][] = [];
  const window = { offset: 0, length: 8_192 };
  const reader = new SegmentReader({ file, memory, window, limit, tag, payloads: true, onDamage: () => undefined });
  while (await reader.load()) while (reader.step()) entries.push([reader.position, reader.validEnd - reader.position]);
  return entries;
}

/** A file over bytes that the test changes. */
function fileOver(bytes: Uint8Array): OpenFile {
  const unused = (): never => {
    throw new Error('a reader only reads');
  };
  return {
    read: async (into, offset, length, position) => {
      const part = bytes.subarray(position, Math.min(bytes.length, position + length));
      into.set(part, offset);
      return part.length;
    },
    write: unused,
    size: async () => bytes.length,
    truncate: unused,
    sync: unused,
    close: async () => undefined,
  };
}

t.test(
  'every value of every byte of a segment: the change is seen, costs one entry at most, and alters none',
  async (t) => {
    const { bytes } = await segmentOf(4_096);
    const file = fileOver(bytes);
    const { tag } = (await readHead(file, memory, undefined)).header ?? {};
    const whole: Entries = await entriesOf(file, tag, bytes.length);
    t.ok(whole.length >= 10, `${whole.length} entries in ${bytes.length} bytes`);
    const wrong: string[] = [];
    let changes = 0;
    for (let offset = 0; offset < bytes.length && wrong.length < 5; offset++) {
      const right = bytes[offset] as number;
      const hit = whole.findIndex(([position, length]) => position <= offset && offset < position + length);
      const left = String(whole.filter((_, index) => index !== hit));
      for (let value = 0; value < 256; value++) {
        if (value === right) continue;
        changes++;
        bytes[offset] = value;
        if (offset < segmentHeaderBytes && (await readHead(file, memory, undefined)).header !== undefined) {
          wrong.push(`byte ${offset} as ${value}: the header is taken`);
        }
        if (String(await entriesOf(file, tag, bytes.length)) !== left) wrong.push(`byte ${offset} as ${value}`);
      }
      bytes[offset] = right;
    }
    t.strictSame(wrong, []);
    t.equal(changes, 255 * bytes.length);
    t.ok(changes >= 1_000_000, `${changes} changes`);
  },
);

t.test(
  'cut at any byte, a segment gives back all entries before the cut, and the next append works at once',
  async (t) => {
    const { path, bytes, story } = await segmentOf(4_096);
    const whole = await entriesOf(fileOver(bytes), undefined, bytes.length);
    const wrong: string[] = [];
    for (let length = 0; length <= bytes.length && wrong.length < 5; length++) {
      const readable = whole.filter(([position, size]) => position + size <= length).length;
      const acknowledged = new Set([...story.acknowledged].sort((a, b) => a - b).slice(0, readable));
      const image: Image = new Map([[path, bytes.slice(0, length)]]);
      const broken = await inspect(image, { ...story, acknowledged }, length, { hasSafeCheckpoints: true });
      if (broken.length > 0) wrong.push(`cut at ${length}: ${broken[0]}`);
    }
    t.strictSame(wrong, []);
  },
);

t.test(
  'what damage takes is kept beside the segment, byte for byte, and reported as often as it was done',
  async (t) => {
    const seed = Number(process.env['SEED'] ?? 20_261_125);
    t.comment(`SEED=${seed}`);
    const dice = new RandomSequence(seed);
    const wrong: string[] = [];
    let injected = 0;
    for (let round = 0; round < 300 && wrong.length < 5; round++) {
      const { path, bytes } = await segmentOf(4_096);
      const whole = await entriesOf(fileOver(bytes), undefined, bytes.length);
      const hits = whole.filter(() => dice.next() < 0.2);
      const damaged = bytes.slice();
      for (const [position, length] of hits) {
        const at = position + dice.below(length);
        damaged[at] = (damaged[at] as number) ^ (1 + dice.below(255));
      }
      injected += hits.length;
      const disk = new ModelDisk(new Map([[path, damaged]]), dice);
      await openOn(disk, { seed: round, fsync: { kind: 'each' } }, emptyStory(), false);
      wrong.push(...kept(disk.afterKill(), path, damaged, hits, round));
    }
    t.strictSame(wrong, []);
    t.ok(injected >= 300, `${injected} damaged entries`);
  },
);

/** Whether each hit entry lies in one of the quarantine files, as it was found. */
function kept(image: Image, path: string, damaged: Uint8Array, hits: Entries, round: number): string[] {
  const ranges = [...image].flatMap(([name, bytes]) => {
    const match = /\.(\d+)\.quarantine$/.exec(name);
    return match === null ? [] : [{ from: Number(match[1]), bytes }];
  });
  const taken = ranges.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const injected = hits.reduce((sum, [, length]) => sum + length, 0);
  const wrong: string[] = [];
  if (taken !== injected) wrong.push(`round ${round}: ${injected} bytes damaged, ${taken} kept beside ${path}`);
  for (const { from, bytes } of ranges) {
    if (Buffer.compare(bytes, damaged.slice(from, from + bytes.length)) !== 0)
      wrong.push(`round ${round}: ${from} differs`);
  }
  return wrong;
}
