import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListShardsCommand,
  ListStreamsCommand,
  PutRecordCommand,
  PutRecordsCommand,
  UpdateMaxRecordSizeCommand,
} from '@aws-sdk/client-kinesis';
import t from 'tap';
import { type ClientKind, clientFor, dataOf, failureOf, simulatorFor } from './peers.ts';

const StreamName = 'orders';
/** For tests that need no other; each forgets what it has put there. */
const shared = await simulatorFor(t);
t.beforeEach(() => shared.reset());

const entry = (PartitionKey: string, text: string) => ({ PartitionKey, Data: Buffer.from(text) });

for (const kind of ['default', 'http1', 'http2'] satisfies ClientKind[]) {
  for (const tls of [false, true]) {
    // The default client has no place for the certificate to trust.
    if (kind === 'default' && tls) continue;
    t.test(`AWS' client (${kind}${tls ? ', TLS' : ''}) writes records and reads them back`, async (t) => {
      const client = clientFor(t, tls ? await simulatorFor(t, { tls }) : shared, kind);
      const one = await client.send(new PutRecordCommand({ StreamName, ...entry('abc', 'one') }));
      t.equal(one.ShardId, 'shardId-000000000001');
      const Records = [entry('abc', 'two'), entry('a', 'three'), entry('abc', 'four')];
      const many = await client.send(new PutRecordsCommand({ StreamName, Records }));
      t.equal(many.FailedRecordCount, 0);
      t.strictSame(
        many.Records?.map(({ ShardId }) => ShardId?.slice(-1)),
        ['1', '0', '1'],
      );
      const position = { StreamName, ShardId: 'shardId-000000000001', ShardIteratorType: 'TRIM_HORIZON' as const };
      const { ShardIterator } = await client.send(new GetShardIteratorCommand(position));
      const read = await client.send(new GetRecordsCommand({ ShardIterator }));
      t.strictSame(dataOf(read), ['one', 'two', 'four']);
      t.equal(read.Records?.[0]?.SequenceNumber, one.SequenceNumber);
      t.ok(Math.abs(Number(read.Records?.[0]?.ApproximateArrivalTimestamp) - Date.now()) < 60_000);
    });
  }
}

t.test('streams are made, listed, described and deleted', async (t) => {
  const client = clientFor(t, shared);
  await client.send(new CreateStreamCommand({ StreamName: 'late', ShardCount: 2, MaxRecordSizeInKiB: 2_048 }));
  await client.send(new CreateStreamCommand({ StreamName: 'elastic', StreamModeDetails: { StreamMode: 'ON_DEMAND' } }));
  const listed = await client.send(new ListStreamsCommand({ Limit: 2 }));
  t.match(listed, { StreamNames: ['elastic', 'late'], HasMoreStreams: true });
  const rest = await client.send(new ListStreamsCommand({ NextToken: listed.NextToken }));
  t.match(rest, { StreamNames: ['orders'], HasMoreStreams: false });
  const describe = async (name: string) =>
    (await client.send(new DescribeStreamSummaryCommand({ StreamName: name }))).StreamDescriptionSummary;
  t.match(await describe('late'), {
    StreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/late',
    StreamStatus: 'ACTIVE',
    StreamModeDetails: { StreamMode: 'PROVISIONED' },
    OpenShardCount: 2,
    MaxRecordSizeInKiB: 2_048,
    RecordDistributionStrategy: 'USER_PARTITION_KEY',
  });
  t.match(await describe('elastic'), { StreamModeDetails: { StreamMode: 'ON_DEMAND' }, OpenShardCount: 4 });
  await client.send(new DeleteStreamCommand({ StreamName: 'late' }));
  t.equal((await failureOf(describe('late'))).name, 'ResourceNotFoundException');
});

t.test('a stream that would ignore partition keys is refused, not made into another', async (t) => {
  const client = clientFor(t, shared);
  const auto = { StreamName: 'auto', ShardCount: 1, RecordDistributionStrategy: 'AUTO' as const };
  t.equal((await failureOf(client.send(new CreateStreamCommand(auto)))).name, 'InvalidArgumentException');
});

t.test('a stream can be named by its ARN in every operation', async (t) => {
  const client = clientFor(t, shared);
  const StreamARN = 'arn:aws:kinesis:eu-west-1:123456789012:stream/orders';
  await client.send(new PutRecordCommand({ StreamARN, ...entry('a', 'x') }));
  await client.send(new PutRecordsCommand({ StreamARN, Records: [entry('a', 'y')] }));
  t.equal((await client.send(new ListShardsCommand({ StreamARN }))).Shards?.length, 3);
  const position = { StreamARN, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' as const };
  const { ShardIterator } = await client.send(new GetShardIteratorCommand(position));
  t.strictSame(dataOf(await client.send(new GetRecordsCommand({ ShardIterator, StreamARN }))), ['x', 'y']);
  const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamARN }));
  t.equal(StreamDescriptionSummary?.StreamName, 'orders');
});

t.test('UpdateMaxRecordSize lets larger records in', async (t) => {
  const client = clientFor(t, shared);
  const large = new PutRecordCommand({ StreamName, PartitionKey: 'a', Data: Buffer.alloc(1024 ** 2) });
  t.equal((await failureOf(client.send(large))).name, 'InvalidArgumentException');
  const StreamARN = 'arn:aws:kinesis:us-east-1:000000000000:stream/orders';
  await client.send(new UpdateMaxRecordSizeCommand({ StreamARN, MaxRecordSizeInKiB: 1_025 }));
  t.match(await client.send(large), { ShardId: 'shardId-000000000000' });
});

t.test('DryRun judges a request as ever, says so, and stores nothing', async (t) => {
  const client = clientFor(t, shared);
  const DryRun = true;
  const tried = async (promise: Promise<unknown>): Promise<string> => (await failureOf(promise)).name;
  const done = 'DryRunOperationException';
  t.equal(await tried(client.send(new PutRecordCommand({ StreamName, ...entry('a', 'x'), DryRun }))), done);
  const many = { StreamName, Records: [entry('a', 'x')], DryRun };
  t.equal(await tried(client.send(new PutRecordsCommand(many))), done);
  const position = { StreamName, ShardId: 'shardId-000000000000', ShardIteratorType: 'LATEST' as const };
  t.equal(await tried(client.send(new GetShardIteratorCommand({ ...position, DryRun }))), done);
  const { ShardIterator } = await client.send(new GetShardIteratorCommand(position));
  t.equal(await tried(client.send(new GetRecordsCommand({ ShardIterator, DryRun }))), done);
  const nowhere = { StreamName: 'nope', ...entry('a', 'x'), DryRun };
  t.equal(await tried(client.send(new PutRecordCommand(nowhere))), 'ResourceNotFoundException');
  t.match(await shared.stats(), { records: { accepted: 0, failed: 0 } });
});

t.test('every client error of the API reaches the program as that error', async (t) => {
  const client = clientFor(t, shared);
  const failure = await failureOf(client.send(new ListShardsCommand({ StreamName: 'nope' })));
  t.match(failure, {
    name: 'ResourceNotFoundException',
    message: 'Stream nope under account 000000000000 not found.',
    $metadata: { httpStatusCode: 400, requestId: /^[0-9a-f-]{36}$/ },
  });
});

t.test('with autoCreate, a stream is there as soon as it is named', async (t) => {
  const client = clientFor(t, await simulatorFor(t, { streams: [], autoCreate: true }));
  t.match(await client.send(new PutRecordCommand({ StreamName, ...entry('a', 'x') })), {
    ShardId: 'shardId-000000000000',
  });
  t.equal((await client.send(new ListShardsCommand({ StreamName: 'other' }))).Shards?.length, 1);
});
