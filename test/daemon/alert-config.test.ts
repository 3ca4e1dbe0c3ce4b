import t, { type Test as Tap } from 'tap';
import { defaultRules } from '../../src/alerts/rules.ts';
import { loaded, mistakesOf, smallest } from './sources.ts';

const alert = (lines: string): string => `${smallest}[[alert]]\n${lines}`;

function refuses(t: Tap, text: string, ...said: RegExp[]): void {
  t.match(mistakesOf(text), said);
  t.equal(mistakesOf(text).length, said.length, 'and nothing else is said');
}

t.test(
  'without a table the alerts are those that are there unasked; a table changes, adds, or takes away',
  async (t) => {
    t.strictSame(loaded(smallest).alerts, defaultRules);
    const { alerts } = loaded(`${smallest}
[[alert]]
name = "backlog_age"
threshold = "30s"
clear = "10s"
for = "1s"
[[alert]]
name = "disk_free"
enabled = false
[[alert]]
name = "orders_slow"
measure = "ingress_to_ack_p99"
stream = "orders"
threshold = "2s"
clear_for = "1m"
[[alert]]
name = "much"
measure = "dlq_bytes"
threshold = 5000`);
    t.equal(alerts.length, defaultRules.length + 1);
    t.notOk(alerts.some(({ name }) => name === 'disk_free'));
    const named = (wanted: string) => alerts.find(({ name }) => name === wanted);
    t.match(named('backlog_age'), { stream: '*', threshold: 30_000, clear: 10_000, forMs: 1_000, clearForMs: 5_000 });
    t.match(named('orders_slow'), { stream: 'orders', threshold: 2_000, clear: 1_600, forMs: 0, clearForMs: 60_000 });
    t.match(named('much'), { measure: 'dlq_bytes', stream: undefined, threshold: 5_000 });
  },
);

t.test('the environment alone can change an alert, and give a command', async (t) => {
  const { alerts, notify } = loaded(smallest, {
    SPILLWAY_ALERT_0_NAME: 'dlq_used',
    SPILLWAY_ALERT_0_THRESHOLD: '0.5',
    SPILLWAY_ALERT_1_NAME: 'backlog_age',
    SPILLWAY_ALERT_1_THRESHOLD: '1m',
    SPILLWAY_NOTIFY_COMMAND: '["/usr/bin/page", "--now"]',
  });
  t.match(
    alerts.filter(({ name }) => /dlq_used|backlog_age/.test(name)),
    [{ threshold: 0.5 }, { threshold: 60_000 }],
  );
  t.strictSame(notify.command, ['/usr/bin/page', '--now']);
});

t.test('measure and threshold are needed where nothing is there unasked', async (t) => {
  refuses(t, alert('name = "mine"'), /toml:8: alert\[0\].measure: missing: write it, or change one of .*backlog_age, /);
  refuses(
    t,
    alert('name = "backlog_agee"\nthreshold = "1s"'),
    /measure: missing: did you mean the alert "backlog_age"/,
  );
  refuses(t, alert('name = "mine"\nmeasure = "backlog_age"'), /toml:8: alert\[0\].threshold: missing: write "250ms"/);
  refuses(t, alert('measure = "backlog_age"\nthreshold = "1s"'), /alert\[0\].name: missing/);
  refuses(t, alert('name = "backlog_age"\nmeasure = "dlq_bytes"'), /threshold: missing: write "512KiB"/);
  refuses(t, alert('name = "mine"\nenabled = false'), /measure: missing/);
});

t.test('an unknown measure, an odd name, a name that stands twice', async (t) => {
  refuses(t, alert('name = "mine"\nmeasure = "backlog_agee"\nthreshold = 0'), /toml:10: .*did you mean "backlog_age"/);
  refuses(t, alert('name = "Mine"'), /toml:9: alert\[0\].name = "Mine": must be 1 to 64 of a-z/);
  refuses(
    t,
    alert('name = "dlq_full"\n[[alert]]\nname = "dlq_full"'),
    /toml:11: alert\[1\].name .* alert\[0\] has the same/,
  );
});

t.test('a level has the unit of its measure, and can be passed', async (t) => {
  refuses(
    t,
    alert('name = "backlog_age"\nthreshold = 5'),
    /toml:10: alert\[0\].threshold = 5: the measure wants "250ms"/,
  );
  refuses(t, alert('name = "backlog_age"\nthreshold = "5MiB"'), /the measure wants "250ms"/);
  refuses(t, alert('name = "disk_free"\nthreshold = "5s"'), /the measure wants "512KiB"/);
  refuses(t, alert('name = "disk_free"\nthreshold = 0'), /nothing is below 0/);
  refuses(t, alert('name = "dlq_used"\nthreshold = 80'), /never above 1/);
  refuses(t, alert('name = "dlq_full"\nthreshold = 1'), /it is 0 or 1, and bad above 0/);
  refuses(t, alert('name = "dead_letters"\nthreshold = -1'), /threshold = -1: must be a number, "250ms"/);
  refuses(t, alert('name = "dlq_used"\nclear = "5s"'), /clear = "5s": the measure wants a share/);
});

t.test('the clear level lies on the good side of the threshold, also of one that is there unasked', async (t) => {
  refuses(
    t,
    alert('name = "backlog_age"\nclear = "6s"'),
    /toml:10: alert\[0\].clear = "6s": on the wrong side: at most/,
  );
  refuses(t, alert('name = "time_to_full"\nclear = "5m"'), /on the wrong side: at least the threshold/);
  t.strictSame(mistakesOf(alert('name = "backlog_age"\nclear = "5s"')), [], 'the threshold itself will do');
});

t.test('a stream is one that there is, and has such a measure', async (t) => {
  refuses(
    t,
    alert('name = "backlog_age"\nstream = "clicks"'),
    /no \[\[stream\]\] has this name; there is orders, or "\*"/,
  );
  refuses(t, alert('name = "dlq_full"\nstream = "orders"'), /dlq_full is one of the whole daemon/);
  refuses(t, alert('name = "dlq_full"\nclear_for = "0"'), /clear_for = "0": too small: at least 1s/);
});

t.test('a command begins with a path, and a webhook is a URL', async (t) => {
  const notify = (line: string): string => `${smallest}[notify]\n${line}`;
  refuses(
    t,
    notify('command = ["page"]'),
    /notify.command = \["page"\]: must be an array of strings, first an absolute path/,
  );
  for (const bad of ['[]', '"/bin/page"', '["/bin/page", 5]'])
    refuses(t, notify(`command = ${bad}`), /must be an array/);
  refuses(t, notify('webhook = "ftp://h"'), /notify.webhook = \.\.\.: must be a URL that begins with http/);
  refuses(t, notify('webhook = "https://h:port/"'), /notify.webhook .* is not a URL/);
  t.strictSame(
    mistakesOf(notify('command = ["/bin/page"]\nwebhook = "https://hooks.internal:8443/T0/secret?x=1"')),
    [],
  );
});
