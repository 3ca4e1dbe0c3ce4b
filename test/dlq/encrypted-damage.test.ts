import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Keys } from '../../src/dlq/encryption.ts';
import { readHead } from '../../src/dlq/heads.ts';
import { entry, heapMemory, Kind } from '../../src/dlq/layout.ts';
import { SegmentReader } from '../../src/dlq/reader.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { type OpenFile } from '../../src/edges/files.ts';
import { createArena } from '../../src/ring/arena.ts';
import { framesOf, key, open, work } from './encrypted.ts';
import { readSegment, readSeries, segmentNames } from './independent-reader.ts';
import { type Event, eventOf, Queue, temporaryDirectory } from './queue.ts';

/** An encrypted segment of five events in three frames, by its file's name. */
async function smallSegment(t: Test): Promise<{ name: string; bytes: Buffer }> {
  const directory = temporaryDirectory(t);
  const queue = await open(t, directory, { blockBytes: 512, windowBytes: 8_192 });
  for (const id of [1, 2, 3, 4, 5]) await queue.append(smallEvent(id));
  await queue.close();
  const name = segmentNames(directory, 'spill')[0] as string;
  return { name, bytes: readFileSync(join(directory, name)) };
}

const smallEvent = (id: number): Event => eventOf(id, 'x'.repeat(id * 50));

t.test('a changed bit in any byte is seen: it costs at most its frame, and no entry reads differently', async (t) => {
  const { bytes } = await smallSegment(t);
  const frames = framesOf(bytes);
  t.ok(frames.length >= 3 && frames.some(({ ids }) => ids.length > 1), `${frames.length} frames`);
  const keys = new Keys(key);
  const memory = heapMemory(4_096);
  const walk = async (changed: Buffer): Promise<{ entries: string[]; damage: [number, number][] }> => {
    const file = fileOf(changed);
    const { header } = await readHead(file, memory, keys);
    const damage: [number, number][] = header === undefined ? [[0, 64]] : [];
    const onDamage = (from: number, to: number): void => void damage.push([from, to]);
    const window = { offset: 0, length: 4_096 };
    const tag = header?.tag;
    const reader = new SegmentReader({
      file,
      memory,
      window,
      limit: changed.length,
      tag,
      payloads: true,
      keys,
      onDamage,
    });
    const entries: string[] = [];
    while (await reader.load()) {
      while (reader.step()) {
        const { at } = reader;
        entries.push(
          `${entry.sequence(memory, at)} ${memory.buffer.toString('hex', at, at + entry.bytes(memory, at))}`,
        );
      }
    }
    return { entries, damage };
  };
  const whole = await walk(bytes);
  t.equal(whole.entries.length, 5);
  t.strictSame(whole.damage, []);
  const wrong: string[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const hit = frames.find(({ from, to }) => from <= at && at < to)?.ids ?? [];
    const left = whole.entries.filter((each) => !hit.includes(Number(each.split(' ')[0])));
    for (const bit of [0, 7]) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << bit;
      const { entries, damage } = await walk(changed);
      const isSeen = damage.some(([from, to]) => from <= at && at < to);
      if (!isSeen || entries.join() !== left.join())
        wrong.push(`bit ${bit} of ${at}: ${entries.length} entries, damage ${damage.join(' ')}`);
    }
  }
  t.strictSame(wrong, [], `${bytes.length * 2} changes`);
});

/** The file that `bytes` would be: only what a reader calls. */
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
  'cut or changed anywhere, an encrypted segment is opened, what is whole of it replayed, the rest kept',
  async (t) => {
    const { name, bytes } = await smallSegment(t);
    const frames = framesOf(bytes);
    const arena = createArena(4 * 1024 ** 2);
    const wrong: string[] = [];
    const look = async (what: string, changed: Buffer, ids: readonly number[]): Promise<void> => {
      const directory = temporaryDirectory(t);
      writeFileSync(join(directory, name), changed);
      const queue = await Queue.open({ teardown: () => undefined }, directory, {
        keys: new Keys(key),
        windowBytes: 8_192,
        arena,
      });
      const replayed = await queue.replay();
      const kept = readdirSync(directory).filter((each) => each.includes('quarantine')).length;
      await queue.close();
      const isRight = JSON.stringify(replayed) === JSON.stringify(ids.map(smallEvent));
      if (!isRight || kept !== 1) wrong.push(`${what}: ${replayed.length} events, ${kept} files in quarantine`);
    };
    for (let at = 1; at < bytes.length; at += 29) {
      const whole = frames.filter(({ to }) => to <= at).flatMap(({ ids }) => ids);
      const isClean = at === 64 || frames.some(({ to }) => to === at);
      if (!isClean) await look(`cut at ${at}`, bytes.subarray(0, at), whole);
      const changed = Buffer.from(bytes);
      changed[at]! ^= 0x40;
      const others = frames.filter(({ from, to }) => at < from || at >= to).flatMap(({ ids }) => ids);
      await look(`changed at ${at}`, changed, others);
    }
    t.strictSame(wrong, []);
  },
);

t.test('frames that change places, or come from another segment, are damage', async (t) => {
  const directory = temporaryDirectory(t);
  const queue = await open(t, directory, { blockBytes: 512, segmentBytes: 1_024 });
  for (let id = 1; id <= 12; id++) await queue.append(eventOf(id, 'y'.repeat(150)));
  await queue.close();
  const [one, two] = segmentNames(directory, 'spill').map((name) => join(directory, name)) as [string, string];
  const [a, b] = [readFileSync(one), readFileSync(two)];
  const [fa, fb] = [framesOf(a), framesOf(b)];
  t.ok(fa.length >= 2 && fb.length >= 2);
  // The second frame of the second segment, with its own header and all, behind the first frame of the first.
  const moved = b.subarray(fb[1]?.from, fb[1]?.to);
  writeFileSync(one, Buffer.concat([a.subarray(0, fa[0]?.to), moved]));
  const next = await open(t, directory);
  const replayed = await next.replay();
  t.strictSame(
    replayed.map(({ key: text }) => text),
    [
      ...(fa[0]?.ids ?? []),
      ...Array.from({ length: 12 }, (_, i) => i + 1).filter((id) => id >= (fb[0]?.ids[0] ?? 0)),
    ].map((id) => `key${id}`),
  );
  t.ok(next.reported('torn').length + next.reported('quarantined').length > 0);
});

t.test(
  'a frame that is damaged after it was counted leaves the books with all of its letters, and one found damaged before does not',
  async (t) => {
    for (const isBefore of [true, false]) {
      const directory = temporaryDirectory(t);
      const first = await open(t, directory, { blockBytes: 512 });
      for (let id = 0; id < 20; id++)
        await first.append({ ...eventOf(id), stream: id % 2, reason: Reason.rejected }, Kind.dead);
      await first.close();
      const path = join(directory, segmentNames(directory, 'dead')[0] as string);
      const bytes = readFileSync(path);
      const [hit] = framesOf(bytes).slice(1);
      const damage = (): void => {
        bytes[(hit?.to ?? 0) - 20]! ^= 4;
        writeFileSync(path, bytes);
      };
      if (isBefore) damage();
      const queue = await open(t, directory);
      const lost = hit?.ids.length ?? 0;
      t.ok(lost >= 2);
      t.equal(queue.dlq.holdings(undefined).dead, isBefore ? 20 - lost : 20);
      if (!isBefore) damage();
      t.match(await work(queue, { filter: { key: 'key19' } }), { events: 1, damaged: isBefore ? 0 : lost });
      t.equal(queue.dlq.holdings(undefined).dead, 20 - lost - 1);
      t.equal(
        queue.dropped.reduce((sum, events) => sum + events, 0),
        isBefore ? 0 : lost,
      );
      t.equal(readSeries(directory, 'dead', key).length, 20 - lost - 1);
      t.ok(readSegment(readFileSync(path), key)?.end === statSync(path).size, 'and the segment is whole again');
    }
  },
);
