import fc from 'fast-check';
import t from 'tap';
import { RetryBudget } from '../../src/deliver/retry-budget.ts';

const seed = Number(process.env['SEED'] ?? 20_261_125);
t.comment(`seed ${seed}`);
const options = { part: 0.1, floorPerSecond: 1, windowMs: 10_000 };
/** A moment of 2026, so that positions in the window are those of real times. */
const startMs = 1_795_573_472_000.25;

t.test('a tenth of what is sent may go again, and a second more', async (t) => {
  const budget = new RetryBudget(options);
  budget.sent(1_000, startMs);
  let retried = 0;
  while (retried < 1_000 && budget.mayRetry(1, startMs)) retried++;
  t.equal(retried, 101);
  t.ok(budget.mayRetry(1, startMs + 1_000), 'the floor again');
  t.notOk(budget.mayRetry(1, startMs + 1_500));
});

t.test('what was earned before the window is forgotten', async (t) => {
  const budget = new RetryBudget(options);
  budget.sent(1_000_000, startMs);
  let retried = 0;
  while (retried < 1_000 && budget.mayRetry(1, startMs + 10_500)) retried++;
  t.equal(retried, 1, 'the floor has not added up');
});

t.test('in every window retries stay within the part, the floor and one asking', async (t) => {
  const step = fc.record({ waitMs: fc.nat(1_500), sent: fc.nat(500), asks: fc.array(fc.integer({ min: 1, max: 40 })) });
  const property = fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const budget = new RetryBudget(options);
    const events: { atMs: number; sent: number; retried: number }[] = [];
    let nowMs = startMs;
    for (const { waitMs, sent, asks } of steps) {
      nowMs += waitMs;
      budget.sent(sent, nowMs);
      events.push({ atMs: nowMs, sent, retried: 0 });
      for (const ask of asks) {
        if (!budget.mayRetry(ask, nowMs)) continue;
        events.push({ atMs: nowMs, sent: 0, retried: ask });
        const window = events.filter(({ atMs }) => atMs > nowMs - options.windowMs);
        const total = (of: 'sent' | 'retried'): number => window.reduce((sum, event) => sum + event[of], 0);
        // The floor of the window, what it had saved, and one asking of 40; spending is remembered to a slot of half a second.
        const slotAgoMs = nowMs - options.windowMs + options.windowMs / 20;
        const old = window.reduce((sum, { atMs, retried }) => sum + (atMs <= slotAgoMs ? retried : 0), 0);
        if (total('retried') - old > 0.1 * total('sent') + 10 + 1 + 40 + 1e-6) return false;
      }
    }
    return true;
  });
  t.doesNotThrow(() => fc.assert(property, { seed }));
});

t.test('it says when the next may go, and it may go then', async (t) => {
  const step = fc.record({ waitMs: fc.nat(4_000), sent: fc.nat(300), ask: fc.integer({ min: 1, max: 30 }) });
  const property = fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
    const budget = new RetryBudget(options);
    let nowMs = startMs;
    for (const { waitMs, sent, ask } of steps) {
      nowMs += waitMs;
      if (sent > 150) budget.sent(sent, nowMs);
      budget.mayRetry(ask, nowMs);
    }
    for (let i = 0; i < 10_000 && budget.mayRetry(1, nowMs); i++);
    const nextMs = budget.nextMs(nowMs);
    if (nextMs <= nowMs || nextMs > nowMs + 60_000) return false;
    return !budget.mayRetry(1, nextMs - 1.5) && budget.mayRetry(1, nextMs + 0.01);
  });
  t.doesNotThrow(() => fc.assert(property, { seed }));
});

t.test('records that failed together go together, however quiet the stream, and are paid off', async (t) => {
  const budget = new RetryBudget(options);
  t.ok(budget.mayRetry(50, startMs));
  t.equal(budget.nextMs(startMs), startMs + 50_000);
  t.notOk(budget.mayRetry(1, startMs + 49_000));
  t.ok(budget.mayRetry(1, startMs + 50_000));
});

t.test('a floor of less than one a second saves up for one', async (t) => {
  const budget = new RetryBudget({ ...options, floorPerSecond: 0.2 });
  t.ok(budget.mayRetry(1, startMs));
  t.notOk(budget.mayRetry(1, startMs + 4_900));
  t.ok(budget.mayRetry(1, startMs + 5_001));
});
