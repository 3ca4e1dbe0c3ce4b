import t from 'tap';
import { Alert, type AlertChange } from '../../src/alerts/alert.ts';
import { type AlertRule, changedRule, defaultRules } from '../../src/alerts/rules.ts';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';

const stepMs = 250;

const rule = (change: Partial<AlertRule>): AlertRule => ({
  name: 'old',
  measure: 'backlog_age',
  stream: undefined,
  threshold: 5_000,
  clear: 4_000,
  forMs: 0,
  clearForMs: 5_000,
  ...change,
});

/** Steps an alert over `values`, 250 ms apart; gives each change with the index of the value at which it came. */
function changes(of: AlertRule, values: readonly (number | undefined)[]): (readonly [number, AlertChange])[] {
  const alert = new Alert(of, undefined);
  return values.flatMap((value, i) => {
    const change = alert.step(value, i * stepMs);
    return change === undefined ? [] : [[i, change] as const];
  });
}

const times = (count: number, value: number | undefined): (number | undefined)[] => Array(count).fill(value);

t.test('an alert fires at the first value beyond its threshold, and not at the threshold', async (t) => {
  t.strictSame(changes(rule({}), [4_999, 5_000, 5_001]), [[2, 'fired']]);
  t.strictSame(changes(rule({ measure: 'disk_free', threshold: 100, clear: 125 }), [101, 100, 99]), [[2, 'fired']]);
});

t.test('with a time it fires when the threshold was passed for so long without a break', async (t) => {
  const patient = rule({ forMs: 1_000 });
  t.strictSame(changes(patient, [...times(4, 6_000), 4_500, ...times(5, 6_000)]), [[9, 'fired']]);
});

t.test(
  'it clears when all was well for the time to clear, and what lies between the levels changes nothing',
  async (t) => {
    const values = [6_000, ...times(10, 3_000), 4_500, ...times(20, 4_000), 3_000];
    t.strictSame(changes(rule({}), values), [
      [0, 'fired'],
      [32, 'cleared'],
    ]);
    t.strictSame(
      changes(rule({}), [6_000, ...times(100, 4_500)]),
      [[0, 'fired']],
      'between the levels it stays active',
    );
    t.strictSame(changes(rule({ clearForMs: 1_000 }), [6_000, ...times(5, undefined)]), [
      [0, 'fired'],
      [5, 'cleared'],
    ]);
  },
);

t.test('what comes back at once fires when the time to clear has passed since it cleared', async (t) => {
  t.strictSame(changes(rule({ clearForMs: 1_000 }), [6_000, ...times(5, 0), ...times(10, 6_000)]), [
    [0, 'fired'],
    [5, 'cleared'],
    [9, 'fired'],
  ]);
});

t.test('it tells its state, its value, since when, and how long it had been bad', async (t) => {
  const alert = new Alert(rule({ forMs: 500 }), 'orders');
  alert.step(6_000, 1_000);
  t.match(alert, { isActive: false, value: 6_000, changedMs: undefined });
  alert.step(7_000, 1_600);
  t.match(alert, { isActive: true, value: 7_000, changedMs: 1_600, heldMs: 600 });
});

/** A load that rises, falls, jumps and trembles around a level, as its seed has it. */
function load(random: RandomSequence, level: number): number[] {
  const values: number[] = [];
  let [at, drift] = [level * 2 * random.next(), 0];
  const noise = level * 0.6 * random.next();
  for (let i = 0; i < 800; i++) {
    if (random.next() < 0.03) drift = level * 0.1 * (random.next() - 0.5);
    if (random.next() < 0.01) at = level * 2 * random.next();
    at = Math.min(2 * level, Math.max(0, at + drift));
    values.push(Math.max(0, at + noise * (random.next() - 0.5)));
  }
  return values;
}

t.test('over 1,000 random loads no alert flaps, misses, or clears while it is bad', async (t) => {
  const seed = Date.now() % 1_000_000;
  t.comment(`seed ${seed}`);
  const random = new RandomSequence(seed);
  let [fired, cleared] = [0, 0];
  for (let trace = 0; trace < 1_000; trace++) {
    const base = defaultRules[trace % defaultRules.length] as AlertRule;
    const below = base.measure === 'time_to_full' || base.measure === 'disk_free';
    const threshold = base.threshold || 10;
    const clear = threshold * (below ? 1 + random.next() : 1 - random.next());
    const of = { ...base, threshold, clear, forMs: 2_000 * random.next(), clearForMs: 1_000 + 6_000 * random.next() };
    const values = load(random, threshold);
    const isBad = (value: number): boolean => (below ? value < threshold : value > threshold);
    const isWell = (value: number): boolean => (below ? value >= clear : value <= clear);
    let [isActive, changedMs, badMs] = [false, Number.NEGATIVE_INFINITY, 0];
    const faults: string[] = [];
    const found = new Map(changes(of, values));
    for (const [i, value] of values.entries()) {
      const change = found.get(i);
      const nowMs = i * stepMs;
      badMs = isBad(value) ? badMs + stepMs : 0;
      const since = (ms: number): number[] => values.slice(Math.max(0, i - Math.ceil(ms / stepMs)), i + 1);
      if (change === 'fired') {
        fired++;
        if (isActive || !since(of.forMs).every(isBad))
          faults.push(`fired at ${i}, and had not been bad for long enough`);
      } else if (change === 'cleared') {
        cleared++;
        if (!isActive || !since(of.clearForMs).every(isWell))
          faults.push(`cleared at ${i}, and was not well for so long`);
      }
      if (change !== undefined && nowMs - changedMs < of.clearForMs)
        faults.push(`two changes in one hold time at ${i}`);
      if (change !== undefined) [isActive, changedMs] = [!isActive, nowMs];
      const mayFire = nowMs - changedMs >= of.clearForMs;
      if (!isActive && mayFire && badMs > of.forMs + stepMs) faults.push(`bad at ${i}, and did not fire`);
    }
    t.strictSame(faults.slice(0, 3), [], `trace ${trace} of seed ${seed}`);
    if (faults.length > 0) break;
  }
  t.ok(fired > 1_000 && cleared > 1_000, `${fired} fired, ${cleared} cleared`);
});

t.test('a rule that is there unasked keeps what a table does not change, unless its measure changes', async (t) => {
  t.match(changedRule('time_to_full', { threshold: 60_000 }), { threshold: 60_000, clear: 75_000, forMs: 2_000 });
  t.match(changedRule('backlog_age', { forMs: 1_000 }), { stream: '*', threshold: 5_000, clear: 4_000, forMs: 1_000 });
  t.match(changedRule('backlog_age', { measure: 'dead_letters', threshold: 7 }), {
    stream: undefined,
    clear: 5.6,
    forMs: 0,
  });
  t.equal(changedRule('mine', { measure: 'dead_letters' }), undefined);
  t.equal(changedRule('mine', { threshold: 1 }), undefined);
});
