import { deepStrictEqual as deepEqual } from 'node:assert';
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { Keys } from '../../src/dlq/encryption.ts';
import { Kind } from '../../src/dlq/layout.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { type Files, realFiles } from '../../src/edges/files.ts';
import { key, open, otherKey, work } from './encrypted.ts';
import { readSeries, segmentNames } from './independent-reader.ts';
import { Journalled } from './journalled.ts';
import { type Event, eventOf, longDataOf, Queue, temporaryDirectory } from './queue.ts';

const seed = Number(process.env['SEED'] ?? 20_261_130);

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
