import { deepStrictEqual as deepEqual } from 'node:assert';
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { Work, WorkCounts } from '../../src/dlq/dead-letters.ts';
import { Keys } from '../../src/dlq/encryption.ts';
import { readHead } from '../../src/dlq/heads.ts';
import { entry, heapMemory, Kind } from '../../src/dlq/layout.ts';
import { SegmentReader } from '../../src/dlq/reader.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { type Files, type OpenFile, realFiles } from '../../src/edges/files.ts';
import { createArena } from '../../src/ring/arena.ts';
import { idOf, readSegment, readSeries, segmentNames } from './independent-reader.ts';
import { Journalled } from './journalled.ts';
import { type Event, eventOf, longDataOf, Queue, type QueueOptions, temporaryDirectory } from './queue.ts';

const seed = Number(process.env['SEED'] ?? 20_261_130);
const key = Buffer.from('0123456789abcdef0123456789ABCDEF');
const otherKey = Buffer.from('another key, as long as this one');

const open = (t: Test, directory: string, options: QueueOptions = {}): Promise<Queue> =>
  Queue.open(t, directory, { keys: new Keys(key), ...options });

/** Everything that a directory holds, and when it was changed. */
const snapshot = (directory: string): string[] =>
  readdirSync(directory).map((name) => {
    const path = join(directory, name);
    const { mtimeMs, size } = statSync(path);
    return `${name} ${size} ${mtimeMs} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
  });

const work = ({ dlq }: Queue, what: Partial<Work>): Promise<WorkCounts> =>
  dlq.deadLetters.run({
    filter: {},
    isStopped: () => false,
    onProgress: () => undefined,
    onGone: () => undefined,
    ...what,
  });

t.test(
  'encrypted, every event comes back as it was: from replay, and from a reader that knows only FORMAT.md',
  async (t) => {
    t.comment(`SEED=${seed}`);
    const anyEvent = fc.record(
      { id: fc.integer({ min: 0, max: 5_000 }), stream: fc.constantFrom(0, 1), isLong: fc.boolean() },
      { noNullPrototype: true },
    );
    const property = fc.asyncProperty(
      fc.array(anyEvent, { minLength: 1, maxLength: 60 }),
      fc.constantFrom(512, 4_096),
      async (drawn, blockBytes) => {
        const events = drawn.map(
          ({ id, stream, isLong }): Event => ({ ...eventOf(id, isLong ? longDataOf(id) : `${id}`), stream }),
        );
        const directory = temporaryDirectory(t);
        const queue = await open(t, directory, { blockBytes, segmentBytes: 8_192, windowBytes: 8_192 });
        for (const event of events) await queue.append(event);
        await queue.dlq.flush();
        const names = ['orders', 'clicks'];
        const onDisk = readSeries(directory, 'spill', key)
          .map(({ stream, ...rest }) => ({ ...rest, stream: names.indexOf(stream) }))
          .sort((a, b) => a.sequence - b.sequence);
        deepEqual(
          onDisk,
          events.map((event, index) => ({ ...event, series: Kind.spill, sequence: index + 1 })),
        );
        for (const name of segmentNames(directory, 'spill')) {
          if (statSync(join(directory, name)).size > 8_192) throw new Error(`${name} is longer than a segment`);
        }
        const used = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
        if (queue.dlq.diskBytes < used) throw new Error(`${used} bytes on disk, ${queue.dlq.diskBytes} counted`);
        for (const own of [0, 1]) {
          deepEqual(
            await queue.replay(own),
            events.filter(({ stream }) => stream === own),
          );
        }
        await queue.close();
      },
    );
    await t.resolves(fc.assert(property, { seed, numRuns: 60 }));
  },
);

t.test('a cursor that gives its window away in the middle of a frame goes on where it was', async (t) => {
  const queue = await open(t, temporaryDirectory(t), { blockBytes: 16_384, segmentBytes: 65_536 });
  const events = Array.from({ length: 300 }, (_, id) => eventOf(id));
  for (const event of events) await queue.append(event);
  const cursor = queue.dlq.cursor(0);
  const taken: Event[] = [];
  for (let turn = 0; await cursor.load(); turn++) {
    for (let left = 1 + (turn % 7); left > 0 && cursor.next(); left--) taken.push(queue.current());
    if (turn % 3 === 0 && cursor.next()) cursor.unread();
    cursor.release();
  }
  t.strictSame(taken, events);
});

t.test(
  'nothing of an event stands in clear: in no segment, copy in quarantine or segment that was written anew',
  async (t) => {
    const directory = temporaryDirectory(t);
    const mark = 'MARKED';
    const marked = (id: number): Event => ({
      ...eventOf(id, `${mark} data ${id} `.repeat(8)),
      key: `${mark} key ${id}`,
    });
    const streams = ['MARKED-orders', 'MARKED-clicks'];
    const journalled = new Journalled(await open(t, directory, { streams, fsync: { kind: 'each' } }));
    const { queue } = journalled;
    await journalled.write(marked(1), marked(2));
    await queue.append(marked(3));
    for (let id = 4; id < 60; id++)
      await queue.append({ ...marked(id), stream: id % 2, reason: Reason.rejected }, Kind.dead);
    await queue.dlq.flush();
    const seen = new Set<string>();
    const look = (what: string): void => {
      for (const name of readdirSync(directory)) {
        const bytes = readFileSync(join(directory, name));
        // A checkpoint and marks have the streams' names, which are no secret of any event.
        const isPlace = name === 'checkpoint' || name.endsWith('.marks');
        for (const text of isPlace ? ['MARKED data', 'MARKED key'] : [mark, 'SPLE']) {
          if (bytes.includes(text)) t.fail(`${what}: ${name} has ${text}`);
        }
        seen.add(name.replace(/\d+/g, 'N'));
      }
    };
    look('written');
    await work(queue, { filter: { streams: ['MARKED-clicks'] } });
    t.equal(readSeries(directory, 'dead', key).length, 28);
    look('purged');
    await work(queue, { filter: { key: 'MARKED key 8' }, replay: {} });
    await queue.dlq.flush();
    look('sent again');
    const [name] = segmentNames(directory, 'dead');
    const path = join(directory, name as string);
    const copy = temporaryDirectory(t);
    cpSync(directory, copy, { recursive: true });
    const bytes = readFileSync(path);
    bytes[200]! ^= 1;
    writeFileSync(join(copy, name as string), bytes);
    const next = await open(t, copy, { streams });
    await next.replay();
    t.match(next.reported('quarantined'), [{ segment: name, from: 64 }]);
    for (const each of readdirSync(copy)) {
      if (readFileSync(join(copy, each)).includes('MARKED data')) t.fail(`${each} has data`);
      seen.add(each.replace(/\d+/g, 'N'));
    }
    for (const kind of ['spill-N.seg', 'dead-N.seg', 'journal-N.seg', 'dead-N.seg.N.quarantine'])
      t.ok(seen.has(kind), kind);
  },
);

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

/** Where the frames of a segment lie, and the numbers of their events, which are their sequences. */
function framesOf(bytes: Buffer): { from: number; to: number; ids: number[] }[] {
  const frames: { from: number; to: number; ids: number[] }[] = [];
  for (let at = 64; at < bytes.length; ) {
    const to = at + 80 + bytes.readUInt32LE(at + 4);
    const [first, last] = [Number(bytes.readBigUInt64LE(at + 8)), Number(bytes.readBigUInt64LE(at + 16))];
    frames.push({ from: at, to, ids: Array.from({ length: last - first + 1 }, (_, index) => first + index) });
    at = to;
  }
  return frames;
}

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

t.test('without the right key a start says so and changes nothing; with it, all is there', async (t) => {
  const directory = temporaryDirectory(t);
  const queue = await open(t, directory);
  for (let id = 0; id < 5; id++) await queue.append(eventOf(id));
  await queue.append({ ...eventOf(9), reason: Reason.rejected }, Kind.dead);
  await queue.close();
  // What a start would otherwise clear away, and set aside.
  writeFileSync(join(directory, 'dead-0000000002.seg.tmp'), 'not finished');
  const stranger = Buffer.from(readFileSync(join(directory, segmentNames(directory, 'spill')[0] as string)));
  stranger.writeUInt32LE(9, 4);
  stranger.writeUInt32LE(crc32(stranger.subarray(0, 60)), 60);
  writeFileSync(join(directory, 'spill-0000000077.seg'), stranger);
  const before = snapshot(directory);
  const id = idOf(key).toString(16).padStart(8, '0');
  for (const keys of [undefined, new Keys(otherKey), new Keys(undefined, [otherKey])]) {
    const opening = Queue.open(t, directory, { keys });
    const expected = {
      code: 'dlq_key',
      message: new RegExp(`encrypted with the key of id ${id}, .*dlq.encryption_key`),
    };
    await t.rejects(opening, expected);
    t.strictSame(snapshot(directory), before);
  }
  const next = await open(t, directory);
  t.match(next.reported('set_aside'), [{ segment: 'spill-0000000077.seg', why: /version is 9/ }]);
  t.strictSame(
    await next.replay(),
    [0, 1, 2, 3, 4].map((each) => eventOf(each)),
  );
});

t.test('segments in clear and those of an old key are read beside new ones, and encryption can end', async (t) => {
  const directory = temporaryDirectory(t);
  const lives = [undefined, new Keys(otherKey), new Keys(key, [otherKey]), new Keys(undefined, [otherKey, key])];
  for (const [life, keys] of lives.entries()) {
    const queue = await Queue.open(t, directory, { keys });
    for (const id of [0, 1, 2]) await queue.append(eventOf(10 * life + id));
    await queue.append({ ...eventOf(10 * life + 3), reason: Reason.rejected }, Kind.dead);
    await queue.close();
  }
  const versions = segmentNames(directory, 'spill').map((name) => readFileSync(join(directory, name)).readUInt32LE(4));
  t.strictSame(versions, [1, 2, 2, 1]);
  const last = await Queue.open(t, directory, { keys: new Keys(key, [otherKey]) });
  const ids = lives.flatMap((_, life) => [0, 1, 2].map((id) => 10 * life + id));
  t.strictSame(
    await last.replay(),
    ids.map((id) => eventOf(id)),
  );
  t.match(await work(last, { filter: { key: 'key13' } }), { events: 1 });
  t.equal(last.dlq.holdings(0).dead, 3);
});

t.test('no nonce is used twice with a key, whatever writes fail and whatever is written anew', async (t) => {
  t.comment(`SEED=${seed}`);
  const directory = temporaryDirectory(t);
  /** By key and nonce: what was sealed with it. */
  const sealed = new Map<string, string>();
  let [frames, writes, failures] = [0, 0, 0];
  const see = (bytes: Buffer): void => {
    for (let at = 0; at + 64 <= bytes.length; at += 8) {
      const isFrame = bytes.toString('latin1', at, at + 4) === 'SPLX';
      if (!isFrame || bytes.readUInt32LE(at + 60) !== crc32(bytes.subarray(at, at + 60))) continue;
      frames += 1;
      const pair = bytes.toString('hex', at + 24, at + 52);
      const text = bytes.toString('hex', at, at + 80 + bytes.readUInt32LE(at + 4));
      if ((sealed.get(pair) ?? text) !== text) t.fail(`twice: ${pair}`);
      sealed.set(pair, text);
    }
  };
  const files: Files = {
    ...realFiles,
    open: async (path, purpose) => {
      const file = await realFiles.open(path, purpose);
      const write: typeof file.write = async (buffer, offset, length, position) => {
        see(Buffer.from(buffer.subarray(offset, offset + length)));
        writes += 1;
        if (path.endsWith('.seg') && length > 64 && writes % 4 === seed % 4) {
          failures += 1;
          throw Object.assign(new Error('ordered'), { code: 'EIO' });
        }
        await file.write(buffer, offset, length, position);
      };
      return {
        write,
        read: (...rest) => file.read(...rest),
        size: () => file.size(),
        truncate: (length) => file.truncate(length),
        sync: () => file.sync(),
        close: () => file.close(),
      };
    },
  };
  const queue = await open(t, directory, {
    files,
    fsync: { kind: 'each' },
    segmentBytes: 4_096,
    blockBytes: 512,
    clockRate: 50,
  });
  for (let id = 0; id < 200; id++) await queue.append({ ...eventOf(id), reason: Reason.rejected }, Kind.dead);
  await queue.dlq.flush();
  for (let rest = 2; rest < 5; rest++) {
    const keys = Array.from({ length: 8 }, (_, i) => `key${i * 20 + rest}`);
    for (const each of keys) await work(queue, { filter: { key: each }, ...(rest === 3 ? { replay: {} } : {}) });
  }
  await queue.close();
  t.ok(failures > 5, `${failures} writes failed`);
  t.ok(sealed.size > 20 && frames > sealed.size, `${frames} frames written, ${sealed.size} sealed`);
  t.equal(readSeries(directory, 'dead', key).length, 200 - 24);
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
