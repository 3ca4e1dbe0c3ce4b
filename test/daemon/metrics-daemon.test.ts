import t from 'tap';
import { checkLogLine } from '../../src/observe/log-check.ts';
import { checkEmf } from '../observe/emf-check.ts';
import { type Family, readPrometheusText, valueOf } from '../observe/prometheus-text.ts';
import { Rig, until } from './running.ts';

/** What an operator has told the daemon in confidence, or a sender: words that stand nowhere else. */
const planted = {
  role: 'planted-role',
  externalId: 'planted-external-id',
  proxyUser: 'planted-proxy-user',
  proxyPassword: 'planted-proxy-password',
  accessKey: 'PLANTEDACCESSKEY',
  secretKey: 'planted-secret-key',
  sessionToken: 'planted-session-token',
  payload: 'planted-payload',
  partitionKey: 'planted-partition-key',
};

// A stream that nothing is well with: nobody listens on the discard port, where its proxy is.
const away = `key_field = "user"
[[stream]]
name = "away"
region = "us-east-1"
role_arn = "arn:aws:iam::123456789012:role/${planted.role}"
external_id = "${planted.externalId}"
proxy = "http://${planted.proxyUser}:${planted.proxyPassword}@127.0.0.1:9"
[breaker]
failures = 1
[log]
interval = "100ms"
emf = true
emf_namespace = "Test/Metrics"
`;

// One daemon at work, one of whose streams is not well, for all of them.
const rig = await Rig.start(t);
const daemon = await rig.daemon('linger = "5ms"', away, {
  environment: {
    AWS_ACCESS_KEY_ID: planted.accessKey,
    AWS_SECRET_ACCESS_KEY: planted.secretKey,
    AWS_SESSION_TOKEN: planted.sessionToken,
    SPILLWAY_DAEMON_DRAIN_TIMEOUT: '200ms',
  },
});
const post = async (stream: string, body: string): Promise<number> =>
  (await fetch(`${daemon.url}/v1/streams/${stream}/events`, { method: 'POST', body })).status;
const text = async (path: string): Promise<string> => (await fetch(`${daemon.url}${path}`)).text();
const metrics = async (): Promise<Map<string, Family>> => readPrometheusText(await text('/metrics'));
const event = `${JSON.stringify({ user: planted.partitionKey, text: planted.payload })}\n`;
await rig.send(daemon.socket, 0, 1_000);
const answers = [
  await post('away', event.repeat(20)),
  await post('nowhere', event),
  await post('orders', `${planted.payload}\n`),
];
const families = await until(
  metrics,
  (now) =>
    valueOf(now, 'spillway_events_delivered_total', { stream: 'orders' }) === 1_000 &&
    valueOf(now, 'spillway_ingress_to_ack_seconds_count', { stream: 'orders' }) === 1_000 &&
    valueOf(now, 'spillway_stream_breaker_state', { stream: 'away' }) === 2,
);

t.test('its metrics say what its status says', async (t) => {
  t.strictSame(answers, [202, 404, 400]);
  const { ledger, version } = JSON.parse(await text('/v1/status')) as {
    ledger: Readonly<Record<string, number>>;
    version: string;
  };
  const sum = (name: string): number =>
    (families.get(name)?.samples ?? []).reduce((total, { value }) => total + value, 0);
  t.equal(sum('spillway_events_received_total'), ledger['received']);
  t.equal(sum('spillway_events_refused_total'), ledger['refused']);
  t.equal(sum('spillway_refusals_total'), ledger['refused'], 'each refusal has its code');
  t.equal(valueOf(families, 'spillway_refusals_total', { code: 'unknown_stream' }), 1);
  t.equal(valueOf(families, 'spillway_refusals_total', { code: 'bad_json' }), 1);
  t.equal(valueOf(families, 'spillway_events_received_total', { stream: '(unknown)' }), 1);
  t.equal(valueOf(families, 'spillway_backlog_events', { stream: 'away' }), 20);
  t.equal(valueOf(families, 'spillway_ready'), 1);
  t.equal(valueOf(families, 'spillway_build_info', { version }), 1);
  t.ok((valueOf(families, 'process_resident_memory_bytes') ?? 0) > 2 ** 24);
  t.ok((valueOf(families, 'spillway_put_seconds_sum', { stream: 'orders' }) ?? 0) > 0);
  t.ok((valueOf(families, 'spillway_ring_capacity_bytes', { lane: '0' }) ?? 0) >= 2 ** 20);
});

t.test('nothing that it was told in confidence stands in metrics or status', async (t) => {
  const told = { '/metrics': await text('/metrics'), '/v1/status': await text('/v1/status') };
  for (const [path, page] of Object.entries(told)) {
    t.match(page, /away/, path);
    for (const [what, word] of Object.entries(planted)) t.notOk(page.includes(word), `${path}: ${what}`);
  }
  const log = daemon.log.map((line) => JSON.stringify(line)).join('\n');
  const { role: _, ...others } = planted;
  for (const [what, word] of Object.entries(others)) t.notOk(log.includes(word), `log: ${what}`);
});

t.test('its EMF lines are of the format, and add up to its books', async (t) => {
  const lines = (): (typeof daemon.log)[number][] => daemon.log.filter(({ kind }) => kind === 'emf');
  const received = (stream: string): number =>
    lines().reduce((sum, line) => sum + (line['Stream'] === stream ? (line['Received'] as number) : 0), 0);
  await until(
    async () => received('orders'),
    (sum) => sum === 1_001,
  );
  await until(
    async () => received('away'),
    (sum) => sum === 20,
  );
  for (const line of lines()) t.strictSame([...checkEmf(line), ...checkLogLine(line)], []);
  t.match(lines()[0], { _aws: { CloudWatchMetrics: [{ Namespace: 'Test/Metrics' }] } });
  await until(
    async () => lines(),
    (all) => all.some(({ IngressToAck }) => (IngressToAck as number[])?.length === 100),
  );
});
