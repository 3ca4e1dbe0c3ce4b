import t from 'tap';
import { ReplayPace, windowBytesMin } from '../../src/daemon/replay-pace.ts';

const openAfterMs = 1_000;
const ringBytes = 64 * 1024 ** 2;
/** Until then the window finds its size. */
const settleMs = 20_000;

/** A destination that delivers so many bytes a millisecond, in order, and each no sooner than `leastMs` after it was sent. */
function replay(bytesPerMs: number, leastMs: number, forMs: number) {
  const pace = new ReplayPace(openAfterMs, ringBytes);
  const sent: { bytes: number; atMs: number; doneMs: number }[] = [];
  let onTheirWay = 0;
  let freeMs = 0;
  let delivered = 0;
  let longestMs = 0;
  for (let nowMs = 0; nowMs < forMs; nowMs += 5) {
    for (let first = sent[0]; first !== undefined && first.doneMs <= nowMs; first = sent[0]) {
      sent.shift();
      onTheirWay -= first.bytes;
      if (nowMs > settleMs) delivered += first.bytes;
      longestMs = Math.max(longestMs, nowMs - first.atMs);
      pace.done(first.bytes, first.atMs, nowMs);
    }
    const bytes = Math.min(pace.windowBytes - onTheirWay, 2 * 1024 ** 2);
    if (bytes <= 0) continue;
    freeMs = Math.max(freeMs, nowMs) + bytes / bytesPerMs;
    sent.push({ bytes, atMs: nowMs, doneMs: Math.max(freeMs, nowMs + leastMs) });
    onTheirWay += bytes;
  }
  return { longestMs, share: delivered / (bytesPerMs * (forMs - settleMs)) };
}

t.test('whatever a destination takes, nothing replayed waits for open_after, and its capacity is used', async (t) => {
  for (const bytesPerMs of [300, 1_000, 10_000, 50_000]) {
    for (const leastMs of [5, 100, 250, 400]) {
      const { longestMs, share } = replay(bytesPerMs, leastMs, 60_000);
      t.ok(longestMs < openAfterMs, `${bytesPerMs} B/ms, ${leastMs} ms: at most ${longestMs} ms`);
      t.ok(share > 0.9, `${bytesPerMs} B/ms, ${leastMs} ms: ${share.toFixed(2)} of what it can take`);
    }
  }
});

t.test(
  'a destination that becomes slow is given less, down to the least, and more again when it recovers',
  async (t) => {
    const pace = new ReplayPace(openAfterMs, ringBytes);
    for (let nowMs = 0; nowMs < 10_000; nowMs += 100) pace.done(pace.windowBytes, nowMs, nowMs + 50);
    t.equal(pace.windowBytes, ringBytes, 'never more than what it was given for the rings');
    pace.done(1_000, 10_000, 10_900);
    t.equal(pace.windowBytes, 0.75 * ringBytes);
    pace.done(1_000, 10_500, 11_400);
    t.equal(pace.windowBytes, 0.75 * ringBytes, 'not again for what was on its way then');
    for (let nowMs = 12_000; nowMs < 60_000; nowMs += 1_000) pace.done(1_000, nowMs, nowMs + 900);
    t.equal(pace.windowBytes, windowBytesMin);
    pace.done(windowBytesMin, 60_000, 60_100);
    t.equal(pace.windowBytes, 2 * windowBytesMin);
  },
);
