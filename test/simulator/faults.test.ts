import { connect } from 'node:net';
import { ListShardsCommand, PutRecordCommand, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import t from 'tap';
import { noFaults } from '../../src/simulator/faults.ts';
import { clientFor, failureOf, simulatorFor } from './peers.ts';

const StreamName = 'orders';
const simulator = await simulatorFor(t, { streams: [{ name: StreamName, shards: 2 }] });
const http1 = clientFor(t, simulator);
t.beforeEach(async () => {
  await simulator.faults({});
  await simulator.reset();
});

const entry = (PartitionKey = 'a', bytes = 10) => ({ PartitionKey, Data: Buffer.alloc(bytes) });
const put = (count = 1, client = http1) =>
  client.send(new PutRecordsCommand({ StreamName, Records: Array.from({ length: count }, () => entry()) }));
const fired = async (name: string): Promise<number> => (await simulator.stats()).faultsFired[name] ?? 0;
const accepted = async (): Promise<number> => (await simulator.stats()).records.accepted;

t.test('POST /_sim/faults answers the whole plan, and {} is none', async (t) => {
  t.strictSame(await simulator.faults({ latencyMs: 5, cutShare: 0.5 }), {
    ...noFaults(),
    latencyMs: 5,
    cutShare: 0.5,
  });
  t.strictSame(await simulator.faults({}), noFaults());
  t.strictSame(await simulator.faults({ reset: true }), noFaults());
});

t.test('all mistakes of an order are named, and nothing of it is done', async (t) => {
  await simulator.faults({ latencyMs: 1 });
  const order = {
    latencyMs: -1,
    share500: 1.1,
    throttle: 1,
    resetStage: 'x',
    shares: 1,
    seed: 0.5,
    errorType: 'no type',
    errorOperations: ['PutRecord', 'Put'],
    hotShards: [0, -1],
    slowShards: 1,
  };
  const failure = await failureOf(simulator.faults(order));
  for (const name of Object.keys(order)) t.match(failure.message, new RegExp(`${name}: `));
  t.match(failure.message, /there are latencyMs, latencyJitterMs/);
  await put();
  t.equal(await fired('latencyMs'), 1, 'the plan from before is still in force');
  t.match((await failureOf(simulator.faults([]))).message, /must be a JSON object/);
});

t.test('latencyMs delays every answer, and latencyJitterMs by up to so much more', async (t) => {
  await simulator.faults({ latencyMs: 120 });
  const before = performance.now();
  await put();
  t.ok(performance.now() - before >= 119, 'not before its time');
  await simulator.faults({ latencyJitterMs: 40 });
  await Promise.all([put(), put(), put()]);
  t.equal(await fired('latencyMs'), 4);
});

t.test('share500: answers of status 500 without effect, as often as ordered', async (t) => {
  await simulator.faults({ share500: 1 });
  const failure = await failureOf(put());
  t.match(failure, { name: 'InternalFailure', $metadata: { httpStatusCode: 500 } });
  t.equal(await accepted(), 0);
  await simulator.reset();
  await simulator.faults({ share500: 0.3, seed: 5 });
  const outcomes = await Promise.allSettled(Array.from({ length: 200 }, () => put()));
  const failed = outcomes.filter(({ status }) => status === 'rejected').length;
  t.ok(failed > 30 && failed < 90, `${failed} of 200`);
  t.equal(await fired('share500'), failed);
  t.equal(await accepted(), 200 - failed);
});

t.test('shareFailedRecords: single records fail with InternalFailure, the others are stored', async (t) => {
  await simulator.faults({ shareFailedRecords: 0.4 });
  const { FailedRecordCount = 0, Records = [] } = await put(500);
  t.ok(FailedRecordCount > 120 && FailedRecordCount < 280, `${FailedRecordCount} of 500`);
  const failed = Records.filter(({ ErrorCode }) => ErrorCode === 'InternalFailure');
  t.equal(failed.length, FailedRecordCount);
  t.ok(failed.every(({ ShardId, SequenceNumber, ErrorMessage }) => !ShardId && !SequenceNumber && ErrorMessage));
  t.match((await simulator.stats()).records, { accepted: 500 - FailedRecordCount, failed: FailedRecordCount });
  await simulator.faults({ shareFailedRecords: 1 });
  const failure = await failureOf(http1.send(new PutRecordCommand({ StreamName, ...entry() })));
  t.match(failure, { name: 'InternalFailure', $metadata: { httpStatusCode: 500 } });
});

t.test('the same seed strikes the same records', async (t) => {
  const struck = async (seed: number): Promise<string> => {
    await simulator.faults({ shareFailedRecords: 0.5, seed });
    return ((await put(64)).Records ?? []).map(({ ErrorCode }) => (ErrorCode === undefined ? '.' : 'x')).join('');
  };
  const first = await struck(7);
  t.equal(await struck(7), first);
  t.not(await struck(8), first);
});

t.test('throttle: a shard takes 1,000 records a second, and says so of the others; other shards go on', async (t) => {
  await simulator.faults({ throttle: true });
  const startMs = performance.now();
  const answers = await Promise.all([put(500), put(500), put(500), put(500)]);
  const elapsedMs = performance.now() - startMs;
  const records = answers.flatMap(({ Records = [] }) => Records);
  const throttled = records.filter(({ ErrorCode }) => ErrorCode === 'ProvisionedThroughputExceededException');
  const taken = records.length - throttled.length;
  t.ok(taken >= 1_000 && taken <= 1_000 + elapsedMs + 1, `${taken} taken in ${elapsedMs} ms`);
  t.match(throttled[0]?.ErrorMessage, /^Rate exceeded for shard shardId-0{12} in stream orders under account 0{12}\.$/);
  t.equal(await fired('throttle'), throttled.length);
  const elsewhere = new PutRecordCommand({ StreamName, ...entry('b') });
  t.match(await http1.send(elsewhere), { ShardId: 'shardId-000000000001' });
});

t.test('throttle: a shard takes 1 MB a second, keys included', async (t) => {
  await simulator.faults({ throttle: true });
  const Records = Array.from({ length: 20 }, () => entry('a', 99_999));
  const startMs = performance.now();
  const { FailedRecordCount = 0 } = await http1.send(new PutRecordsCommand({ StreamName, Records }));
  const refilled = Math.ceil((performance.now() - startMs) / 100);
  t.ok(FailedRecordCount <= 10 && FailedRecordCount >= 10 - refilled, `${FailedRecordCount} of 20 failed`);
});

t.test('throttle: a budget comes back with time, and can be set', async (t) => {
  await simulator.faults({ throttle: true, shardRecordsPerSecond: 20 });
  t.equal((await put(50)).FailedRecordCount, 30);
  const alone = new PutRecordCommand({ StreamName, ...entry() });
  const deadline = performance.now() + 10_000;
  let refusals = 0;
  for (;;) {
    const failure = await http1.send(alone).then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    if (failure === undefined) break;
    t.equal(failure.name, 'ProvisionedThroughputExceededException');
    refusals++;
    if (performance.now() > deadline) throw new Error('the budget did not come back within 10 s');
  }
  t.comment(`${refusals} refusals before the budget was back`);
  await simulator.faults({ throttle: true, shardBytesPerSecond: 1 });
  t.equal((await put(2)).FailedRecordCount, 1, 'a budget may go into debt by one record');
});

t.test('refuse: the port is closed, the admin port stays, and {} opens the port again', async (t) => {
  await put();
  await simulator.faults({ refuse: true });
  const { hostname, port } = new URL(simulator.url);
  const code = await new Promise((resolve) => {
    connect(Number(port), hostname)
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
      .on('connect', () => resolve('connected'));
  });
  t.equal(code, 'ECONNREFUSED');
  t.equal((await simulator.stats()).connections.open, 0, 'connections from before are gone');
  await Promise.all([simulator.faults({}), simulator.faults({ refuse: true }), simulator.faults({})]);
  await put();
  t.equal(await accepted(), 2);
});

for (const [stage, stored] of [
  ['before', 0],
  ['after', 1],
] as const) {
  t.test(`resetShare, ${stage}: the connection ends without an answer, ${stored} records stored`, async (t) => {
    for (const kind of ['http1', 'http2'] as const) {
      await simulator.reset();
      await simulator.faults({ resetShare: 1, resetStage: stage });
      const failure = await failureOf(put(1, clientFor(t, simulator, kind)));
      t.equal(
        (failure.$metadata as { httpStatusCode?: number } | undefined)?.httpStatusCode,
        undefined,
        failure.message,
      );
      t.equal(await fired('resetShare'), 1);
      t.equal(await accepted(), stored);
    }
  });
}

t.test('cutShare: the answer ends in its middle, its record stored', async (t) => {
  for (const kind of ['http1', 'http2'] as const) {
    await simulator.reset();
    await simulator.faults({ cutShare: 1 });
    await failureOf(put(1, clientFor(t, simulator, kind)));
    t.equal(await fired('cutShare'), 1);
    t.equal(await accepted(), 1);
  }
  await simulator.faults({ cutShare: 1 });
  const response = await new Promise<string>((resolve) => {
    const { hostname, port } = new URL(simulator.url);
    let text = '';
    const socket = connect(Number(port), hostname, () => socket.write('GET / HTTP/1.1\r\n\r\n'));
    socket.on('data', (piece) => {
      text += piece.toString();
      if (text.includes('</AccessDeniedException>')) socket.destroy();
    });
    socket.on('close', () => resolve(text));
  });
  t.match(response, /^HTTP\/1.1 403 /, 'what is no request of the API is answered as ever');
});

t.test('hang: requests are read, never answered, and have no effect', async (t) => {
  await simulator.faults({ hang: true });
  const abortSignal = AbortSignal.timeout(300);
  const command = new PutRecordCommand({ StreamName, ...entry() });
  const failure = await failureOf(http1.send(command, { abortSignal }));
  t.match(failure.name, /AbortError|TimeoutError/);
  t.equal(await fired('hang'), 1);
  t.equal(await accepted(), 0);
  await simulator.faults({});
  await put();
});

t.test('faults meet every operation, not only PutRecords', async (t) => {
  await simulator.faults({ share500: 1 });
  t.equal((await failureOf(http1.send(new ListShardsCommand({ StreamName })))).name, 'InternalFailure');
});

t.test('faults can be in force from the start', async (t) => {
  const faulty = await simulatorFor(t, { faults: { share500: 1 } });
  t.equal((await failureOf(put(1, clientFor(t, faulty)))).name, 'InternalFailure');
  const closed = await simulatorFor(t, { faults: { refuse: true } });
  t.match(await failureOf(put(1, clientFor(t, closed))), { code: 'ECONNREFUSED' });
});
