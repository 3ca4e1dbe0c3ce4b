import t, { type Test } from 'tap';
import { BreakerState } from '../../src/breaker/breaker.ts';
import { emptyShare, noiseMs, quietMs, SaturationBreaker, settleMs } from '../../src/breaker/saturation.ts';
import { FluidRing, tickMs } from './fluid-ring.ts';

const seed = Number(process.env['SEED'] ?? 20_261_130);
t.comment(`seed ${seed}`);

const capacityBytes = 32 * 1024 ** 2;
const marks = { capacityBytes, openAt: 0.9, closeAt: 0.6, openAfterMs: 1_000 };

/** mulberry32: uniform in [0, 1). */
function randomOf(start: number): () => number {
  let state = start | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the promises say of one ring, step by step, from what is known of it; shares no code with the breaker. */
class Promised {
  state: 'closed' | 'open' | 'half_open' = 'closed';
  #calmSinceMs: number | undefined;
  #emptySinceMs: number | undefined;
  #halfOpenMs = 0;
  #closings: number[] = [];
  #lull = false;

  step(share: number, oldestMs: number, turnedAway: boolean, nowMs: number): void {
    const isSaturated = share >= marks.openAt || oldestMs >= marks.openAfterMs;
    const isCalm = share <= marks.closeAt && oldestMs < marks.openAfterMs && !turnedAway;
    this.#calmSinceMs = isCalm ? (this.#calmSinceMs ?? nowMs) : undefined;
    // The traces give nothing back: the allowance is the low mark.
    const isEmpty = isCalm && share <= emptyShare * marks.closeAt;
    this.#emptySinceMs = isEmpty ? (this.#emptySinceMs ?? nowMs) : undefined;
    if (isSaturated && this.state !== 'open') {
      this.#lull = this.state === 'half_open' || nowMs - (this.#closings.at(-1) ?? -1e9) < noiseMs;
      this.state = 'open';
      return;
    }
    if (this.#calmSinceMs === undefined) return;
    const wasEmpty = !this.#lull && nowMs - (this.#emptySinceMs ?? nowMs) >= quietMs;
    if (this.state === 'open' && (wasEmpty || nowMs - this.#calmSinceMs >= noiseMs)) {
      this.state = 'half_open';
      this.#halfOpenMs = nowMs;
    } else if (this.state === 'half_open' && nowMs - this.#halfOpenMs >= settleMs) {
      this.state = 'closed';
      this.#closings.push(nowMs);
    }
  }
}

const names = { [BreakerState.closed]: 'closed', [BreakerState.open]: 'open', [BreakerState.halfOpen]: 'half_open' };

t.test('10,000 random traces: it is always in the state that the promises say', async (t) => {
  const random = randomOf(seed);
  const seen = { closed: 0, open: 0, half_open: 0 };
  for (let trace = 0; trace < 10_000; trace++) {
    const promised = new Promised();
    const openings: number[] = [];
    let nowMs = 1_000_000 * random();
    const breaker = new SaturationBreaker(marks, (_, to) => {
      if (to === BreakerState.open) openings.push(nowMs);
    });
    // A walk that lingers near the marks, with ages and refusals of its own.
    let share = random();
    let oldestMs = 0;
    const restlessness = random() ** 2;
    for (let step = 0; step < 150; step++) {
      nowMs += random() < 0.05 ? 2_500 * random() : 100 * random();
      share = Math.min(
        1,
        Math.max(0, share + restlessness * (random() - 0.5) + (random() < 0.03 ? random() - 0.5 : 0)),
      );
      if (random() < 0.1) oldestMs = random() < 0.8 ? 300 * random() : 1_500 * random();
      const turnedAway = random() < 0.05;
      breaker.update(share * capacityBytes, oldestMs, 0, turnedAway, nowMs);
      promised.step(share, oldestMs, turnedAway, nowMs);
      seen[promised.state]++;
      if (names[breaker.state] !== promised.state) {
        t.fail(`trace ${trace}, step ${step}: ${names[breaker.state]}, promised ${promised.state}`);
        return;
      }
    }
    for (let i = 2; i < openings.length; i++) {
      const apartMs = (openings[i] as number) - (openings[i - 2] as number);
      if (apartMs <= noiseMs) t.fail(`trace ${trace}: three openings within ${apartMs} ms`);
    }
  }
  for (const [state, steps] of Object.entries(seen)) t.ok(steps > 20_000, `${steps} steps ${state}`);
});

/** Seconds of load on a ring, as a share of what its lane takes, drawn anew for every tick. */
function run(ring: FluidRing, seconds: number, load: () => number, lane: number): void {
  for (let tick = 0; tick < (seconds * 1_000) / tickMs; tick++) ring.tick(load() * lane);
}

const lanes = { 'a lane of 4 MB/s': 4_000, 'one of 60 MB/s': 60_000 };

t.test('steady noise moves it at most once in five seconds, whatever the load', async (t) => {
  const random = randomOf(seed + 1);
  for (const [name, lane] of Object.entries(lanes)) {
    for (const mean of [0.3, 0.8, 0.95, 1, 1.05, 1.3, 2, 10]) {
      const ring = new FluidRing({ ...marks, lane, answerMs: 150 });
      run(ring, 60, () => 2 * mean * random(), lane);
      const flips = ring.moves.filter(({ to }) => to !== 'half_open');
      const close = flips.filter(({ atMs }, i) => i > 0 && atMs - (flips[i - 1]?.atMs ?? 0) < 5_000);
      t.ok(close.length === 0, `${name}, load ${mean}: ${flips.map(({ atMs, to }) => `${to} ${atMs}`).join(', ')}`);
      t.equal(
        ring.moves.some(({ full, cause, to }) => to === 'open' && full <= 0.6 && cause !== 'oldest_event'),
        false,
      );
    }
  }
});

/** 30 s at ten times of what the lane takes. */
function flood(t: Test, lane: number, answerMs: number): void {
  const what = `${lane / 1_000} MB/s, answers after ${answerMs} ms`;
  const ring = new FluidRing({ ...marks, lane, answerMs });
  run(ring, 10, () => 0.8, lane);
  const before = ring.delivered;
  run(ring, 30, () => 10, lane);
  // A ring keeps what is not answered yet, and is not filled to its high mark.
  const peak = Math.min(lane, (0.85 * capacityBytes) / answerMs);
  const goodput = (ring.delivered - before) / (peak * 30_000);
  t.ok(goodput >= 0.9, `${what}: ${goodput.toFixed(3)} of what it could is delivered`);
  const opened = ring.moves.filter(({ to }) => to === 'open');
  t.equal(opened.length, 1, `${what}: it opens once`);
  // What stood before the ring's saturation was known has its own time.
  const standsMs = (0.9 * capacityBytes) / lane + 1_000;
  const late = ring.waits.filter(({ atMs }) => atMs > 10_000 + standsMs).map(({ waitedMs }) => waitedMs);
  t.ok(Math.max(...late) <= marks.openAfterMs + 2 * tickMs + answerMs, `${what}: at most ${Math.max(...late)} ms`);
  // A load that keeps the ring half full is not over for a while longer.
  if (lane * answerMs > 0.5 * capacityBytes) return;
  const drainedFromMs = ring.nowMs;
  run(ring, 3, () => 0.5, lane);
  const closed = ring.moves.at(-1);
  t.equal(closed?.to, 'closed');
  t.ok((closed?.atMs ?? 0) - drainedFromMs <= 1_000 + (0.6 * capacityBytes) / lane, `${what}: closes soon`);
  const againFromMs = ring.nowMs;
  run(ring, 5, () => 10, lane);
  const again = ring.waits.filter(({ atMs }) => atMs > againFromMs).map(({ waitedMs }) => waitedMs);
  t.ok(
    Math.max(...again) <= marks.openAfterMs + 2 * tickMs + answerMs,
    `${what}: again, at most ${Math.max(...again)} ms`,
  );
}

t.test(
  'ten times the load: the lane has work all the time, what enters waits a bounded time, it closes after it',
  async (t) => {
    for (const lane of [2_000, 4_000, 20_000, 60_000, 200_000])
      for (const answerMs of [20, 150, 400]) flood(t, lane, answerMs);
  },
);

t.test(
  'it opens in the moment of saturation, by bytes and by age, and closes within a second of the drain',
  async (t) => {
    const moves: string[] = [];
    const breaker = new SaturationBreaker(marks, (_, to, cause) => moves.push(`${names[to]} ${cause}`));
    breaker.update(0.89 * capacityBytes, 999, 0, false, 0);
    t.strictSame(moves, []);
    breaker.update(0.9 * capacityBytes, 0, 0, false, 10);
    t.strictSame(moves, ['open ring_bytes']);
    for (let nowMs = 20; nowMs <= 1_020; nowMs += 10) breaker.update(0.3 * capacityBytes, 0, 0, false, nowMs);
    t.strictSame(moves, ['open ring_bytes', 'half_open drained', 'closed stays drained']);
    breaker.update(1, marks.openAfterMs, 0, false, 20_000);
    t.strictSame(moves.at(-1), 'open oldest_event');
  },
);

t.test('a lane that can do more than it could when it was last overloaded is not held to that', async (t) => {
  const ring = new FluidRing({ ...marks, lane: 4_000, answerMs: 150 });
  run(ring, 10, () => 10, 4_000);
  run(ring, 10, () => 0.5, 4_000);
  t.equal(ring.moves.at(-1)?.to, 'closed');
  ring.lane = 40_000;
  const before = ring.moves.length;
  const turnedAway = ring.turnedAway;
  run(ring, 2, () => 0.9, 4_000);
  // What is under way takes more than a second of the old rate.
  run(ring, 20, () => 0.8, 40_000);
  const share = (ring.turnedAway - turnedAway) / (20_000 * 32_000);
  t.ok(share < 0.02, `${(100 * share).toFixed(2)} % of what it could have taken was turned away`);
  t.equal(ring.moves.at(-1)?.to, 'closed');
  t.ok(ring.moves.length - before <= 3, 'it opens once at most');
});

t.test('a ring that has no room for one large event while it is not half full opens nothing', async (t) => {
  const breaker = new SaturationBreaker(marks, () => t.fail('it moved'));
  breaker.full(0.5 * capacityBytes, 0);
  t.ok(breaker.admits);
});
