/** Hash keys against BigInt: text to words and back, bytes, order, and the MD5 values that the reference gives. */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { test } from 'tap';
import {
  compareHashKeys,
  formatHashKey,
  hashKeyOfBytes,
  hashKeyOfMd5,
  hashKeyToBytes,
  parseHashKey,
} from '../../src/batch/hash-key.ts';
import { md5Short } from '../../src/batch/md5.ts';

const greatest = 2n ** 128n - 1n;
const seed = randomInt(2 ** 31);
const parameters = { seed, numRuns: 3_000 };

/** Numbers of all magnitudes: uniform ones are nearly always 39 digits long. */
const hashKey = fc
  .tuple(fc.bigInt({ min: 0n, max: greatest }), fc.integer({ min: 0, max: 127 }))
  .map(([value, shift]) => value >> BigInt(shift));

function wordsOf(value: bigint): Uint32Array {
  return Uint32Array.from([96n, 64n, 32n, 0n], (shift) => Number((value >> shift) & 0xffffffffn));
}

test('the words of a parsed decimal are those of the number', (t) => {
  t.comment(`seed ${seed}`);
  fc.assert(
    fc.property(hashKey, (value) => {
      const words = parseHashKey(value.toString());
      return words !== undefined && words.join() === wordsOf(value).join();
    }),
    parameters,
  );
  t.end();
});

test('formatting gives the decimal of the number, wherever the words lie in their array', (t) => {
  t.comment(`seed ${seed}`);
  fc.assert(
    fc.property(hashKey, fc.integer({ min: 0, max: 3 }), (value, index) => {
      const words = new Uint32Array(8).fill(0xdeadbeef);
      words.set(wordsOf(value), index);
      return formatHashKey(words, index) === value.toString();
    }),
    parameters,
  );
  t.end();
});

test('zeros inside and at the ends of the number survive', (t) => {
  const values = [0n, 1n, 9n, 10n ** 9n - 1n, 10n ** 9n, 10n ** 18n, 10n ** 27n + 1n, 10n ** 36n, 2n ** 64n, greatest];
  for (const value of values) {
    t.equal(formatHashKey(wordsOf(value), 0), value.toString());
    t.same(parseHashKey(value.toString()), wordsOf(value));
  }
  t.end();
});

test('what Kinesis would refuse as a hash key is undefined', (t) => {
  const refused = ['', '00', '01', '-1', '+1', ' 1', '1 ', '1\n', '1.0', '1e9', '0x1', '١', (greatest + 1n).toString()];
  refused.push((10n ** 39n - 1n).toString(), (10n ** 39n).toString(), (greatest * 10n).toString(), '9'.repeat(200));
  for (const text of refused) t.equal(parseHashKey(text), undefined, JSON.stringify(text));
  t.end();
});

test('every number above the greatest hash key is refused', (t) => {
  t.comment(`seed ${seed}`);
  const above = fc.bigInt({ min: greatest + 1n, max: 10n ** 41n });
  fc.assert(
    fc.property(above, (value) => parseHashKey(value.toString()) === undefined),
    parameters,
  );
  t.end();
});

test('comparison orders as the numbers do, unsigned', (t) => {
  t.comment(`seed ${seed}`);
  fc.assert(
    fc.property(hashKey, hashKey, (left, right) => {
      const words = new Uint32Array(8);
      words.set(wordsOf(left), 0);
      words.set(wordsOf(right), 4);
      const expected = left < right ? -1 : left > right ? 1 : 0;
      return (
        Math.sign(compareHashKeys(words, 0, words, 4)) === expected &&
        compareHashKeys(words, 4, wordsOf(right), 0) === 0
      );
    }),
    parameters,
  );
  t.end();
});

test('sixteen big-endian bytes and words turn into each other', (t) => {
  t.comment(`seed ${seed}`);
  fc.assert(
    fc.property(hashKey, (value) => {
      const expected = Buffer.from(value.toString(16).padStart(32, '0'), 'hex');
      const bytes = Buffer.alloc(18);
      const words = new Uint32Array(4);
      hashKeyToBytes(wordsOf(value), 0, bytes, 1);
      hashKeyOfBytes(bytes, 1, words, 0);
      return bytes.subarray(1, 17).equals(expected) && words.join() === wordsOf(value).join();
    }),
    parameters,
  );
  t.throws(() => hashKeyOfBytes(new Uint8Array(16), 1, new Uint32Array(4), 0), /within the bytes/);
  t.throws(() => hashKeyToBytes(new Uint32Array(4), 0, new Uint8Array(15), 0), /within the bytes/);
  t.end();
});

test('the hash keys of "10", "2" and "abc" are those of the reference', (t) => {
  const golden = {
    '10': '281595222973318803755638905082365601824',
    '2': '266003691477286198901011725417809479212',
    abc: '191415658344158766168031473277922803570',
  };
  for (const [key, decimal] of Object.entries(golden)) {
    const bytes = Buffer.from(key);
    const words = new Uint32Array(4);
    md5Short(bytes, 0, bytes.length, words, 0);
    hashKeyOfMd5(words, 0, words, 0);
    t.equal(formatHashKey(words, 0), decimal);
  }
  t.end();
});
