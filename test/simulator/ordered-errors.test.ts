import { ListShardsCommand, PutRecordCommand, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import t from 'tap';
import { clientFor, failureOf, simulatorFor } from './peers.ts';
import { ask } from './raw.ts';

const StreamName = 'orders';
const simulator = await simulatorFor(t);
const client = clientFor(t, simulator);
t.beforeEach(async () => {
  await simulator.faults({});
  await simulator.reset();
});

const Records = Array.from({ length: 100 }, () => ({ PartitionKey: 'k', Data: Buffer.from('x') }));
const put = () => client.send(new PutRecordsCommand({ StreamName, Records }));
const list = () => client.send(new ListShardsCommand({ StreamName }));
const fired = async (name: string): Promise<number> => (await simulator.stats()).faultsFired[name] ?? 0;
const accepted = async (): Promise<number> => (await simulator.stats()).records.accepted;

for (const [errorType, status] of [
  ['KMSDisabledException', 400],
  ['KMSAccessDeniedException', 400],
  ['KMSThrottlingException', 400],
  ['KMSNotFoundException', 400],
  ['KMSOptInRequired', 400],
  ['KMSInvalidStateException', 400],
  ['AccessDeniedException', 400],
  ['ExpiredTokenException', 400],
  ['UnrecognizedClientException', 400],
  ['InvalidSignatureException', 400],
  ['RequestExpired', 400],
  ['ProvisionedThroughputExceededException', 400],
  ['LimitExceededException', 400],
  ['ServiceUnavailable', 503],
  ['SlowDown', 503],
  ['InternalFailure', 500],
] as const) {
  t.test(`errorShare: AWS' client is told ${errorType} with status ${status}, and nothing is stored`, async (t) => {
    await simulator.faults({ errorShare: 1, errorType });
    t.match(await failureOf(put()), { name: errorType, $metadata: { httpStatusCode: status } });
    t.equal(await fired('errorShare'), 1);
    t.equal(await accepted(), 0);
    t.equal((await simulator.stats()).errors[errorType], 1);
  });
}

t.test('errorShare strikes as often as ordered, and only what errorOperations names', async (t) => {
  const order = { errorShare: 0.4, errorOperations: ['PutRecords'], errorMessage: 'not today', seed: 9 };
  await simulator.faults(order);
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, put));
  const failed = outcomes.filter(({ status }) => status === 'rejected');
  t.ok(failed.length > 20 && failed.length < 60, `${failed.length} of 100`);
  for (const { reason } of failed as PromiseRejectedResult[]) t.equal(reason.message, 'not today');
  t.equal(await fired('errorShare'), failed.length);
  await simulator.faults({ ...order, errorShare: 1 });
  await list();
});

t.test('denyOperations: AccessDeniedException names the action, other operations go on', async (t) => {
  await simulator.faults({ denyOperations: ['ListShards', 'PutRecord'] });
  const denied = await failureOf(list());
  t.match(denied, { name: 'AccessDeniedException', message: /not authorized to perform: kinesis:ListShards on / });
  const one = new PutRecordCommand({ StreamName, PartitionKey: 'k', Data: Buffer.from('x') });
  t.match((await failureOf(client.send(one))).message, /kinesis:PutRecord on/);
  await put();
  t.equal(await fired('denyOperations'), 2);
});

t.test('failedRecordType: single records fail with the code ordered', async (t) => {
  for (const failedRecordType of ['ProvisionedThroughputExceededException', 'KMSThrottlingException'] as const) {
    await simulator.reset();
    await simulator.faults({ shareFailedRecords: 0.5, failedRecordType });
    const answer = await put();
    const failed = (answer.Records ?? []).filter(({ ErrorCode }) => ErrorCode !== undefined);
    t.ok(failed.length > 20 && failed.length < 80, `${failed.length} of 100`);
    t.ok(failed.every(({ ErrorCode, ErrorMessage }) => ErrorCode === failedRecordType && ErrorMessage));
    t.equal(await fired('shareFailedRecords'), failed.length);
  }
});

for (const [direction, clockOffsetMs, message] of [
  [
    'behind',
    20 * 60_000,
    /^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)$/,
  ],
  ['ahead', -20 * 60_000, /^Signature not yet current: \S+ is still later than \S+ \(\S+ \+ 5 min\.\)$/],
] as const) {
  t.test(`clockOffsetMs: a client whose clock is ${direction} is refused, and learns the time from that`, async (t) => {
    const skewed = clientFor(t, simulator);
    const send = () => skewed.send(new PutRecordsCommand({ StreamName, Records }));
    await simulator.faults({ clockOffsetMs });
    t.match(await failureOf(send()), { name: 'InvalidSignatureException', message });
    t.equal(await fired('clockOffsetMs'), 1);
    t.equal((await send()).FailedRecordCount, 0, 'the second request is signed with the right time');
    t.equal(await fired('clockOffsetMs'), 1);
    const { headers } = await ask(simulator.url, { operation: 'ListShards', body: { StreamName } });
    const tellsMs = Date.parse(headers.date ?? '') - Date.now();
    t.ok(Math.abs(tellsMs - clockOffsetMs) < 10_000, `the date header is ${tellsMs} ms ahead`);
  });
}

t.test('clockOffsetMs: clocks less than five minutes apart are close enough', async (t) => {
  for (const clockOffsetMs of [240_000, -240_000]) {
    await simulator.faults({ clockOffsetMs });
    await clientFor(t, simulator).send(new PutRecordsCommand({ StreamName, Records }));
  }
  t.equal(await fired('clockOffsetMs'), 0);
});
