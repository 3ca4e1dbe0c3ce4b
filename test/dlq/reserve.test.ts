import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Kind } from '../../src/dlq/layout.ts';
import { Appended } from '../../src/dlq/series.ts';
import { until } from '../daemon/running.ts';
import { fillUp, freeBytes, mountTmpfs, withoutTmpfs } from '../fault/disks.ts';
import { eventOf, Queue, temporaryDirectory } from './queue.ts';

const mebibyte = 1024 ** 2;
const options = { maxBytes: 64 * mebibyte, reserveBytes: mebibyte };

const held = (queue: Queue): Promise<unknown> =>
  until(
    async () => queue.dlq.condition.reserveBytes,
    (bytes) => bytes > 0,
  );

t.test(
  'the reserve is written in full, is private, counts in max_bytes, and is found again by the next run',
  async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'reserve');
    const first = await Queue.open(t, directory, options);
    await held(first);
    const { size, blocks, mode, ino } = statSync(path);
    t.equal(size, mebibyte);
    t.ok(blocks * 512 >= mebibyte, 'the disk holds all of it');
    t.equal(mode & 0o777, 0o600);
    t.ok(first.dlq.diskBytes >= mebibyte);
    await first.close();
    const second = await Queue.open(t, directory, options);
    t.equal(second.dlq.condition.reserveBytes, mebibyte, 'at once');
    t.equal(statSync(path).ino, ino);
    t.strictSame(second.reported('skipped'), [], 'it is no foreign file');
  },
);

t.test(
  'a reserve with holes or of another size is written anew; one of a sixteenth of max_bytes is the largest',
  async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'reserve');
    writeFileSync(path, '');
    truncateSync(path, mebibyte);
    t.equal(statSync(path).blocks, 0, 'a hole');
    const first = await Queue.open(t, directory, options);
    await held(first);
    t.ok(statSync(path).blocks * 512 >= mebibyte);
    t.ok(new Set(readFileSync(path)).size > 200, 'not a byte that compresses to nothing');
    await first.close();
    const second = await Queue.open(t, directory, { maxBytes: 4 * mebibyte, reserveBytes: mebibyte });
    await held(second);
    t.equal(statSync(path).size, (4 * mebibyte) / 16);
    await second.close();
    const third = await Queue.open(t, directory, { maxBytes: 4 * mebibyte, reserveBytes: 0 });
    t.notOk(readdirSync(directory).includes('reserve'), 'without a reserve its file goes');
    t.equal(third.dlq.condition.reserveBytes, 0);
  },
);

const skip = withoutTmpfs();

t.test(
  'on a full disk what was accepted, dead letters and checkpoints use the reserve, spills do not',
  { skip },
  async (t) => {
    const directory = temporaryDirectory(t);
    mountTmpfs(t, directory, 8);
    const queue = await Queue.open(t, directory, { ...options, blockBytes: 64 * 1024, blockCount: 4 });
    await held(queue);
    for (let id = 0; id < 100; id++) await queue.append(eventOf(id));
    await queue.dlq.flush();
    fillUp(join(directory, 'filler'));
    t.ok(freeBytes(directory) < 4_096);
    // The segment's last page has some room left: more than that cannot be kept.
    const data = 'x'.repeat(1_000);
    const taken: number[] = [];
    const refused = await until(
      async () => {
        for (let id = 100 + taken.length; ; id++) {
          const answer = queue.offer(eventOf(id, data));
          if (answer !== Appended.ok) return answer;
          taken.push(id);
        }
      },
      (answer) => answer === Appended.full,
    );
    t.equal(refused, Appended.full);
    t.match(queue.reported('disk_full'), [{ bytes: mebibyte }]);
    t.match(queue.dlq.condition, { full: true, cause: 'disk_full', reserveBytes: 0 });
    t.equal(await queue.dlq.flush(), true, 'what was accepted before is written');
    await queue.append({ ...eventOf(1, data), reason: 64 }, Kind.dead);
    t.equal(await queue.dlq.flush(), true, 'and so are dead letters');
    t.match(queue.dlq.condition, { failing: false });
    t.equal((await queue.replay(0)).length, 100 + taken.length);
    queue.checkpoint();
    // Segments go when a checkpoint covers them: so it was written. Their room is less than the reserve needs.
    await until(
      async () => readdirSync(directory).filter((name) => name.startsWith('spill-')).length,
      (segments) => segments === 0,
    );
    t.strictSame(queue.reported('checkpoint_failed'), []);
    t.equal(queue.offer(eventOf(1)), Appended.full, 'spills are still refused');
    truncateSync(join(directory, 'filler'), 0);
    await held(queue);
    t.equal(queue.offer(eventOf(1)), Appended.ok);
    t.match(queue.reported('disk_room'), [{ bytes: mebibyte }]);
    t.match(queue.dlq.condition, { full: false, cause: '', reserveBytes: mebibyte });
  },
);

t.test(
  'a queue that is opened on a full disk refuses spills from the start, and takes them when there is room',
  { skip },
  async (t) => {
    const directory = temporaryDirectory(t);
    mountTmpfs(t, directory, 4);
    fillUp(join(directory, 'filler'));
    const queue = await Queue.open(t, directory, options);
    t.equal(queue.offer(eventOf(1)), Appended.full);
    t.match(queue.reported('disk_full'), [{ bytes: mebibyte }]);
    truncateSync(join(directory, 'filler'), 0);
    await until(
      async () => queue.offer(eventOf(1)),
      (answer) => answer === Appended.ok,
    );
  },
);
