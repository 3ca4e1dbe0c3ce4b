import t from 'tap';
import { alertFields, alertMessage, quantityText } from '../../src/alerts/alert-text.ts';
import { type AlertNotice, Alerts } from '../../src/alerts/alerts.ts';
import type { MeasureName } from '../../src/alerts/measures.ts';
import { type AlertRule, changedRule, defaultRules, type RuleChange } from '../../src/alerts/rules.ts';
import { checkLogLine } from '../../src/observe/log-check.ts';

const rule = (name: string, change: RuleChange = {}): AlertRule => changedRule(name, change) as AlertRule;

function watched(rules: readonly AlertRule[]) {
  const notices: AlertNotice[] = [];
  const alerts = new Alerts(rules, ['orders', 'clicks'], (notice) => notices.push(notice));
  /** Evaluates with what each measure has, by stream; everything else has no value. */
  const step = (nowMs: number, values: Partial<Record<MeasureName, readonly number[] | number>>): void =>
    alerts.evaluate((measure, stream) => {
      const value = values[measure];
      return typeof value === 'object' ? value[stream ?? 0] : value;
    }, nowMs);
  const told = (): string[] =>
    notices.splice(0).map(({ rule: { name }, change, stream = 'all' }) => `${name} ${stream} ${change}`);
  return { alerts, notices, step, told };
}

t.test(
  'a rule for each stream watches each for itself; one of a stream that is not there watches nothing',
  async (t) => {
    const gone = rule('mine', { measure: 'backlog_age', threshold: 1, stream: 'gone' });
    const { alerts, step, told } = watched([rule('backlog_age'), rule('dlq_full'), gone]);
    step(0, { backlog_age: [100, 9_000], dlq_full: 1 });
    t.strictSame(told(), ['backlog_age clicks fired', 'dlq_full all fired']);
    t.strictSame(alerts.active, ['backlog_age', 'dlq_full']);
    t.strictSame(alerts.status, [
      { name: 'backlog_age', measure: 'backlog_age', stream: 'orders', state: 'quiet', value: 100, threshold: 5_000 },
      {
        name: 'backlog_age',
        measure: 'backlog_age',
        stream: 'clicks',
        state: 'active',
        value: 9_000,
        threshold: 5_000,
        since: '1970-01-01T00:00:00.000Z',
      },
      {
        name: 'dlq_full',
        measure: 'dlq_full',
        state: 'active',
        value: 1,
        threshold: 0,
        since: '1970-01-01T00:00:00.000Z',
      },
    ]);
  },
);

t.test('a reload keeps the state of rules that stay; changed and gone ones clear, and begin anew', async (t) => {
  const { alerts, notices, step, told } = watched([rule('backlog_age'), rule('dlq_full'), rule('dead_letters')]);
  step(0, { backlog_age: [9_000, 9_000], dlq_full: 1, dead_letters: [1, 0] });
  told();
  alerts.reload([rule('dead_letters', { threshold: 5 }), rule('backlog_age')], 1_000);
  t.match(
    notices.map(({ isDropped, tookMs }) => [isDropped, tookMs]),
    [
      [true, 1_000],
      [true, 1_000],
    ],
  );
  t.strictSame(told(), ['dlq_full all cleared', 'dead_letters orders cleared']);
  step(1_250, { backlog_age: [9_000, 9_000], dead_letters: [9, 0] });
  t.strictSame(told(), ['dead_letters orders fired'], 'and what stayed does not fire again');
  for (let ms = 1_500; ms <= 6_750; ms += 250) step(ms, { backlog_age: [9_000, 100], dead_letters: [9, 0] });
  t.strictSame(told(), ['backlog_age clicks cleared']);
});

t.test('every alert makes a line that the log may have, with value, limit and what to look at', async (t) => {
  for (const each of defaultRules) {
    for (const change of ['fired', 'cleared'] as const) {
      const notice = { change, rule: each, stream: 'orders', value: 12.3456, heldMs: 0.4, isDropped: false };
      const fields = alertFields({ ...notice, tookMs: change === 'fired' ? undefined : 7 });
      const line = { time: '2026-11-27T18:00:00.000Z', level: 'warn', kind: 'alert', msg: '', ...fields };
      t.strictSame(checkLogLine(JSON.parse(JSON.stringify(line))), []);
    }
  }
  const notice = {
    change: 'fired',
    rule: rule('backlog_age'),
    stream: 'orders',
    value: 7_234.4,
    heldMs: 0,
    tookMs: undefined,
    isDropped: false,
  } as const;
  t.match(
    alertMessage(notice),
    /^alert backlog_age of stream orders: the oldest .* waits: 7.234s \(above 5s\); is Kinesis/,
  );
  t.match(alertFields(notice), { value: 7_234.4, threshold: 5_000, hint: /; runbook#alert-backlog_age$/ });
  t.equal(alertMessage({ ...notice, change: 'cleared', tookMs: 5 }), 'alert backlog_age of stream orders is over');
});

t.test('levels are told as people write them', async (t) => {
  for (const [value, unit, text] of [
    [7_234.4, 'ms', '7.234s'],
    [600_000, 'ms', '10m'],
    [61_499, 'ms', '61s'],
    [0, 'ms', '0s'],
    [268_435_456, 'bytes', '256MiB'],
    [12_345_678_901, 'bytes', '11GiB'],
    [1_000, 'bytes', '1000'],
    [0.80004, 'number', '0.8'],
  ] as const) {
    t.equal(quantityText(value, unit), text);
  }
});
