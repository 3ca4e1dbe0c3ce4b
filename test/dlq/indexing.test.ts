import { randomInt } from 'node:crypto';
import { cpSync, readFileSync, truncateSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { Kind } from '../../src/dlq/layout.ts';
import { type Files, realFiles } from '../../src/edges/files.ts';
import { until } from '../daemon/running.ts';
import { readSegment, readSeries, segmentNames } from './independent-reader.ts';
import { type Event, eventOf, Queue, temporaryDirectory } from './queue.ts';

type Test = Parameters<typeof temporaryDirectory>[0];

const count = 120;
const spillsOf = (stream: number, from: number, to: number): Event[] =>
  Array.from({ length: to - from }, (_, i) => ({ ...eventOf(from + i), stream }));

/** Real files; the second opening of `name`, which is the index's, waits until it is let go. The first reads its head. */
function gated(name: string): { files: Files; letGo: () => void } {
  let letGo = (): void => {};
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let openings = 0;
  const files: Files = {
    ...realFiles,
    open: async (path, purpose) => {
      if (basename(path) === name && ++openings > 1) await gate;
      return realFiles.open(path, purpose);
    },
  };
  return { files, letGo };
}

interface Halfway {
  readonly directory: string;
  readonly queue: Queue;
  /** What the index has counted, and what it has not, of stream 0. */
  readonly counted: readonly Event[];
  readonly rest: readonly Event[];
  readonly found: number[];
  readonly letGo: () => void;
}

/** A queue whose index has come to its third segment of stream 0, and stays there. */
async function halfway(t: Test): Promise<Halfway> {
  const directory = temporaryDirectory(t);
  const first = await Queue.open(t, directory, { segmentBytes: 1_024 });
  for (const event of spillsOf(0, 0, count)) await first.append(event);
  for (let id = 0; id < 10; id++) await first.append(eventOf(id), Kind.dead);
  await first.close();
  const names = segmentNames(directory, 'spill');
  const inSegments = names.map((name) => readSegment(readFileSync(join(directory, name)))?.entries.length ?? 0);
  const known = inSegments[0]! + inSegments[1]!;
  const { files, letGo } = gated(names[2]!);
  const found = [0, 0];
  const onFound = (stream: number, events: number): void => {
    found[stream]! += events;
  };
  const queue = await Queue.open(t, directory, { files, indexAtOnceBytes: 0, onFound });
  t.teardown(letGo);
  await until(
    async () => queue.dlq.indexProgress.indexed,
    (indexed) => indexed === 2,
  );
  const all = spillsOf(0, 0, count);
  return { directory, queue, counted: all.slice(0, known), rest: all.slice(known), found, letGo };
}

t.test('while earlier spills are being counted, new ones are taken, and come back behind all of them', async (t) => {
  const { queue, counted, rest, found, letGo } = await halfway(t);
  t.equal(queue.dlq.isIndexed, false);
  const fresh = spillsOf(0, 1_000, 1_030);
  for (const event of fresh) await queue.append(event);
  t.equal(await queue.dlq.flush(), true);
  t.equal(queue.dlq.holdings(0).spilled, counted.length + fresh.length, 'the books hold what is counted');
  t.equal(found[0], counted.length);
  t.strictSame(await queue.replay(0), counted, 'and no more is handed out');
  queue.checkpoint();
  t.match(queue.reported('indexing'), [{ segments: queue.dlq.indexProgress.segments }], 'it says that there is more');
  letGo();
  await until(
    async () => queue.dlq.isIndexed,
    (isIndexed) => isIndexed,
  );
  t.equal(found[0], count + 10, 'all spills and dead letters were found');
  t.match(queue.reported('recovered'), [{ spilled: count, dead: 10 }]);
  t.match(queue.dlq.holdings(0), { spilled: rest.length + fresh.length, dead: 10 });
  t.strictSame(await queue.replay(0), [...rest, ...fresh]);
});

t.test('dying while earlier spills are being counted and replayed loses none, and repeats none', async (t) => {
  const { directory, queue, counted, rest } = await halfway(t);
  const fresh = spillsOf(0, 1_000, 1_030);
  for (const event of fresh) await queue.append(event);
  await queue.dlq.flush();
  t.strictSame(await queue.replay(0), counted);
  queue.checkpoint();
  const [first] = segmentNames(directory, 'spill');
  await until(
    async () => segmentNames(directory, 'spill').includes(first!),
    (isThere) => !isThere,
  );
  const dead = temporaryDirectory(t);
  cpSync(directory, dead, { recursive: true });
  const next = await Queue.open(t, dead);
  t.strictSame(await next.replay(0), [...rest, ...fresh]);
  t.match(next.dlq.holdings(0), { dead: 10 });
});

t.test('a stop while earlier spills are being counted leaves what was not counted where it is', async (t) => {
  const { directory, queue, counted, rest, letGo } = await halfway(t);
  t.strictSame(await queue.replay(0), counted);
  queue.checkpoint();
  const closed = queue.close();
  letGo();
  await closed;
  const next = await Queue.open(t, directory);
  t.strictSame(await next.replay(0), rest);
});

t.test('what is not configured any more waits until all is counted', async (t) => {
  const { directory, queue, letGo } = await halfway(t);
  letGo();
  await queue.close();
  const [, , third] = segmentNames(directory, 'spill');
  const gate = gated(third!);
  const options = { streams: ['other'], files: gate.files, indexAtOnceBytes: 0 };
  const other = await Queue.open(t, directory, options);
  t.teardown(gate.letGo);
  const cursor = other.dlq.cursor(1);
  await until(
    async () => other.dlq.spilledEvents(1),
    (spilled) => spilled > 0,
  );
  t.equal(await cursor.load(), false, 'nothing is read');
  gate.letGo();
  await until(
    async () => other.dlq.isIndexed,
    (isIndexed) => isIndexed,
  );
  await other.replay(1);
  t.equal(other.dlq.holdings(undefined).dead, count + 10);
});

t.test('a checkpoint that is written before all is counted covers no stream that was not met yet', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await Queue.open(t, directory, { segmentBytes: 1_024 });
  for (const event of spillsOf(0, 0, 60)) await first.append(event);
  for (const event of spillsOf(1, 100, 160)) await first.append(event);
  await first.close();
  const names = segmentNames(directory, 'spill');
  const clicks = names.find(
    (name) => readSegment(readFileSync(join(directory, name)))?.entries[0]?.stream === 'clicks',
  );
  const { files, letGo } = gated(clicks!);
  const queue = await Queue.open(t, directory, { streams: ['orders'], files, indexAtOnceBytes: 0 });
  t.teardown(letGo);
  await until(
    async () => queue.dlq.spilledEvents(0),
    (spilled) => spilled === 60,
  );
  t.strictSame(await queue.replay(0), spillsOf(0, 0, 60));
  queue.dlq.checkpoint(0, queue.dlq.cursor(0).handedPosition);
  await until(
    async () => segmentNames(directory, 'spill')[0],
    (name) => name === clicks,
  );
  const dead = temporaryDirectory(t);
  cpSync(directory, dead, { recursive: true });
  const next = await Queue.open(t, dead, { streams: ['orders'] });
  await next.replay();
  t.equal(next.dlq.holdings(undefined).dead, 60, 'they became dead letters, all of them');
});

t.test('whatever interleaves and however it ended, a new run begins behind every sequence that there is', async (t) => {
  const seed = randomInt(2 ** 31);
  t.comment(`seed ${seed}`);
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  for (let round = 0; round < 12; round++) {
    const directory = temporaryDirectory(t);
    const first = await Queue.open(t, directory, {
      segmentBytes: 1_024 + below(8) * 4_096,
      blockBytes: 1_024,
      blockCount: 64,
    });
    let stream = 0;
    const total = 20 + below(300);
    for (let id = 0; id < total; id++) {
      if (below(40) === 0) stream = below(2);
      const data = 'x'.repeat(below(10) === 0 ? below(60_000) : below(200));
      await first.append({ ...eventOf(id, data), stream }, below(20) === 0 ? Kind.dead : Kind.spill);
    }
    await first.close();
    const names = [...segmentNames(directory, 'spill'), ...segmentNames(directory, 'dead')];
    const torn = join(directory, names[below(names.length)]!);
    truncateSync(torn, below(readFileSync(torn).length + 1));
    const sequences = (): number[] =>
      [...readSeries(directory, 'spill'), ...readSeries(directory, 'dead')].map(({ sequence }) => sequence);
    const last = Math.max(...sequences());
    const second = await Queue.open(t, directory, { indexAtOnceBytes: 0 });
    await second.append(eventOf(total));
    await second.dlq.flush();
    await until(
      async () => second.dlq.isIndexed,
      (isIndexed) => isIndexed,
    );
    t.strictSame(second.reported('set_aside'), [], `round ${round}: nothing is set aside`);
    const fresh = readSegment(readFileSync(join(directory, segmentNames(directory, 'spill').at(-1)!)))?.entries ?? [];
    t.ok(fresh.length === 1 && fresh[0]!.sequence > last, `round ${round}: ${fresh[0]?.sequence} after ${last}`);
    await second.close();
  }
});
