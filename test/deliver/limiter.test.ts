import fc from 'fast-check';
import t from 'tap';
import { ShardLimiter } from '../../src/deliver/limiter.ts';
import type { Random } from '../../src/edges/random.ts';

const limits = { bytesPerSecond: 1_000_000, recordsPerSecond: 1_000 };
const middle: Random = { share: () => 0.5, bytes: (length) => Buffer.alloc(length) };
const seed = Number(process.env['SEED'] ?? 20_261_125);
t.comment(`seed ${seed}`);

function limiterOf(...shardIds: string[]): ShardLimiter {
  const limiter = new ShardLimiter(limits, middle);
  limiter.reshape(shardIds, 0);
  return limiter;
}

/** Sends records of `bytes` as fast as the limiter lets it; each is taken 10 ms later. Returns how many went. */
function takeAll(limiter: ShardLimiter, fromMs: number, toMs: number, bytes: number): number {
  let sent = 0;
  for (let nowMs = fromMs; nowMs < toMs; nowMs += 10) {
    const before = sent;
    for (; limiter.mayOpen(0, nowMs); sent++) limiter.charge(0, bytes, nowMs);
    for (let i = before; i < sent; i++) limiter.taken(0, nowMs + 10);
  }
  return sent;
}

t.test('never more goes than a second at once, the rate, and one record', async (t) => {
  const step = fc.record({
    waitMs: fc.nat(3_000),
    bytes: fc.integer({ min: 1, max: 3_000_000 }),
    tries: fc.nat(1_500),
  });
  const property = () =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const limiter = limiterOf('a');
        let nowMs = 0;
        // Both budgets as buckets that start full: no run of records may take out more than is in them.
        let bytesLeft = limits.bytesPerSecond;
        let recordsLeft = limits.recordsPerSecond;
        for (const { waitMs, bytes, tries } of steps) {
          nowMs += waitMs;
          bytesLeft = Math.min(limits.bytesPerSecond, bytesLeft + (waitMs * limits.bytesPerSecond) / 1_000);
          recordsLeft = Math.min(limits.recordsPerSecond, recordsLeft + (waitMs * limits.recordsPerSecond) / 1_000);
          for (let i = 0; i < tries && limiter.mayOpen(0, nowMs); i++) {
            if (bytesLeft < -1e-3 || recordsLeft < -1e-6) return false;
            limiter.charge(0, bytes, nowMs);
            bytesLeft -= bytes;
            recordsLeft--;
          }
        }
        return true;
      }),
      { seed },
    );
  t.doesNotThrow(property);
});

t.test('it opens when it said that it would, and not a moment sooner', async (t) => {
  const property = () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), fc.nat(20), (bytes, throttles) => {
        const limiter = limiterOf('a');
        let nowMs = 0;
        for (let i = 0; i < throttles; i++) limiter.throttled(0, nowMs, (nowMs += 2_000));
        while (limiter.mayOpen(0, nowMs)) limiter.charge(0, bytes, nowMs);
        const openMs = limiter.nextOpenMs(0, nowMs);
        return openMs > nowMs && !limiter.mayOpen(0, openMs - 1) && limiter.mayOpen(0, openMs + 1e-3);
      }),
      { seed },
    );
  t.doesNotThrow(property);
});

t.test('a record of ten seconds goes at once, and is paid off by waiting', async (t) => {
  const limiter = limiterOf('a', 'b');
  t.ok(limiter.mayOpen(0, 0));
  limiter.charge(0, 10_100_000, 0);
  t.notOk(limiter.mayOpen(0, 9_990));
  t.ok(limiter.mayOpen(0, 10_000), 'what it had at first was 0.1 s');
  t.ok(limiter.mayOpen(1, 0), 'another shard is not concerned');
});

t.test('what one request has refused, and what was sent before the cut, cuts once', async (t) => {
  const limiter = limiterOf('a');
  for (let i = 0; i < 500; i++) limiter.throttled(0, 100, 150);
  const once = limiter.share(0);
  t.ok(once < 1 && once > 0.3, `${once}`);
  limiter.throttled(0, 149, 400);
  t.equal(limiter.share(0), once, 'sent before the cut');
  limiter.throttled(0, 151, 401);
  t.ok(limiter.share(0) < once, 'sent after it');
});

t.test('a share that is not used does not grow; one that is does, to the whole', async (t) => {
  const limiter = limiterOf('a');
  for (let nowMs = 1_000; nowMs < 60_000; nowMs += 1_000) limiter.throttled(0, nowMs - 1, nowMs);
  const small = limiter.share(0);
  t.ok(small < 0.05, `after a minute of refusals: ${small}`);
  for (let nowMs = 60_000; nowMs < 3_660_000; nowMs += 1_000) {
    if (!limiter.mayOpen(0, nowMs)) continue;
    limiter.charge(0, 10, nowMs);
    limiter.taken(0, nowMs);
    nowMs += 9_000;
  }
  t.equal(limiter.share(0), small, 'an hour of little demand');
  takeAll(limiter, 3_700_000, 3_703_000, 1_000);
  t.ok(limiter.share(0) > small && limiter.share(0) < 0.1, `demand again, at first slowly: ${limiter.share(0)}`);
  takeAll(limiter, 3_703_000, 3_820_000, 1_000);
  t.equal(limiter.share(0), 1);
  const second = takeAll(limiter, 3_820_000, 3_830_000, 1_000);
  t.ok(Math.abs(second - 10_000) <= 10, `the whole shard: ${second} records in 10 s`);
});

t.test('refusals without end leave a lane something to learn by', async (t) => {
  const limiter = limiterOf('a');
  for (let nowMs = 0; nowMs < 3_600_000; nowMs += 1_000) limiter.throttled(0, nowMs - 1, nowMs);
  limiter.charge(0, 1_000_000, 3_600_000);
  t.ok(limiter.share(0) > 0, `${limiter.share(0)}`);
  t.ok(Number.isFinite(limiter.nextOpenMs(0, 3_600_000)));
});

t.test('a changed map keeps what is known of shards that stay, wherever they are in it', async (t) => {
  const limiter = limiterOf('a', 'b');
  limiter.throttled(1, 100, 150);
  limiter.charge(1, 5_000_000, 150);
  const share = limiter.share(1);
  const openMs = limiter.nextOpenMs(1, 150);
  limiter.reshape(['b', 'c', 'd'], 200);
  t.equal(limiter.share(0), share);
  t.ok(Math.abs(limiter.nextOpenMs(0, 200) - openMs) <= 1);
  t.equal(limiter.share(1), 1, 'a new shard is tried at the whole rate');
  t.ok(limiter.mayOpen(1, 200));
  t.throws(() => limiter.mayOpen(3, 200), /the shard is one of the map/);
});
