/** MD5 of keys against node:crypto: all lengths around the block limit, random bytes, shared memory, unaligned offsets. */
import { createHash, randomInt } from 'node:crypto';
import fc from 'fast-check';
import { test } from 'tap';
import { md5Short } from '../../src/batch/md5.ts';

/** The digest that md5Short's words stand for, in hex. */
function digestHex(bytes: Uint8Array, offset: number, length: number): string {
  const words = new Int32Array(6);
  md5Short(bytes, offset, length, words, 1);
  if (words[0] !== 0 || words[5] !== 0) return 'wrote outside its four words';
  const digest = Buffer.alloc(16);
  for (let word = 0; word < 4; word++) digest.writeInt32LE(words[1 + word] as number, 4 * word);
  return digest.toString('hex');
}

function expectedHex(bytes: Uint8Array, offset: number, length: number): string {
  return createHash('md5')
    .update(Buffer.from(bytes.subarray(offset, offset + length)))
    .digest('hex');
}

test('every length from 0 to 200 hashes as node:crypto does, at every alignment, in private and shared memory', (t) => {
  for (const buffer of [new ArrayBuffer(256), new SharedArrayBuffer(256)]) {
    const bytes = new Uint8Array(buffer);
    for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 167 + 13) & 0xff;
    for (let length = 0; length <= 200; length++) {
      for (let offset = 0; offset < 5; offset++) {
        if (digestHex(bytes, offset, length) !== expectedHex(bytes, offset, length)) {
          t.fail(`length ${length} at offset ${offset} in ${buffer.constructor.name}`);
        }
      }
    }
  }
  t.end();
});

test('random keys hash as node:crypto does, one after the other in the same block', (t) => {
  const seed = randomInt(2 ** 31);
  t.comment(`seed ${seed}`);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      (key) => digestHex(key, 0, key.length) === expectedHex(key, 0, key.length),
    ),
    { seed, numRuns: 5_000 },
  );
  t.end();
});

test('a Uint32Array takes the same words, unsigned', (t) => {
  const key = Buffer.from('abc');
  const signed = new Int32Array(4);
  const unsigned = new Uint32Array(4);
  md5Short(key, 0, key.length, signed, 0);
  md5Short(key, 0, key.length, unsigned, 0);
  t.same(
    [...unsigned],
    [...signed].map((word) => word >>> 0),
  );
  t.end();
});

test('a key outside the bytes, or an output too small, is a failed assertion', (t) => {
  const words = new Int32Array(4);
  t.throws(() => md5Short(new Uint8Array(8), 4, 5, words, 0), /within the bytes/);
  t.throws(() => md5Short(new Uint8Array(8), -1, 2, words, 0), /within the bytes/);
  t.throws(() => md5Short(new Uint8Array(8), 0, 8, words, 1), /fit the output/);
  t.end();
});
