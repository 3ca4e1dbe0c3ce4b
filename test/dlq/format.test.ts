import { deepStrictEqual as deepEqual } from 'node:assert';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { readHead } from '../../src/dlq/heads.ts';
import { heapMemory, Kind } from '../../src/dlq/layout.ts';
import { SegmentReader } from '../../src/dlq/reader.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import type { OpenFile } from '../../src/edges/files.ts';
import { readSegment, readSeries, segmentNames } from './independent-reader.ts';
import { type Event, eventOf, Queue, temporaryDirectory } from './queue.ts';

const seed = Number(process.env['SEED'] ?? 20_261_124);

const anyEvent: fc.Arbitrary<Event> = fc.record(
  {
    stream: fc.constantFrom(0, 1),
    reason: fc.constantFrom(...Object.values(Reason)),
    attempts: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    firstSeenUs: fc.double({ min: 0, max: 4e15, noNaN: true }),
    key: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 64 }),
    hashKey: fc.option(fc.stringMatching(/^[0-9a-f]{32}$/), { nil: undefined }),
    data: fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
      maxLength: 2_000,
    }),
  },
  { noNullPrototype: true },
);

t.test(
  'every event comes back as it was appended: from replay, and from a reader that knows only FORMAT.md',
  async (t) => {
    t.comment(`SEED=${seed}`);
    const property = fc.asyncProperty(fc.array(anyEvent, { minLength: 1, maxLength: 40 }), async (events) => {
      const directory = temporaryDirectory(t);
      // Blocks of 512 bytes: many entries are longer than one and go in chains.
      const queue = await Queue.open(t, directory, { blockBytes: 512, segmentBytes: 8_192 });
      for (const event of events) await queue.append(event);
      await queue.dlq.flush();
      const names = ['orders', 'clicks'];
      const onDisk = readSeries(directory, 'spill')
        .map(({ stream, ...rest }) => ({ ...rest, stream: names.indexOf(stream) }))
        .sort((a, b) => a.sequence - b.sequence);
      deepEqual(
        onDisk,
        events.map((event, index) => ({ ...event, series: Kind.spill, sequence: index + 1 })),
      );
      for (const own of [0, 1]) {
        deepEqual(
          await queue.replay(own),
          events.filter(({ stream }) => stream === own),
        );
      }
      await queue.close();
    });
    await t.resolves(fc.assert(property, { seed, numRuns: 40 }));
  },
);

t.test('a segment says what it is, and stays within its size', async (t) => {
  const directory = temporaryDirectory(t);
  const queue = await Queue.open(t, directory, { segmentBytes: 2_048 });
  for (let id = 0; id < 200; id++) await queue.append(eventOf(id));
  await queue.append(eventOf(200), Kind.dead);
  await queue.close();
  const spills = segmentNames(directory, 'spill');
  t.ok(spills.length > 5, `${spills.length} segments`);
  for (const name of spills) t.ok(statSync(join(directory, name)).size <= 2_048, name);
  const bytes = readFileSync(join(directory, spills[1] as string));
  t.equal(bytes.toString('latin1', 0, 4), 'SPLS');
  t.equal(bytes.readUInt32LE(8), Kind.spill);
  t.equal(`spill-${String(bytes.readDoubleLE(16)).padStart(10, '0')}.seg`, spills[1]);
  t.equal(bytes.readDoubleLE(24), readSegment(bytes)?.entries[0]?.sequence);
  t.strictSame(
    readSeries(directory, 'spill').map(({ sequence }) => sequence),
    Array.from({ length: 200 }, (_, id) => id + 1),
  );
  t.match(readSeries(directory, 'dead'), [{ sequence: 201, series: Kind.dead }]);
  for (const name of readdirSync(directory))
    t.equal(statSync(join(directory, name)).mode & 0o077, 0, `${name} is private`);
});

t.test('an entry as large as all blocks, and entries around the edges of a block, come back whole', async (t) => {
  const directory = temporaryDirectory(t);
  const [blockBytes, blockCount] = [4_096, 8];
  const queue = await Queue.open(t, directory, { blockBytes, blockCount });
  const fixed = 48 + 'orders'.length + 'key1'.length;
  const lengths = [1, 2, blockCount].flatMap((blocks) => {
    const edge = blocks * blockBytes - fixed;
    return Array.from({ length: 18 }, (_, i) => edge - 17 + i);
  });
  const events = [...lengths, ...lengths.slice(0, 36).map((length) => length + 9)].map((length, i) =>
    eventOf(1, String.fromCharCode(97 + (i % 26)).repeat(length)),
  );
  for (const event of events) await queue.append(event);
  t.strictSame(await queue.replay(), events);
});

/** A segment of a few entries of different shapes. */
async function smallSegment(t: Parameters<typeof temporaryDirectory>[0]): Promise<Buffer> {
  const directory = temporaryDirectory(t);
  const queue = await Queue.open(t, directory);
  for (const id of [1, 2, 3]) await queue.append(eventOf(id, 'x'.repeat(id * 5)));
  await queue.close();
  return readFileSync(join(directory, segmentNames(directory, 'spill')[0] as string));
}

/** The file that `bytes` would be, without one: only what a reader calls. */
function fileOf(bytes: Buffer): OpenFile {
  const refuse = (): Promise<never> => Promise.reject(new Error('a reader never writes'));
  return {
    read: async (buffer, offset, length, position) => bytes.copy(buffer, offset, position, position + length),
    size: async () => bytes.length,
    write: refuse,
    truncate: refuse,
    sync: refuse,
    close: async () => undefined,
  };
}

t.test(
  'every change of a single byte is seen: it costs at most its own entry, and no entry reads differently',
  async (t) => {
    const bytes = await smallSegment(t);
    const originals = readSegment(bytes)?.entries.length ?? 0;
    t.equal(originals, 3);
    const memory = heapMemory(4_096);
    const walk = async (changed: Buffer): Promise<{ entries: string[]; damage: [number, number][] }> => {
      const file = fileOf(changed);
      const { header } = await readHead(file, memory, undefined);
      const damage: [number, number][] = [];
      const reader = new SegmentReader({
        file,
        memory,
        window: { offset: 0, length: 4_096 },
        limit: changed.length,
        tag: header?.tag,
        payloads: true,
        onDamage: (from, to) => damage.push([from, to]),
      });
      if (header === undefined) damage.push([0, 64]);
      const entries: string[] = [];
      while (await reader.load()) {
        let from = reader.position;
        while (reader.step()) {
          from = reader.position;
          entries.push(changed.toString('hex', from, reader.validEnd));
        }
      }
      return { entries, damage };
    };
    const whole = await walk(bytes);
    t.equal(whole.entries.length, originals);
    t.strictSame(whole.damage, []);
    const known = new Set(whole.entries);
    const wrong: string[] = [];
    for (let at = 0; at < bytes.length; at++) {
      for (let difference = 1; difference < 256; difference++) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= difference;
        const { entries, damage } = await walk(changed);
        const isSeen = damage.some(([from, to]) => from <= at && at < to);
        const isKept = entries.length >= originals - (at < 64 ? 0 : 1) && entries.every((each) => known.has(each));
        if (!isSeen || !isKept)
          wrong.push(`byte ${at} ^ ${difference}: ${entries.length} entries, damage ${JSON.stringify(damage)}`);
      }
    }
    t.strictSame(wrong, [], `${bytes.length * 255} changes`);
  },
);
