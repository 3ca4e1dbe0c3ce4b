import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { logOptions } from '../../src/daemon/options.ts';
import { emfFields } from '../../src/observe/emf.ts';
import { metricTable } from '../../src/observe/metric-schema.ts';
import { root } from '../tidy/sources.ts';
import { queryMistakes } from './queries.ts';

const place = (name: string): string => join(root, 'systemd/monitoring', name);
const read = (name: string): string => readFileSync(place(name), 'utf8');

interface Query {
  readonly expression: string;
  /** What is said of its result: label names in double braces. */
  readonly says: string;
}

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly id: number;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string; readonly refId: string }[];
}

const dashboard = JSON.parse(read('grafana-dashboard.json')) as {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: string | { query: string } }[];
  };
};

const ofDashboard: readonly Query[] = dashboard.panels.flatMap(({ targets = [] }) =>
  targets.map(({ expr, legendFormat }) => ({ expression: expr, says: legendFormat })),
);

const rules = read('prometheus-rules.yml');
const ofRules: readonly Query[] = rules
  .split(/^ {6}- alert: /m)
  .slice(1)
  .map((rule) => ({
    expression: /^ {8}expr: (.+)$/m.exec(rule)?.[1] ?? '',
    says: (/^ {10}summary: (.+)$/m.exec(rule)?.[1] ?? '').replaceAll('$labels.', ''),
  }));

/** Runs a program that may not be here. */
function run(command: string, ...arguments_: string[]): Promise<{ code: number | undefined; output: string }> {
  return new Promise((resolve) => {
    execFile(command, arguments_, { timeout: 60_000 }, (error, stdout, stderr) => {
      const failed = error?.code === 'ENOENT' ? undefined : 1;
      resolve({ code: error === null ? 0 : failed, output: stdout + stderr });
    });
  });
}

t.test('every query of dashboard and rules names metrics and labels that exist, as their types allow', async (t) => {
  t.ok(ofDashboard.length > 20 && ofRules.length > 10);
  for (const { expression, says } of [...ofDashboard, ...ofRules]) {
    t.strictSame(queryMistakes(expression, says), [], expression);
  }
});

t.test('the dashboard asks for nothing but what it declares', async (t) => {
  const declared = dashboard.templating.list.map(({ name }) => name);
  for (const [, name = ''] of JSON.stringify(dashboard).matchAll(/\$\{?([a-z_]+)/g)) {
    t.ok(name.startsWith('__') || declared.includes(name), `$${name}`);
  }
  const ids = dashboard.panels.map(({ id }) => id);
  t.equal(new Set(ids).size, ids.length);
  for (const { query } of dashboard.templating.list) {
    const metric = typeof query === 'string' ? undefined : /label_values\((\w+), (\w+)\)/.exec(query.query);
    if (metric === undefined) continue;
    const { labels = [] } = metricTable[metric?.[1] ?? ''] ?? {};
    t.ok([...labels, 'instance'].includes(metric?.[2] ?? ''), JSON.stringify(query));
  }
});

t.test('the dashboard has every kind of trouble that the rules have', async (t) => {
  const names = (queries: readonly Query[]): Set<string> =>
    new Set(queries.flatMap(({ expression }) => expression.match(/spillway_[a-z_]+/g) ?? []));
  const shown = names(ofDashboard);
  const dropped = 'spillway_dlq_dropped_total';
  t.strictSame(
    [...names(ofRules)].filter((name) => !shown.has(name) && name !== dropped),
    [],
  );
});

const noPromtool =
  (await run('promtool', '--version')).code === undefined
    ? 'promtool (Debian package prometheus) is not installed'
    : false;

t.test(
  "Prometheus' own tool takes configuration, rules and the dashboard's queries",
  { skip: noPromtool },
  async (t) => {
    const { code, output } = await run('promtool', 'check', 'config', place('prometheus.yml'));
    t.equal(code, 0, output);
    t.match(output, new RegExp(`${ofRules.length} rules found`));
    const asRules = (queries: readonly Query[]): string => {
      const list = queries.map(({ expression }, i) => {
        const text = expression.replaceAll('$__rate_interval', '5m').replaceAll(/\$[a-z]+/g, '.*');
        return `      - record: "query:${i}"\n        expr: ${JSON.stringify(text)}\n`;
      });
      return `groups:\n  - name: queries\n    rules:\n${list.join('')}`;
    };
    const directory = t.testdir({
      'good.yml': asRules(ofDashboard),
      'bad.yml': asRules([{ expression: 'a b', says: '' }]),
    });
    const checked = await run('promtool', 'check', 'rules', join(directory, 'good.yml'));
    t.equal(checked.code, 0, checked.output);
    t.equal((await run('promtool', 'check', 'rules', join(directory, 'bad.yml'))).code, 1, 'a wrong one is seen');
  },
);

interface Alarm {
  readonly MetricName?: string;
  readonly Namespace?: object;
  readonly Dimensions?: readonly { readonly Name: string }[];
  readonly Statistic?: string;
  readonly ExtendedStatistic?: string;
  readonly Metrics?: readonly { readonly MetricStat?: { readonly Metric: Alarm; readonly Stat: string } }[];
}

const alarms = JSON.parse(read('cloudwatch-alarms.json')) as {
  readonly Parameters: Readonly<Record<string, { readonly Default?: string }>>;
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties: Alarm }>>;
};

t.test(
  'every alarm is on a metric of the EMF lines, with its dimension and a statistic that means something',
  async (t) => {
    t.equal(alarms.Parameters['Namespace']?.Default, logOptions.emf_namespace.default);
    const perDaemon = Object.keys(emfFields).slice(Object.keys(emfFields).indexOf('RingPercent'));
    for (const [name, { Type, Properties }] of Object.entries(alarms.Resources)) {
      t.equal(Type, 'AWS::CloudWatch::Alarm', name);
      const asked = Properties.Metrics?.flatMap(({ MetricStat }) =>
        MetricStat === undefined ? [] : [{ ...MetricStat.Metric, Statistic: MetricStat.Stat }],
      ) ?? [Properties];
      for (const { MetricName = '', Namespace, Dimensions = [], Statistic, ExtendedStatistic } of asked) {
        const field = emfFields[MetricName as keyof typeof emfFields];
        t.ok(field !== undefined, `${name}: ${MetricName}`);
        t.strictSame(Namespace, { Ref: 'Namespace' }, name);
        const dimensions = perDaemon.includes(MetricName) ? [] : ['Stream'];
        t.strictSame(
          Dimensions.map((dimension) => dimension.Name),
          dimensions,
          name,
        );
        const counts = / since /.test(field?.says ?? '');
        const wanted = field?.type === 'numbers' ? /^p99$/ : counts ? /^(Sum|SampleCount)$/ : /^Maximum$/;
        t.match(ExtendedStatistic ?? Statistic, wanted, `${name}: ${MetricName}`);
      }
    }
  },
);

const noLinter = (await run('cfn-lint', '--version')).code === undefined ? 'cfn-lint (pip) is not installed' : false;

t.test("CloudFormation's linter takes the alarms", { skip: noLinter }, async (t) => {
  const { code, output } = await run('cfn-lint', place('cloudwatch-alarms.json'));
  t.equal(code, 0, output);
});

t.test('the CloudWatch agent reads the file that the drop-in has systemd write', async (t) => {
  const written = /^StandardOutput=append:(\S+)$/m.exec(read('log-file.conf'))?.[1];
  const { logs } = JSON.parse(read('cloudwatch-agent.json')) as {
    logs: { logs_collected: { files: { collect_list: readonly { file_path: string; log_group_name: string }[] } } };
  };
  t.strictSame(
    logs.logs_collected.files.collect_list.map(({ file_path }) => file_path),
    [written],
  );
});

t.test('the check of queries sees what is wrong with one', async (t) => {
  for (const [expression, says, mistake] of [
    ['spillway_backlog', '', /no such metric/],
    ['spillway_put_seconds', '', /no such metric/],
    ['spillway_backlog_events{code="x"}', '', /no label code/],
    ['spillway_events_received_total', '', /take its rate/],
    ['rate(spillway_backlog_events[5m])', '', /is a gauge/],
    ['sum by (code) (spillway_backlog_events)', '', /no metric has it/],
    ['sum by (stream) (spillway_backlog_events)', '{{instance}}', /no such label/],
    ['spillway_ring_bytes', '{{ stream }}', /no such label/],
  ] as const) {
    t.match(queryMistakes(expression, says), [mistake], expression);
  }
});
