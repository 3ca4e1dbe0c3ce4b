import t from 'tap';
import { lookMs, ReplayPace, shrinkAboveMs, windowBytesMin } from '../../src/daemon/replay-pace.ts';

const openAfterMs = 1_000;
const lingerMs = 100;
/** A delay is known when it has passed: so much of it the window is wrong meanwhile. */
const lag = 1 / 8;
/** Between two looks at what is done. */
const stepMs = 5;
const ringBytes = 64 * 1024 ** 2;
/** Until then the window finds its size. */
const settleMs = 20_000;

/** A destination that delivers so many bytes a millisecond, in order, and each no sooner than `leastMs` after it was sent. */
function replay(bytesPerMs: number, leastMs: number | ((nowMs: number) => number), forMs: number) {
  const least = typeof leastMs === 'number' ? () => leastMs : leastMs;
  const pace = new ReplayPace(openAfterMs, lingerMs, ringBytes);
  const delaysMs: number[] = [];
  const sent: { bytes: number; atMs: number; doneMs: number }[] = [];
  let onTheirWay = 0;
  let freeMs = 0;
  let delivered = 0;
  let longestMs = 0;
  for (let nowMs = 0; nowMs < forMs; nowMs += stepMs) {
    for (let first = sent[0]; first !== undefined && first.doneMs <= nowMs; first = sent[0]) {
      sent.shift();
      onTheirWay -= first.bytes;
      if (nowMs > settleMs) delivered += first.bytes;
      longestMs = Math.max(longestMs, nowMs - first.atMs);
      if (nowMs > settleMs) delaysMs.push(nowMs - first.atMs);
      pace.done(first.bytes, first.atMs, nowMs);
    }
    const bytes = Math.min(pace.windowBytes - onTheirWay, 2 * 1024 ** 2);
    if (bytes <= 0) continue;
    freeMs = Math.max(freeMs, nowMs) + bytes / bytesPerMs;
    sent.push({ bytes, atMs: nowMs, doneMs: Math.max(freeMs, nowMs + least(nowMs)) });
    onTheirWay += bytes;
  }
  const p99Ms = delaysMs.sort((a, b) => a - b)[Math.floor(delaysMs.length * 0.99)] ?? 0;
  return { longestMs, p99Ms, share: delivered / (bytesPerMs * (forMs - settleMs)) };
}

t.test('whatever a destination takes, what is replayed makes nobody wait long, and its capacity is used', async (t) => {
  for (const bytesPerMs of [300, 1_000, 10_000, 50_000]) {
    for (const leastMs of [5, 100, 250, 400]) {
      const { longestMs, p99Ms, share } = replay(bytesPerMs, leastMs, 60_000);
      t.ok(longestMs < openAfterMs, `${bytesPerMs} B/ms, ${leastMs} ms: at most ${longestMs} ms`);
      // The least window may still stand before a step of the same size.
      const neededMs = Math.max(lingerMs, leastMs, (2 * windowBytesMin) / bytesPerMs);
      t.ok(
        // It goes on to grow for a part of the time in which it finds out.
        p99Ms <= neededMs * (1 + lag) + shrinkAboveMs + lookMs / 3 + stepMs,
        `${bytesPerMs} B/ms, ${leastMs} ms: p99 ${p99Ms} ms`,
      );
      t.ok(share > 0.85, `${bytesPerMs} B/ms, ${leastMs} ms: ${share.toFixed(2)} of what it can take`);
    }
  }
});

t.test('a destination that answers later from some moment on is soon given its capacity again', async (t) => {
  const { share } = replay(5_000, (nowMs) => (nowMs < settleMs / 2 ? 20 : 300), 60_000);
  // Ten of the forty seconds that are looked at are needed to find out.
  t.ok(share > 0.65, `${share.toFixed(2)} of what it can take`);
});

t.test(
  'a destination that becomes slow is given less, down to the least, and more again when it recovers',
  async (t) => {
    const pace = new ReplayPace(openAfterMs, lingerMs, ringBytes);
    for (let nowMs = 0; nowMs < 5_000; nowMs += 100) pace.done(pace.windowBytes, nowMs, nowMs + 50);
    t.equal(pace.windowBytes, ringBytes, 'never more than what it was given for the rings');
    pace.done(1_000, 5_000, 5_900);
    t.equal(pace.windowBytes, 0.75 * ringBytes, 'at once when breakers would soon open');
    pace.done(1_000, 5_500, 6_400);
    t.equal(pace.windowBytes, 0.75 * ringBytes, 'not again for what was on its way then');
    for (let nowMs = 7_000; nowMs < 60_000; nowMs += 1_000) pace.done(1_000, nowMs, nowMs + 900);
    t.equal(pace.windowBytes, windowBytesMin);
    for (let nowMs = 60_000; nowMs < 65_000; nowMs += 100) pace.done(pace.windowBytes, nowMs, nowMs + 100);
    t.ok(pace.windowBytes > 10 * windowBytesMin, `${pace.windowBytes} bytes again`);
    pace.restart();
    t.equal(pace.windowBytes, windowBytesMin, 'and the least when the destination fails');
  },
);

t.test('it shrinks when all answers of some time were late, and not when some were', async (t) => {
  const window = (delaysMs: readonly number[]): number => {
    const pace = new ReplayPace(openAfterMs, lingerMs, ringBytes);
    for (let nowMs = 0; nowMs < 5_000; nowMs += 100) pace.done(pace.windowBytes, nowMs, nowMs + 50);
    for (let step = 0; step < 200; step++)
      pace.done(1_000, 6_000 + 5 * step, 6_000 + 5 * step + delaysMs[step % delaysMs.length]!);
    return pace.windowBytes;
  };
  const lateMs = 2 * lingerMs;
  t.equal(window([lateMs, lateMs, lateMs, lingerMs]), ringBytes);
  t.ok(window([lateMs]) < 0.5 * ringBytes);
});
