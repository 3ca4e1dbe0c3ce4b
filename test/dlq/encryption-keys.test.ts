import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { Keys } from '../../src/dlq/encryption.ts';
import { Kind } from '../../src/dlq/layout.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { key, open, otherKey } from './encrypted.ts';
import { idOf, segmentNames } from './independent-reader.ts';
import { eventOf, Queue, temporaryDirectory } from './queue.ts';

/** Everything that a directory holds, and when it was changed. */
const snapshot = (directory: string): string[] =>
  readdirSync(directory).map((name) => {
    const path = join(directory, name);
    const { mtimeMs, size } = statSync(path);
    return `${name} ${size} ${mtimeMs} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
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
