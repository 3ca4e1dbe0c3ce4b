import fc from 'fast-check';
import t from 'tap';
import { SpillwayError } from '../../src/base/errors.ts';
import {
  durationPattern,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  sizePattern,
} from '../../src/base/units.ts';

t.test('a duration is a whole number and a unit, or zero', async (t) => {
  t.equal(parseDuration('250ms'), 250);
  t.equal(parseDuration('10s'), 10_000);
  t.equal(parseDuration('5m'), 300_000);
  t.equal(parseDuration('2h'), 7_200_000);
  t.equal(parseDuration('0'), 0);
});

t.test('a size is binary, or a plain number of bytes', async (t) => {
  t.equal(parseSize('512KiB'), 524_288);
  t.equal(parseSize('64MiB'), 67_108_864);
  t.equal(parseSize('10GiB'), 10_737_418_240);
  t.equal(parseSize('4096'), 4096);
  t.equal(parseSize(4096), 4096);
});

t.test('what is refused is named with the forms that are allowed', async (t) => {
  for (const text of ['', '10', 's', '-1s', '1.5s', '1 s', '10S', '1d', 'ten', '99999999999999999h']) {
    t.throws(
      () => parseDuration(text),
      { code: 'usage', message: new RegExp(`^${JSON.stringify(text)} is not a duration: write "250ms"`) },
      text,
    );
  }
  for (const text of ['', 'MiB', '-1', '1.5MiB', '64 MiB', '64mib', '64MB', '99999999999GiB']) {
    t.throws(
      () => parseSize(text),
      { code: 'usage', message: new RegExp(`^${JSON.stringify(text)} is not a size: write "512KiB"`) },
      text,
    );
  }
  t.throws(() => parseSize(-1), SpillwayError);
  t.throws(() => parseSize(1.5), SpillwayError);
});

t.test('a likely slip gets its own cure', async (t) => {
  t.throws(() => parseDuration('100'), { message: /write "100ms"$/ });
  t.throws(() => parseSize('64MB'), { message: /"64MiB"$/ });
  t.throws(() => parseSize('64m'), { message: /"64MiB"$/ });
});

t.test('every value reads back as it was written, and fits its pattern', async () => {
  const whole = fc.integer({ min: 0, max: 2 ** 50 });
  fc.assert(
    fc.property(
      whole,
      (ms) => parseDuration(formatDuration(ms)) === ms && new RegExp(durationPattern).test(formatDuration(ms)),
    ),
  );
  fc.assert(
    fc.property(
      whole,
      (bytes) => parseSize(formatSize(bytes)) === bytes && new RegExp(sizePattern).test(formatSize(bytes)),
    ),
  );
});

t.test('a value is written in its largest unit', async (t) => {
  t.equal(formatDuration(90_000), '90s');
  t.equal(formatDuration(3_600_000), '1h');
  t.equal(formatSize(1536), '1536');
  t.equal(formatSize(3 * 1024 ** 2), '3MiB');
});
