import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { Base64 } from '../../src/batch/base64.ts';
import { createArena } from '../../src/ring/arena.ts';

const arena = createArena(65_536 * 4);
const base64 = new Base64(arena);
const source = 65_536;
const target = 2 * 65_536;

/** What the encoder writes for these bytes at this alignment, and where it says that the text ends. */
function encoded(bytes: Uint8Array, alignment: number): string {
  arena.bytes.set(bytes, source + alignment);
  return arena.buffer.toString('latin1', target, base64.encode(target, source + alignment, bytes.length));
}

t.test('every length up to 100, at every alignment, is encoded as Node does, padding included', async (t) => {
  for (let length = 0; length <= 100; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 167 + length) & 0xff);
    const expected = Buffer.from(bytes).toString('base64');
    for (let alignment = 0; alignment < 16; alignment++) {
      if (encoded(bytes, alignment) !== expected) t.fail(`length ${length} at alignment ${alignment}`);
    }
  }
});

t.test('all 64 letters come out, whatever their place in a triplet', async (t) => {
  const bytes = new Uint8Array(65_536 - 16);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i >>> 8) ^ i;
  const text = encoded(bytes, 0);
  t.equal(text, Buffer.from(bytes).toString('base64'));
  t.equal(new Set(text.replaceAll('=', '')).size, 64);
});

t.test('random bytes are encoded as Node does', async (t) => {
  const seed = randomInt(2 ** 31);
  t.comment(`seed ${seed}`);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 2_000 }),
      (bytes) => encoded(bytes, 3) === Buffer.from(bytes).toString('base64'),
    ),
    { seed, numRuns: 1_000 },
  );
});

t.test('nothing behind the text is written', async (t) => {
  arena.bytes.fill(0xee, target, target + 1_000);
  const end = base64.encode(target, source, 100);
  t.ok(arena.bytes.subarray(end, target + 1_000).every((byte) => byte === 0xee));
});
