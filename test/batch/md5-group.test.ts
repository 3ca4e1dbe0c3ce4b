import { createHash, randomInt } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { md5ScratchBytes } from '../../src/base/limits.ts';
import { groupMax, Md5Group } from '../../src/batch/md5-group.ts';
import { createArena } from '../../src/ring/arena.ts';

const placeBytes = 8_192;
const first = 65_536 + 4_096;
const arena = createArena(first + groupMax * placeBytes);
const group = new Md5Group(arena, 65_536);

/** Fills one message per length, digests them as one group, and names those whose digest is wrong. */
function wrongDigests(lengths: readonly number[], seed: number): number[] {
  const messages = lengths.map((length, i) => ({ start: first + i * placeBytes + (seed % 61), length }));
  for (const { start, length } of messages) {
    for (let at = 0; at < length; at++) arena.bytes[start + at] = Math.imul(at + seed, 0x9e37_79b1) >>> 24;
  }
  const expected = messages.map(({ start, length }) =>
    createHash('md5')
      .update(Buffer.from(arena.bytes.subarray(start, start + length)))
      .digest('hex'),
  );
  for (const { start, length } of messages) group.add(start, start + length);
  group.digest();
  return lengths.filter((_, i) => {
    const { start, length } = messages[i] as { start: number; length: number };
    return arena.buffer.toString('hex', start + length, start + length + 16) !== expected[i];
  });
}

t.test(
  'groups of one to eight messages of any length get the digests of node:crypto, behind each message',
  async (t) => {
    const seed = randomInt(2 ** 31);
    t.comment(`seed ${seed}`);
    const length = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: placeBytes - 256 }));
    fc.assert(
      fc.property(
        fc.array(length, { minLength: 1, maxLength: groupMax }),
        fc.nat(),
        (lengths, fill) => wrongDigests(lengths, fill).length === 0,
      ),
      { seed, numRuns: 500 },
    );
  },
);

t.test('lengths around the borders of a block are padded as RFC 1321 says, in both kernels', async (t) => {
  for (let length = 0; length <= 130; length++) {
    t.same(wrongDigests([length, 64, 0], length), [], `four messages, length ${length}`);
    t.same(
      wrongDigests([length, 55, 56, 63, 64, 119, 120, length + 1], length),
      [],
      `eight messages, length ${length}`,
    );
  }
});

t.test('a group is empty after its digest, and refuses a ninth message', async (t) => {
  t.same(wrongDigests([10, 20], 1), []);
  t.same(wrongDigests([30], 2), []);
  const full = new Md5Group(arena, 65_536);
  for (let i = 0; i < groupMax; i++) full.add(first, first);
  t.throws(() => full.add(first, first), /has room/);
});

t.test('the kernels write nothing but their scratch and the 72 bytes behind a message', async (t) => {
  arena.bytes.fill(0xee, 65_536 + md5ScratchBytes);
  for (let i = 0; i < groupMax; i++) group.add(first + i * placeBytes, first + i * placeBytes + 1_000 + i);
  group.digest();
  const touched = new Set<number>();
  for (let at = 65_536 + md5ScratchBytes; at < arena.length; at++) if (arena.bytes[at] !== 0xee) touched.add(at);
  for (const at of touched) {
    const behind = ((at - first) % placeBytes) - 1_000 - Math.floor((at - first) / placeBytes);
    if (at < first || behind < 0 || behind >= 72) t.fail(`byte ${at} was written`);
  }
  t.ok(touched.size > 0, 'digests were written');
});
