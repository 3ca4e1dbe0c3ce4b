import t from 'tap';
import { embeddedConfig, requireConfig, withEndpoint } from '../../src/daemon/config.ts';
import { load, loaded, mistakesOf, smallest } from './sources.ts';

t.test('the smallest configuration has the documented defaults', async (t) => {
  const { daemon, streams, listeners, breaker, dlq, log } = loaded(smallest);
  t.match(daemon, { stateDir: '/var/lib/spillway', lanes: 1, memoryBudgetBytes: 268_435_456, drainTimeoutMs: 10_000 });
  t.match(streams[0], {
    name: 'orders',
    streamName: 'orders',
    region: 'eu-west-1',
    wire: 'json',
    aggregation: true,
    lingerMs: 100,
    deadlineMs: 30_000,
    ordering: 'none',
    overflow: 'spill',
    batchRecords: 500,
  });
  t.match(listeners[0], { kind: 'unix', mode: 0o660, stream: 'orders', ack: 'memory', missingKey: 'random' });
  t.strictSame(breaker, { openAt: 0.9, closeAt: 0.6, openAfterMs: 1000, failures: 5, halfOpenAfterMs: 500 });
  t.strictSame(dlq, {
    maxBytes: 10 * 1024 ** 3,
    segmentBytes: 64 * 1024 ** 2,
    reserveBytes: 16 * 1024 ** 2,
    whenFull: 'refuse',
    fsync: { intervalMs: 200 },
    replayShare: 0.5,
  });
  t.strictSame(log, { level: 'info', intervalMs: 10_000, emf: false, emfNamespace: 'spillway' });
});

t.test('each kind of listener has what it needs and nothing else', async (t) => {
  const { listeners } = loaded(`${smallest}
[[listen]]
kind = "http"
address = "[::1]:7070"
[[listen]]
kind = "stdin"
`);
  t.strictSame(
    listeners.map((listener) => ('address' in listener ? listener.address : 'path' in listener ? listener.path : '')),
    ['/run/spillway/orders.sock', { host: '::1', port: 7070 }, ''],
  );
  t.notOk('mode' in (listeners[1] ?? {}), 'a mode means nothing to HTTP');
  t.equal(listeners[2]?.stream, 'orders', 'the only stream is the default of every listener');
});

t.test('a stream ARN gives region and name', async (t) => {
  const arn = 'arn:aws:kinesis:eu-central-1:123456789012:stream/orders-prod';
  const { streams } = loaded(smallest.replace('region = "eu-west-1"', `stream_arn = "${arn}"`), {
    AWS_REGION: 'us-east-1',
  });
  t.match(streams[0], { region: 'eu-central-1', streamName: 'orders-prod', streamArn: arn });
});

t.test('AWS_REGION is the region of streams that name none', async (t) => {
  const text = smallest.replace('region = "eu-west-1"', '');
  t.equal(loaded(text, { AWS_REGION: 'ap-south-1' }).streams[0].region, 'ap-south-1');
  t.match(mistakesOf(text), [/^spillway.toml:2: stream\[0\].region: missing: .* AWS_REGION$/]);
});

t.test('the environment sets over the file', async (t) => {
  const config = loaded(smallest, {
    SPILLWAY_DAEMON_LANES: '2',
    SPILLWAY_STREAM_0_AGGREGATION: 'false',
    SPILLWAY_BREAKER_OPEN_AT: '0.8',
    SPILLWAY_DLQ_FSYNC: 'each',
    SPILLWAY_CONFIG: '/etc/x.toml',
    PATH: '/bin',
  });
  t.equal(config.daemon.lanes, 2);
  t.equal(config.streams[0].aggregation, false);
  t.equal(config.breaker.openAt, 0.8);
  t.equal(config.dlq.fsync, 'each');
});

t.test('the environment alone can be a whole configuration', async (t) => {
  const config = loaded('', {
    SPILLWAY_STREAM_0_NAME: 'orders',
    SPILLWAY_STREAM_0_REGION: 'eu-west-1',
    SPILLWAY_STREAM_1_NAME: 'clicks',
    SPILLWAY_STREAM_1_REGION: 'eu-west-1',
    SPILLWAY_LISTEN_0_KIND: 'http',
    SPILLWAY_LISTEN_0_ADDRESS: '127.0.0.1:7070',
  });
  t.strictSame(
    config.streams.map(({ name }) => name),
    ['orders', 'clicks'],
  );
});

t.test('tables that the environment begins stand in the order of their numbers, past nine too', async (t) => {
  const names = Array.from({ length: 12 }, (_, index) => `stream-${index}`);
  const environment = Object.fromEntries(names.map((name, index) => [`SPILLWAY_STREAM_${index}_NAME`, name]));
  const listener = '[[listen]]\nkind = "http"\naddress = "127.0.0.1:0"';
  const { streams } = loaded(listener, { ...environment, AWS_REGION: 'eu-west-1' });
  t.strictSame(
    streams.map(({ name }) => name),
    names,
  );
});

t.test('lanes = 0 becomes the choice for this machine, never zero', async (t) => {
  const chosen = [1, 2, 4, 64].map((cores) => loaded(smallest, {}, cores).daemon.lanes);
  t.strictSame(chosen, [1, 1, 2, 2], 'more lanes need a larger memory_budget');
});

t.test('the built-in configuration listens on a socket in its state directory and on a free port', async (t) => {
  const environment = { SPILLWAY_STREAM_0_LINGER: '5ms' };
  const config = requireConfig(embeddedConfig('/tmp/spillway-x', { environment, cores: 2 }));
  t.equal(config.streams[0].name, 'orders');
  t.equal(config.streams[0].lingerMs, 5, 'the environment holds here too');
  t.match(config.listeners, [
    { kind: 'unix', path: '/tmp/spillway-x/spillway.sock' },
    { kind: 'http', address: { host: '127.0.0.1', port: 0 } },
  ]);
  t.equal(config.daemon.stateDir, '/tmp/spillway-x');
});

t.test('every stream can be sent to another endpoint', async (t) => {
  const config = withEndpoint(loaded(smallest), 'https://127.0.0.1:4567', '/tmp/ca.pem');
  t.match(config.streams, [{ name: 'orders', endpoint: 'https://127.0.0.1:4567', caFile: '/tmp/ca.pem' }]);
});

t.test('a configuration with mistakes throws them all as one error', async (t) => {
  t.throws(() => requireConfig(load('[daemon]\nlanes = -1\nlnaes = 2')), {
    code: 'config',
    message: /^4 mistakes in the configuration\n  spillway.toml:3: .*\n  spillway.toml:2: .*\n/,
    fields: { mistakes: 4 },
  });
});

t.test('fsync is an interval, a number of bytes, or a word; when_full and max_age are policies', async (t) => {
  const read = (lines: string): unknown => loaded(`${smallest}[dlq]\n${lines}`).dlq;
  t.match(read('fsync = "50ms"'), { fsync: { intervalMs: 50 } });
  t.match(read('fsync = "8MiB"'), { fsync: { bytes: 8 * 1024 ** 2 } });
  t.match(read('fsync = "none"'), { fsync: 'none' });
  t.match(read('max_age = "48h"\nwhen_full = "drop-oldest"'), { maxAgeMs: 48 * 3_600_000, whenFull: 'drop-oldest' });
  t.notOk('maxAgeMs' in loaded(smallest).dlq, 'nothing ages unless somebody says so');
  const mistakes = (line: string): string[] => mistakesOf(`${smallest}[dlq]\n${line}`);
  t.match(mistakes('fsync = "1KiB"'), [/dlq.fsync = "1KiB": too small: at least 64KiB/]);
  t.match(mistakes('fsync = "2h"'), [/too large: at most 1m/]);
  t.match(mistakes('fsync = "often"'), [/must be "each", "none", "250ms"/]);
  t.match(mistakes('fsync = 8388608'), [/must be "each", "none"/]);
  t.match(mistakes('when_full = "drop_oldest"'), [/did you mean "drop-oldest"/]);
});
