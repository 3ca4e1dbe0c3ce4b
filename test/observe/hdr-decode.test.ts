import { deflateSync } from 'node:zlib';
import hdr from 'hdr-histogram-js';
import t from 'tap';
import { HdrCounts, indexCount, lowestAt, widthAt } from '../../src/observe/hdr-counts.ts';
import { HdrDecoder } from '../../src/observe/hdr-decode.ts';
import { encodeHistogram, highestUs, intervalHistogram } from '../../src/observe/histogram.ts';
import { random } from './latency-log.ts';

/** A compressed histogram with this payload, otherwise well-formed. */
function encoded(payload: Buffer, layout = { digits: 3, highest: highestUs, payloadLength: payload.length }): string {
  const head = Buffer.alloc(40);
  head.writeInt32BE(0x1c849313, 0);
  head.writeInt32BE(layout.payloadLength, 4);
  head.writeInt32BE(layout.digits, 12);
  head.writeBigInt64BE(1n, 16);
  head.writeBigInt64BE(BigInt(layout.highest), 24);
  head.writeDoubleBE(1, 32);
  const body = deflateSync(Buffer.concat([head, payload]));
  const outer = Buffer.alloc(8);
  outer.writeInt32BE(0x1c849314, 0);
  outer.writeInt32BE(body.length, 4);
  return Buffer.concat([outer, body]).toString('base64');
}

t.test("what the library encodes decodes to the library's own counts", async (t) => {
  const seed = 3;
  t.comment(`seed ${seed}`);
  const next = random(seed);
  const decoder = new HdrDecoder();
  for (let round = 0; round < 20; round++) {
    const histogram = intervalHistogram('js');
    const top = Math.log(highestUs);
    for (let index = 0; index < 500; index++) {
      histogram.recordValueWithCount(Math.floor(Math.exp(next() * top)), Math.ceil(next() * 2 ** (next() * 31)));
    }
    for (const edge of [0, 1, 2_047, 2_048, 4_095, 4_096, highestUs]) histogram.recordValue(edge);
    const text = encodeHistogram(histogram);
    decoder.decode(text);
    const merged = new HdrCounts();
    decoder.addTo(merged);
    const library = hdr.decodeFromCompressedBase64(text, 64, false);
    t.equal(decoder.total, histogram.totalCount);
    t.equal(merged.total, library.totalCount);
    t.ok(Math.abs(merged.mean() / library.mean - 1) < 1e-12);
    for (let percentile = 0.5; percentile <= 100; percentile += 0.5) {
      if (merged.valueAtPercentile(percentile) !== library.getValueAtPercentile(percentile)) t.fail(`p${percentile}`);
    }
  }
});

t.test('hostile texts are refused at once: no endless run of zeros, no bomb, no foreign layout', async (t) => {
  const count = Buffer.from([2]);
  const endless = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 2]);
  const sound = encoded(count);
  const hostile: Record<string, string> = {
    'run of 2^50 zeros': encoded(endless),
    'count beyond 2^53': encoded(Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
    'number cut off': encoded(Buffer.from([0x80])),
    'more indexes than an hour has': encoded(Buffer.alloc(23 * 1_024 + 1, 2)),
    'inflates to 100 MB': encoded(Buffer.alloc(100_000_000)),
    'five digits': encoded(count, { digits: 5, highest: highestUs, payloadLength: 1 }),
    'another range': encoded(count, { digits: 3, highest: 2 ** 52, payloadLength: 1 }),
    'wrong payload length': encoded(count, { digits: 3, highest: highestUs, payloadLength: 2 }),
    'cut off': sound.slice(0, -8),
    'line break inside': `${sound.slice(0, 8)}\n${sound.slice(8)}`,
    empty: '',
    'no base64': 'hello, world',
    'not compressed': Buffer.from('\x1c\x84\x93\x14\0\0\0\x04abcd', 'latin1').toString('base64'),
  };
  const decoder = new HdrDecoder();
  decoder.decode(sound);
  t.equal(decoder.total, 1);
  for (const [what, text] of Object.entries(hostile)) {
    t.throws(() => decoder.decode(text), { code: 'bad_histogram' }, what);
    t.equal(decoder.total, 0, 'nothing is left of it');
  }
  const bomb = () => decoder.decode(hostile['inflates to 100 MB'] as string);
  t.throws(bomb, { cause: { code: 'ERR_BUFFER_TOO_LARGE' } }, 'a bomb is not inflated to its end');
});

t.test('every index of the layout counts the values that the library counts together', async (t) => {
  let next = 0;
  for (let index = 0; index < indexCount; index++) {
    if (lowestAt(index) !== next) t.fail(`index ${index} begins at ${lowestAt(index)}, not at ${next}`);
    next += widthAt(index);
  }
  t.ok(next > highestUs, 'the layout reaches to one hour');
  const decoder = new HdrDecoder();
  for (const value of [0, 2_047, 2_048, 2_049, 4_095, 4_096, 1_000_003, highestUs]) {
    const histogram = intervalHistogram('js');
    histogram.recordValue(value);
    decoder.decode(encodeHistogram(histogram));
    const merged = new HdrCounts();
    decoder.addTo(merged);
    t.equal(merged.valueAtPercentile(100), histogram.getValueAtPercentile(100), `${value}`);
    t.ok(decoder.highestValueUs <= value && merged.valueAtPercentile(0) >= value);
  }
});

t.test('an empty sum has no percentiles and no mean', async (t) => {
  t.same([new HdrCounts().valueAtPercentile(99), new HdrCounts().mean()], [0, 0]);
});
