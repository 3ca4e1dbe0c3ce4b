import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startSimulator } from '../../src/simulator/process.ts';
import { answered, keys, ordinary, simulated } from './live-check.ts';
import { spillway } from './spillway.ts';

t.test('where all is well, it says what it saw and ends with 0', async (t) => {
  const { code, findings, wrong, asked, accepted } = await simulated(t, {});
  t.strictSame(wrong, []);
  t.equal(code, 0);
  t.match(findings, [
    { check: 'credentials', seen: 'from the environment, key AKIA...MPLE' },
    { check: 'describe', seen: 'ACTIVE, PROVISIONED, 4 open shards, not encrypted' },
    { check: 'distribution' },
    { check: 'record_size', seen: 'records of up to 1MiB' },
    { check: 'shards', seen: '4 open, covering all hash keys' },
    { check: 'write' },
    { check: 'clock' },
    { check: 'latency', seen: /^\d+\.\d ms/ },
  ]);
  t.match(asked, { PutRecords: 5 });
  t.equal(accepted, 0, 'nothing was written');
});

t.test('a stream that is not there', async (t) => {
  const { code, wrong, stderr } = await simulated(t, {}, { name: 'others' });
  t.match(wrong, [{ result: 'error', cause: 'stream_missing', cure: /stream_name, region.*create-stream .*orders$/ }]);
  t.equal(wrong.length, 1, 'told once');
  t.equal(code, 1);
  t.match(stderr, 'events of orders would not be delivered');
});

t.test('a stream that takes smaller records than the configuration is a warning', async (t) => {
  const { code, wrong } = await simulated(t, {}, {}, 'record_bytes_max = "2000KiB"');
  t.match(wrong, [{ check: 'record_size', result: 'warning', cure: /record_bytes_max = "1MiB", or .*-ki-b 2000$/ }]);
  t.equal(code, 0);
});

t.test('each of the three permissions, when it is missing, by its name', async (t) => {
  const describe = await simulated(t, { denyOperations: ['DescribeStreamSummary'] });
  t.match(describe.wrong, [
    {
      check: 'describe',
      result: 'warning',
      seen: /nothing is aggregated/,
      cure: /kinesis:DescribeStreamSummary on orders/,
    },
  ]);
  const shards = await simulated(t, { denyOperations: ['ListShards'] });
  t.match(shards.wrong, [
    { check: 'shards', result: 'warning', seen: /nothing is aggregated/, cure: /kinesis:ListShards on arn:aws/ },
  ]);
  const write = await simulated(t, { denyOperations: ['PutRecords'] });
  t.match(write.wrong, [
    { check: 'write', result: 'error', cause: 'access_denied', cure: /kinesis:PutRecords on arn/ },
  ]);
  t.strictSame([describe.code, shards.code, write.code], [0, 0, 1]);
});

t.test('the key that encrypts a stream is named', async (t) => {
  const { findings } = await answered(t, ordinary, { summary: { EncryptionType: 'KMS', KeyId: 'alias/orders' } });
  t.match(findings[1], { result: 'ok', seen: /encrypted with KMS key alias\/orders/ });
});

t.test('a stream that is being deleted', async (t) => {
  const { code, wrong } = await answered(t, ordinary, { summary: { StreamStatus: 'DELETING' } });
  t.match(wrong, [{ check: 'describe', result: 'error', cause: 'stream_busy', seen: /^DELETING/, cure: /ACTIVE/ }]);
  t.equal(code, 1);
});

t.test('a stream that distributes records by itself is not for aggregates', async (t) => {
  const auto = { mode: 'ON_DEMAND', distribution: 'AUTO' } as const;
  const { code, wrong } = await simulated(t, {}, auto);
  t.match(wrong, [
    { check: 'distribution', result: 'warning', cause: 'distribution_auto', cure: /aggregation = false/ },
  ]);
  t.equal(code, 0);
  const without = await simulated(t, {}, auto, 'aggregation = false');
  t.strictSame(without.wrong, []);
  const ordered = await simulated(t, {}, auto, 'ordering = "key"');
  t.match(ordered.wrong, [{ check: 'distribution', result: 'error', seen: /ordering = "key" cannot hold/ }]);
  t.equal(ordered.code, 1);
});

t.test('shards that do not cover all hash keys keep aggregates from being made', async (t) => {
  const { wrong } = await answered(t, (operation) =>
    operation === 'ListShards' ? { body: '{"Shards":[]}' } : undefined,
  );
  t.match(wrong, [{ check: 'shards', result: 'warning', cause: 'shards_gap', seen: /nothing is aggregated/ }]);
});

t.test('a KMS key that is disabled, denied or throttled', async (t) => {
  const cases: readonly (readonly [string, string, number, RegExp])[] = [
    ['KMSDisabledException', 'kms_disabled', 1, /enable-key/],
    ['KMSAccessDeniedException', 'kms_denied', 1, /kms:GenerateDataKey/],
    ['KMSThrottlingException', 'kms_throttled', 0, /quota/],
  ];
  for (const [type, cause, exit, cure] of cases) {
    const { code, wrong } = await simulated(t, { errorShare: 1, errorType: type, errorOperations: ['PutRecords'] });
    t.match(wrong, [{ check: 'write', cause, cure }]);
    t.equal(code, exit, type);
  }
});

t.test('for people: a block per stream, a line per finding, the cure below it', async (t) => {
  const simulator = await startSimulator({ streams: [{ name: 'orders', shards: 2 }] });
  t.teardown(() => simulator.stop());
  const file = join(t.testdir(), 'spillway.toml');
  const stream = (name: string): string =>
    `[[stream]]\nname = "${name}"\nregion = "us-east-1"\nendpoint = "${simulator.url}"\n`;
  writeFileSync(file, `${stream('orders')}${stream('clicks')}[[listen]]\nkind = "http"\naddress = "127.0.0.1:0"\n`);
  const live = ['check', '--live', '--config', file];
  const { code, stdout, stderr } = await spillway(live, keys);
  t.equal(code, 1);
  t.match(stdout, /^stream orders -> orders in us-east-1 at http.*\n {2}ok {7}credentials {3}from the environment/);
  t.match(stdout, /\n\nstream clicks -> clicks in [^]*\n {2}error {4}describe.*\n {25}cure: correct stream_name/);
  t.equal(stderr, 'spillway: events of clicks would not be delivered: see the errors above\n');
  await simulator.faults({ hang: true });
  const hung = await spillway([...live, '--timeout', '400ms'], keys);
  t.match(hung, { code: 1, stdout: /does not answer in time \(live_timeout: no answer within 400 ms\)/ });
  t.match(await spillway([...live, '--timeout', '5'], keys), { code: 2, stderr: /write "5ms"/ });
  writeFileSync(file, 'x = 1');
  t.match(await spillway(live, keys), { code: 78, stdout: '' });
});
