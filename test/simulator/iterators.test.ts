import {
  CreateStreamCommand,
  GetRecordsCommand,
  type GetRecordsCommandOutput,
  GetShardIteratorCommand,
  type GetShardIteratorCommandInput,
  ListShardsCommand,
  PutRecordCommand,
  PutRecordsCommand,
} from '@aws-sdk/client-kinesis';
import t from 'tap';
import { clientFor, dataOf, failureOf, simulatorFor } from './peers.ts';
import { ask } from './raw.ts';

const StreamName = 'orders';
const ShardId = 'shardId-000000000000';

/** One for all tests of this file: each has a stream of its own, or reads `orders`. */
const simulator = await simulatorFor(t);
const client = clientFor(t, simulator);
const { url } = simulator;
let streams = 0;

/** A stream of one shard that holds the records `r0`, `r1`, ..., and their sequence numbers. */
async function filled(count: number): Promise<{ StreamName: string; numbers: string[] }> {
  const made = `s${++streams}`;
  await client.send(new CreateStreamCommand({ StreamName: made, ShardCount: 1 }));
  const Records = Array.from({ length: count }, (_, i) => ({ PartitionKey: 'k', Data: Buffer.from(`r${i}`) }));
  const put = await client.send(new PutRecordsCommand({ StreamName: made, Records }));
  return { StreamName: made, numbers: (put.Records ?? []).map(({ SequenceNumber = '' }) => SequenceNumber) };
}

async function read(
  position: Omit<GetShardIteratorCommandInput, 'ShardId'>,
  Limit?: number,
): Promise<GetRecordsCommandOutput> {
  const { ShardIterator } = await client.send(new GetShardIteratorCommand({ ShardId, ...position }));
  return client.send(new GetRecordsCommand({ ShardIterator, Limit }));
}

t.test('sequence numbers grow, and an iterator begins at, or behind, the one that it names', async (t) => {
  const { StreamName: own, numbers } = await filled(4);
  t.strictSame([...numbers].sort(), numbers);
  t.equal(new Set(numbers).size, 4);
  const StartingSequenceNumber = numbers[2];
  t.strictSame(
    dataOf(await read({ StreamName: own, ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber })),
    ['r2', 'r3'],
  );
  t.strictSame(
    dataOf(await read({ StreamName: own, ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber })),
    ['r3'],
  );
});

t.test('the number from which ListShards says that a shard begins is a place to begin', async (t) => {
  const { StreamName: own } = await filled(2);
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: own }));
  const StartingSequenceNumber = Shards[0]?.SequenceNumberRange?.StartingSequenceNumber;
  t.equal(
    dataOf(await read({ StreamName: own, ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber })).length,
    2,
  );
});

t.test('LATEST gives only what comes later', async (t) => {
  const { StreamName: own } = await filled(3);
  const latest = { StreamName: own, ShardId, ShardIteratorType: 'LATEST' as const };
  const { ShardIterator } = await client.send(new GetShardIteratorCommand(latest));
  const empty = await client.send(new GetRecordsCommand({ ShardIterator }));
  t.match(empty, { Records: [], MillisBehindLatest: 0, NextShardIterator: /./ });
  await client.send(new PutRecordCommand({ StreamName: own, PartitionKey: 'k', Data: Buffer.from('later') }));
  t.strictSame(dataOf(await client.send(new GetRecordsCommand({ ShardIterator: empty.NextShardIterator }))), ['later']);
});

t.test('AT_TIMESTAMP gives what arrived then or later', async (t) => {
  const { StreamName: own } = await filled(1);
  const arrived = (await read({ StreamName: own, ShardIteratorType: 'TRIM_HORIZON' })).Records?.[0]
    ?.ApproximateArrivalTimestamp;
  const ShardIteratorType = 'AT_TIMESTAMP';
  t.strictSame(dataOf(await read({ StreamName: own, ShardIteratorType, Timestamp: arrived })), ['r0']);
  const deadline = performance.now() + 10_000;
  while (Date.now() <= Number(arrived) && performance.now() < deadline) await new Promise(setImmediate);
  await client.send(new PutRecordCommand({ StreamName: own, PartitionKey: 'k', Data: Buffer.from('later') }));
  const behind = new Date(Number(arrived) + 1);
  t.strictSame(dataOf(await read({ StreamName: own, ShardIteratorType, Timestamp: behind })), ['later']);
});

t.test('an iterator in pages gives every record once, in order, and tells how far behind it is', async (t) => {
  const { StreamName: own } = await filled(10);
  let page = await read({ StreamName: own, ShardIteratorType: 'TRIM_HORIZON' }, 3);
  const seen = dataOf(page);
  t.equal(seen.length, 3);
  t.type(page.MillisBehindLatest, 'number');
  while (page.NextShardIterator !== undefined && (page.Records?.length ?? 0) > 0) {
    page = await client.send(new GetRecordsCommand({ ShardIterator: page.NextShardIterator, Limit: 3 }));
    seen.push(...dataOf(page));
  }
  t.strictSame(
    seen,
    Array.from({ length: 10 }, (_, i) => `r${i}`),
  );
});

t.test('one answer of GetRecords holds 10 MiB at most', async (t) => {
  const { StreamName: own } = await filled(1);
  for (let i = 0; i < 11; i++) {
    const Data = Buffer.alloc(1024 ** 2 - 1);
    await client.send(new PutRecordCommand({ StreamName: own, PartitionKey: 'k', Data }));
  }
  const page = await read({ StreamName: own, ShardIteratorType: 'TRIM_HORIZON' });
  t.equal(page.Records?.length, 11);
  const rest = await client.send(new GetRecordsCommand({ ShardIterator: page.NextShardIterator }));
  t.equal(rest.Records?.length, 1);
});

t.test('an iterator older than five minutes has expired', async (t) => {
  const made = { stream: StreamName, shard: ShardId, counter: 0, madeMs: Date.UTC(2026, 0, 2, 3, 4, 5) };
  const ShardIterator = Buffer.from(JSON.stringify(made)).toString('base64');
  const { body } = await ask(url, { operation: 'GetRecords', body: { ShardIterator } });
  t.match(body, {
    __type: 'ExpiredIteratorException',
    message: /^Iterator expired. The iterator was created at time Fri Jan 02 03:04:05 UTC 2026 while right now it is /,
  });
});

t.test('an iterator that was altered is refused', async (t) => {
  for (const made of [{ stream: StreamName }, { stream: StreamName, shard: 5, counter: 0, madeMs: 1 }, [], null]) {
    const ShardIterator = Buffer.from(JSON.stringify(made)).toString('base64');
    const { body } = await ask(url, { operation: 'GetRecords', body: { ShardIterator } });
    t.match(body, { __type: 'InvalidArgumentException', message: 'Invalid ShardIterator.' });
  }
});

t.test('ListShards goes on by its token alone, and lists every shard once', async (t) => {
  await client.send(new CreateStreamCommand({ StreamName: 'wide', ShardCount: 25 }));
  const ids: (string | undefined)[] = [];
  let page = await client.send(new ListShardsCommand({ StreamName: 'wide', MaxResults: 10 }));
  ids.push(...(page.Shards ?? []).map((shard) => shard.ShardId));
  t.equal(ids.length, 10);
  while (page.NextToken !== undefined) {
    page = await client.send(new ListShardsCommand({ NextToken: page.NextToken, MaxResults: 10 }));
    ids.push(...(page.Shards ?? []).map((shard) => shard.ShardId));
  }
  t.strictSame(
    ids,
    Array.from({ length: 25 }, (_, i) => `shardId-${String(i).padStart(12, '0')}`),
  );
});

t.test('a token beside anything that names a stream or a place is refused', async (t) => {
  const { NextToken } = await client.send(new ListShardsCommand({ StreamName, MaxResults: 1 }));
  const companions = {
    StreamName,
    StreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/orders',
    ExclusiveStartShardId: ShardId,
    ShardFilter: { Type: 'AT_LATEST' as const },
    StreamCreationTimestamp: new Date(),
  };
  for (const [member, value] of Object.entries(companions)) {
    const failure = await failureOf(client.send(new ListShardsCommand({ NextToken, [member]: value })));
    t.match(failure, {
      name: 'InvalidArgumentException',
      message: `NextToken and ${member} cannot be provided together.`,
    });
  }
});

t.test('a token older than 300 seconds has expired', async (t) => {
  const page = { stream: StreamName, afterShardId: ShardId, madeMs: Date.now() - 301_000 };
  const NextToken = Buffer.from(JSON.stringify(page)).toString('base64');
  const { body } = await ask(url, { operation: 'ListShards', body: { NextToken } });
  t.match(body, { __type: 'ExpiredNextTokenException' });
});

t.test('a token outlives its stream only as a failure', async (t) => {
  const page = { stream: 'gone', afterShardId: ShardId, madeMs: Date.now() };
  const NextToken = Buffer.from(JSON.stringify(page)).toString('base64');
  t.equal((await failureOf(client.send(new ListShardsCommand({ NextToken })))).name, 'ResourceNotFoundException');
});
