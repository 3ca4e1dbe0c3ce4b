import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { type Files, realFiles } from '../../src/edges/files.ts';
import { until } from '../daemon/running.ts';
import { readSegment, readSeries, segmentNames } from './independent-reader.ts';
import { type Event, eventOf, Queue, temporaryDirectory } from './queue.ts';

const of = (stream: number, from: number, to: number): Event[] =>
  Array.from({ length: to - from }, (_, i) => ({ ...eventOf(from + i), stream }));

async function appendAll(queue: Queue, ...lists: Event[][]): Promise<void> {
  const longest = Math.max(...lists.map(({ length }) => length));
  for (let i = 0; i < longest; i++) {
    for (const list of lists) if (list[i] !== undefined) await queue.append(list[i] as Event);
  }
}

t.test('a stream that is not replayed holds back no other: its spills drain, and their room comes back', async (t) => {
  const directory = temporaryDirectory(t);
  const queue = await Queue.open(t, directory, { segmentBytes: 2_048 });
  await appendAll(queue, of(0, 0, 200), of(1, 200, 400));
  t.strictSame(await queue.replay(1), of(1, 200, 400));
  await queue.dlq.flush();
  for (const name of segmentNames(directory, 'spill')) {
    const { entries } = readSegment(readFileSync(join(directory, name))) ?? { entries: [] };
    t.equal(new Set(entries.map(({ stream }) => stream)).size, 1, `${name} is of one stream`);
  }
  queue.checkpoint();
  await until(
    async () => readSeries(directory, 'spill').filter(({ stream }) => stream === 'clicks').length,
    (left) => left === 0,
  );
  t.match(queue.dlq.holdings(1), { spilled: 0, spilledBytes: 0, oldestUs: 0 });
  t.match(queue.dlq.holdings(0), { spilled: 200, oldestUs: 1.7e15 });
  t.match(queue.dlq.holdings(undefined), { spilled: 200 });
  await queue.close();
  const second = await Queue.open(t, directory);
  t.strictSame(await second.replay(1), [], 'each stream goes on from its own place');
  t.strictSame(await second.replay(0), of(0, 0, 200));
});

t.test('each stream has its oldest spill told, not that of another', async (t) => {
  const queue = await Queue.open(t, temporaryDirectory(t));
  await appendAll(queue, of(0, 500, 510), of(1, 100, 110));
  t.equal(queue.dlq.holdings(0).oldestUs, 1.7e15 + 500);
  t.equal(queue.dlq.holdings(1).oldestUs, 1.7e15 + 100);
  t.equal(queue.dlq.holdings(undefined).oldestUs, 1.7e15 + 100);
});

t.test('more streams than blocks and windows spill and come back at once, each in its order', async (t) => {
  const streams = Array.from({ length: 20 }, (_, i) => `stream-${i}`);
  const eventBytesMax = streams.map(() => 1_024);
  const options = { streams, eventBytesMax, blockCount: 4, blockBytes: 1_024, windowCount: 2, windowBytes: 1_024 };
  const directory = temporaryDirectory(t);
  const first = await Queue.open(t, directory, options);
  const lists = streams.map((_, stream) => of(stream, stream * 1_000, stream * 1_000 + 50));
  await appendAll(first, ...lists);
  await first.close();
  const queue = await Queue.open(t, directory, options);
  const came = streams.map((): Event[] => []);
  // In turns: each takes a piece and lends its window to the next, in the middle of what it holds.
  for (let left = 1_000; left > 0; ) {
    const before = left;
    for (let stream = 0; stream < streams.length; stream++) {
      const cursor = queue.dlq.cursor(stream);
      if (!(await cursor.load())) continue;
      for (let events = 0; events < 3 && cursor.next(); events++, left--) came[stream]?.push(queue.current(stream));
      cursor.release();
    }
    if (left === before) break;
  }
  t.strictSame(came, lists);
});

t.test(
  'streams that spill faster than the disk takes share the blocks, and fill them before they are written',
  async (t) => {
    let writes = 0;
    const files: Files = {
      ...realFiles,
      open: async (path, purpose) => {
        const file = await realFiles.open(path, purpose);
        const write = file.write.bind(file);
        file.write = (buffer, offset, length, position) => {
          writes += 1;
          return write(buffer, offset, length, position);
        };
        return file;
      },
    };
    const streams = Array.from({ length: 5 }, (_, i) => `stream-${i}`);
    const eventBytesMax = streams.map(() => 1_024);
    const blocks = { blockBytes: 4_096, blockCount: 8 };
    const queue = await Queue.open(t, temporaryDirectory(t), { ...blocks, streams, eventBytesMax, files });
    await appendAll(queue, ...streams.map((_, stream) => of(stream, 0, 1_000)));
    await queue.dlq.flush();
    const leastWrites = queue.dlq.diskBytes / blocks.blockBytes;
    t.ok(writes < 2 * leastWrites, `${writes} writes, where full blocks take ${leastWrites.toFixed(0)}`);
  },
);

t.test('what came back undelivered is handed out again in its order, and nothing else is', async (t) => {
  const directory = temporaryDirectory(t);
  const queue = await Queue.open(t, directory, { segmentBytes: 1_024 });
  await appendAll(queue, of(0, 0, 60));
  const cursor = queue.dlq.cursor(0);
  const handed = new Map<number, number>();
  while (handed.size < 40 && (await cursor.load())) {
    while (handed.size < 40 && cursor.next()) handed.set(cursor.sequence, cursor.keyLength + cursor.dataLength);
  }
  const back = [...handed].filter(([sequence]) => sequence % 4 === 1 && sequence > 10);
  for (const [, bytes] of back) cursor.takeBack(bytes);
  t.equal(queue.dlq.spilledEvents(0), 20 + back.length);
  queue.dlq.checkpoint(0, (back[0]?.[0] ?? 0) - 1);
  cursor.rewind(
    back.map(([sequence]) => sequence),
    back.map(([, bytes]) => bytes),
  );
  const again: number[] = [];
  while (again.length < 3 && (await cursor.load())) {
    while (again.length < 3 && cursor.next()) again.push(cursor.sequence);
  }
  // And once more, before it was through: the second of the three came back.
  cursor.takeBack(handed.get(again[1] as number) as number);
  cursor.rewind([again[1] as number], [handed.get(again[1] as number) as number]);
  const rest = [];
  let position = 0;
  while (await cursor.load()) {
    while (cursor.next()) {
      rest.push(cursor.sequence);
      position = cursor.position;
      if (rest.length === back.length - 2) t.equal(position, 40, 'with the last of them all before it is done');
    }
  }
  const expected = back.map(([sequence]) => sequence);
  t.strictSame(again, expected.slice(0, 3));
  t.strictSame(rest, [expected[1], ...expected.slice(3), ...Array.from({ length: 20 }, (_, i) => 41 + i)]);
  t.equal(queue.dlq.spilledEvents(0), 0);
  queue.dlq.checkpoint(0, position);
  await until(
    async () => segmentNames(directory, 'spill').length,
    (left) => left === 0,
  );
  t.strictSame(queue.dropped, [0, 0]);
});

t.test('a stream that leaves the config and comes back is not delivered twice', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await Queue.open(t, directory);
  await appendAll(first, of(0, 0, 10), of(1, 10, 20));
  const cursor = first.dlq.cursor(1);
  await cursor.load();
  for (let i = 0; i < 6; i++) cursor.next();
  first.dlq.checkpoint(1, cursor.position);
  await first.close();
  const without = await Queue.open(t, directory, { streams: ['orders'] });
  t.match(without.dlq.holdings(undefined), { spilled: 14, dead: 0 });
  await without.close();
  const back = await Queue.open(t, directory);
  t.strictSame(await back.replay(1), of(1, 16, 20));
  await back.close();
  const gone = await Queue.open(t, directory, { streams: ['orders'] });
  t.strictSame(await gone.replay(), of(0, 0, 10));
  t.match(gone.dlq.holdings(undefined), { spilled: 0, dead: 4 }, 'only what was left became dead letters');
});

/** Makes one segment of all streams, and a checkpoint of 32 bytes, of a directory: as version 1 of the format wrote them. */
function writeAsVersion1(directory: string, position: number): string {
  const files = segmentNames(directory, 'spill').map((name) => readFileSync(join(directory, name)));
  const entries = files.flatMap((bytes) => {
    const pieces: { sequence: number; bytes: Buffer }[] = [];
    for (let at = 64; at < bytes.length; ) {
      const end = at + 48 + Math.ceil(bytes.readUInt32LE(at + 4) / 8) * 8;
      pieces.push({ sequence: Number(bytes.readBigUInt64LE(at + 8)), bytes: bytes.subarray(at, end) });
      at = end;
    }
    return pieces;
  });
  entries.sort((a, b) => a.sequence - b.sequence);
  const name = segmentNames(directory, 'spill')[0] as string;
  const header = Buffer.from((files[0] as Buffer).subarray(0, 64));
  header.writeDoubleLE(1, 24);
  header.writeUInt32LE(crc32(header.subarray(0, 60)), 60);
  writeFileSync(join(directory, name), Buffer.concat([header, ...entries.map(({ bytes }) => bytes)]));
  const checkpoint = Buffer.alloc(32);
  checkpoint.write('SPLC');
  checkpoint.writeUInt32LE(1, 4);
  checkpoint.writeDoubleLE(position, 8);
  checkpoint.writeDoubleLE(Date.now(), 16);
  checkpoint.writeUInt32LE(crc32(checkpoint.subarray(0, 28)), 28);
  writeFileSync(join(directory, 'checkpoint'), checkpoint);
  return name;
}

t.test('a directory of version 1, whose streams share segments and checkpoint, is read as it is', async (t) => {
  const directory = temporaryDirectory(t);
  const old = await Queue.open(t, directory);
  await appendAll(old, of(0, 0, 30), of(1, 100, 130));
  await old.close();
  t.equal(segmentNames(directory, 'spill').length, 2);
  const shared = writeAsVersion1(directory, 10);
  for (const name of segmentNames(directory, 'spill')) if (name !== shared) writeFileSync(join(directory, name), '');
  const queue = await Queue.open(t, directory);
  t.match(queue.dlq.holdings(0), { spilled: 25 });
  t.match(queue.dlq.holdings(1), { spilled: 25 });
  await queue.append({ ...eventOf(130), stream: 1 });
  t.strictSame(await queue.replay(1), of(1, 105, 131), 'what was spilled since comes behind');
  queue.checkpoint();
  await queue.close();
  t.ok(segmentNames(directory, 'spill').includes(shared), 'the other stream still needs it');
  const second = await Queue.open(t, directory);
  t.strictSame(await second.replay(1), []);
  t.strictSame(await second.replay(0), of(0, 5, 30));
  second.checkpoint();
  await second.close();
  t.strictSame(segmentNames(directory, 'spill'), []);
});
