import { existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { readSegment, segmentNames } from './independent-reader.ts';
import { eventOf, Queue, temporaryDirectory } from './queue.ts';

const firstSegment = 'spill-0000000001.seg';

/** A closed directory with `count` spills in one segment; `bytes` are those of the segment. */
async function filled(
  t: Parameters<typeof temporaryDirectory>[0],
  count: number,
): Promise<{ directory: string; bytes: Buffer }> {
  const directory = temporaryDirectory(t);
  const queue = await Queue.open(t, directory);
  for (let id = 0; id < count; id++) await queue.append(eventOf(id));
  await queue.close();
  return { directory, bytes: readFileSync(join(directory, firstSegment)) };
}

const events = (from: number, to: number): object[] => Array.from({ length: to - from }, (_, i) => eventOf(from + i));

t.test(
  'cut at any byte, a segment gives every whole entry before the cut, and the next append works at once',
  async (t) => {
    const { bytes } = await filled(t, 2);
    const parent = temporaryDirectory(t);
    const quiet = { teardown: () => undefined };
    for (let cut = 0; cut <= bytes.length; cut++) {
      const directory = join(parent, String(cut));
      mkdirSync(directory);
      writeFileSync(join(directory, firstSegment), bytes.subarray(0, cut));
      // Without its header a file of less than 64 bytes is all tail; an empty one has none.
      const { entries, end } = readSegment(bytes.subarray(0, cut)) ?? { entries: [], end: 0 };
      const queue = await Queue.open(quiet, directory);
      const { spilled } = queue.dlq.holdings(0);
      await queue.append(eventOf(9));
      const replayed = await queue.replay();
      const torn = queue.reported('torn');
      const kept = queue.reported('quarantined').reduce((sum, { bytes: length }) => sum + Number(length), 0);
      await queue.close();
      const wrong: string[] = [];
      if (spilled !== entries.length) wrong.push(`${spilled} of ${entries.length} entries counted`);
      if (!isDeepStrictEqual(replayed, [...events(0, entries.length), eventOf(9)]))
        wrong.push('other entries replayed');
      if (kept !== cut - end) wrong.push(`${kept} of ${cut - end} damaged bytes kept`);
      const isTorn = end >= 64 && cut > end;
      const told = isTorn ? [{ change: 'torn', segment: firstSegment, bytes: cut - end }] : [];
      if (end >= 64 && !isDeepStrictEqual(torn, told)) wrong.push(`reported ${JSON.stringify(torn)}`);
      if (isTorn && entries.length > 0 && statSync(join(directory, firstSegment)).size !== end) wrong.push('not cut');
      if (wrong.length > 0) t.fail(`cut at ${cut}: ${wrong.join('; ')}`);
    }
    t.pass(`${bytes.length + 1} cuts`);
  },
);

t.test('a torn tail is cut once: the restart after it finds nothing to repair', async (t) => {
  const { directory, bytes } = await filled(t, 5);
  truncateSync(join(directory, firstSegment), bytes.length - 3);
  const first = await Queue.open(t, directory);
  t.match(first.reported('torn'), [{ segment: firstSegment }]);
  t.equal(statSync(join(directory, firstSegment)).size, readSegment(bytes.subarray(0, -3))?.end);
  await first.close();
  const second = await Queue.open(t, directory);
  t.strictSame(
    second.reports.map(({ change }) => change),
    ['recovered'],
  );
  t.strictSame(await second.replay(), events(0, 4));
});

t.test(
  'damage in the middle costs its entries alone; their bytes are kept beside the segment, and counted',
  async (t) => {
    const { directory, bytes } = await filled(t, 20);
    const path = join(directory, firstSegment);
    const damaged = Buffer.from(bytes);
    // The header of entry 4 and the data of entry 9: the first is found at the start, the second when it is read.
    const starts = startsOf(bytes);
    damaged[(starts[4] as number) + 9]! ^= 1;
    damaged[(starts[9] as number) + 60]! ^= 1;
    writeFileSync(path, damaged);
    const queue = await Queue.open(t, directory);
    t.equal(queue.dlq.holdings(0).spilled, 19);
    const replayed = await queue.replay();
    t.strictSame(replayed, [...events(0, 4), ...events(5, 9), ...events(10, 20)]);
    t.strictSame(queue.dropped, [1, 0], 'what was counted and could not be read is told');
    t.equal(queue.dlq.holdings(0).spilled, 0);
    for (const [index, cause] of [
      [4, 'header'],
      [9, 'payload'],
    ] as const) {
      const from = starts[index] as number;
      const name = `${firstSegment}.${from}.quarantine`;
      t.match(queue.reported('quarantined'), [{ from: starts[4] }, { from: starts[9] }]);
      t.ok(
        queue.reported('quarantined').some((report) => report['file'] === name && report['cause'] === cause),
        name,
      );
      t.same(readFileSync(join(directory, name)), damaged.subarray(from, starts[index + 1]));
    }
  },
);

t.test('a copy into quarantine that a crash cut off is made again', async (t) => {
  const { directory, bytes } = await filled(t, 3);
  const starts = startsOf(bytes);
  bytes[(starts[1] as number) + 9]! ^= 1;
  writeFileSync(join(directory, firstSegment), bytes);
  const name = join(directory, `${firstSegment}.${starts[1]}.quarantine`);
  writeFileSync(`${name}.tmp`, bytes.subarray(starts[1], (starts[1] as number) + 10));
  const stray = join(directory, `${firstSegment}.8.quarantine.tmp`);
  writeFileSync(stray, 'from damage that is whole again');
  const queue = await Queue.open(t, directory);
  t.notOk(existsSync(stray));
  t.match(queue.reported('quarantined'), [{ from: starts[1] }]);
  t.same(readFileSync(name), bytes.subarray(starts[1], starts[2]));
  t.notOk(existsSync(`${name}.tmp`));
});

/** Where each entry of a whole segment begins, and where the last one ends. */
function startsOf(bytes: Buffer): number[] {
  const starts = [64];
  for (let at = 64; at < bytes.length; starts.push(at)) at += 48 + Math.ceil(bytes.readUInt32LE(at + 4) / 8) * 8;
  return starts;
}

t.test(
  'without a checkpoint that can be believed everything is replayed, and the next one is good again',
  async (t) => {
    const garbage: Record<string, Buffer> = {
      empty: Buffer.alloc(0),
      short: Buffer.alloc(31, 1),
      zeros: Buffer.alloc(32),
      noise: Buffer.alloc(32, 0xa5),
      long: Buffer.alloc(4_096, 7),
    };
    for (const [name, content] of Object.entries(garbage)) {
      const { directory } = await filled(t, 4);
      writeFileSync(join(directory, 'checkpoint'), content);
      const queue = await Queue.open(t, directory);
      t.match(queue.reported('checkpoint_damaged'), [{ cure: /replayed/ }], name);
      t.strictSame(await queue.replay(), events(0, 4), name);
      queue.checkpoint();
      await queue.close();
      const next = await Queue.open(t, directory);
      t.strictSame(next.reports, [], `${name}: nothing to report`);
      t.equal(next.dlq.spilledEvents(0), 0);
      await next.append(eventOf(7));
      t.strictSame(await next.replay(), [eventOf(7)], `${name}: new events come after the checkpoint`);
      t.strictSame(segmentNames(directory, 'spill').length, 1);
    }
  },
);

t.test('every single-bit change of a checkpoint is seen', async (t) => {
  const { directory } = await filled(t, 3);
  const queue = await Queue.open(t, directory);
  await queue.replay();
  queue.dlq.checkpoint(0, 2);
  await queue.close();
  const good = readFileSync(join(directory, 'checkpoint'));
  const segment = readFileSync(join(directory, firstSegment));
  for (let bit = 0; bit < good.length * 8; bit += 5) {
    const changed = Buffer.from(good);
    changed[bit >>> 3]! ^= 1 << (bit & 7);
    writeFileSync(join(directory, 'checkpoint'), changed);
    writeFileSync(join(directory, firstSegment), segment);
    const next = await Queue.open({ teardown: () => undefined }, directory);
    if (next.reported('checkpoint_damaged').length !== 1) t.fail(`bit ${bit} was not seen`);
    if (next.dlq.spilledEvents(0) !== 3) t.fail(`bit ${bit}: ${next.dlq.spilledEvents(0)} spills`);
    await next.close();
  }
  t.pass();
});
