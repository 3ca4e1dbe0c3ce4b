import t from 'tap';
import { Recent } from '../../src/alerts/recent.ts';
import { Trend } from '../../src/alerts/trend.ts';

/** A trend after `seconds` of `value`, sampled four times a second from `fromMs`. */
function trend(value: (seconds: number) => number, seconds: number, fromMs = 0, into = new Trend()): Trend {
  for (let ms = 0; ms <= seconds * 1_000; ms += 250) into.sample(value(ms / 1_000), fromMs + ms);
  return into;
}

const near = (rate: number, wanted: number): boolean => Math.abs(rate - wanted) <= 0.02 * Math.abs(wanted);

t.test('what grows or shrinks steadily is measured at its rate, from five seconds on', async (t) => {
  for (const seconds of [5, 6.25, 8, 9.75, 10, 33.5, 100]) {
    for (const rate of [1, 700, 5e7, -1, -700, -5e7]) {
      const { perSecond } = { perSecond: trend((s) => 1e12 + rate * s, seconds).perSecond() };
      t.ok(near(perSecond, rate), `${rate} a second for ${seconds} s: ${perSecond}`);
    }
  }
});

t.test('waves of less than five seconds are no growth, and do not hide one', async (t) => {
  const wave = (s: number): number => 1e6 * (1 + Math.sin(2 * Math.PI * s * 0.8));
  const saw = (s: number): number => 64e6 * ((s / 2) % 1);
  for (let seconds = 10; seconds < 14; seconds += 0.25) {
    t.ok(Math.abs(trend(saw, seconds).perSecond()) < 1, `a saw after ${seconds} s`);
    t.ok(Math.abs(trend(wave, seconds).perSecond()) < 0.1e6, `a wave after ${seconds} s`);
    const both = trend((s) => wave(s) + 1e7 * s, seconds).perSecond();
    t.ok(Math.abs(both - 1e7) < 0.2e7, `a wave on growth after ${seconds} s: ${both}`);
  }
});

t.test('it follows a change within ten seconds', async (t) => {
  const turned = trend((s) => (s < 30 ? 100 * s : 3_000 - 50 * (s - 30)), 40.5).perSecond();
  t.ok(near(turned, -50), `${turned}`);
  t.equal(trend((s) => Math.min(s, 30), 41).perSecond(), 0);
});

t.test('nothing is known of one sample, nor after a gap', async (t) => {
  t.equal(new Trend().perSecond(), 0);
  t.equal(trend(() => 5, 0).perSecond(), 0);
  const after = trend((s) => 10 * s, 20);
  after.sample(1e9, 40_000);
  t.equal(after.perSecond(), 0);
});

t.test('counters are told as what they grew in the window, from the first sample on', async (t) => {
  const recent = new Recent(2, 10_000, 1_000);
  t.equal(recent.growth(0, 7), 0, 'without a sample nothing has grown');
  for (let second = 0; second <= 60; second++)
    recent.sample(Float64Array.of(second, second < 30 ? 0 : 100), second * 1_000);
  t.equal(recent.growth(0, 60.5), 10.5);
  t.equal(recent.growth(1, 100), 0, 'what came before is forgotten');
  t.equal(new Recent(1, 10_000, 1_000).growth(0, 5), 0);
});
