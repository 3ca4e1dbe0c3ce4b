import { createHash } from 'node:crypto';
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListShardsCommand,
  type ListShardsCommandInput,
  MergeShardsCommand,
  PutRecordsCommand,
  type Shard,
  SplitShardCommand,
  UpdateShardCountCommand,
} from '@aws-sdk/client-kinesis';
import t, { type Test } from 'tap';
import { until } from '../daemon/running.ts';
import { aggregateOf } from './aggregates.ts';
import { clientFor, dataOf, failureOf, simulatorFor } from './peers.ts';

const StreamName = 'orders';
const idOf = (index: number): string => `shardId-${String(index).padStart(12, '0')}`;

async function setUp(t: Test, shards = 2, counting = false) {
  const simulator = await simulatorFor(t, { streams: [{ name: StreamName, shards }], counting });
  const client = clientFor(t, simulator);
  const list = async (input: Partial<ListShardsCommandInput> = {}): Promise<Shard[]> =>
    (await client.send(new ListShardsCommand({ StreamName, ...input }))).Shards ?? [];
  const ids = async (input: Partial<ListShardsCommandInput> = {}): Promise<(string | undefined)[]> =>
    (await list(input)).map(({ ShardId }) => ShardId);
  const split = async (ShardToSplit: string): Promise<void> => {
    const { HashKeyRange } = (await list()).find(({ ShardId }) => ShardId === ShardToSplit) as Shard;
    const [low, high] = [BigInt(HashKeyRange?.StartingHashKey ?? 0), BigInt(HashKeyRange?.EndingHashKey ?? 0)];
    const NewStartingHashKey = String((low + high + 1n) / 2n);
    await client.send(new SplitShardCommand({ StreamName, ShardToSplit, NewStartingHashKey }));
  };
  const merge = (ShardToMerge: string, AdjacentShardToMerge: string) =>
    client.send(new MergeShardsCommand({ StreamName, ShardToMerge, AdjacentShardToMerge }));
  return { simulator, client, list, ids, split, merge };
}

const range = (shard: Shard): readonly [bigint, bigint] => [
  BigInt(shard.HashKeyRange?.StartingHashKey ?? -1),
  BigInt(shard.HashKeyRange?.EndingHashKey ?? -1),
];

/** Whether these shards cover every hash key exactly once. */
function partition(shards: readonly Shard[]): boolean {
  const ranges = shards.map(range).sort(([a], [b]) => (a < b ? -1 : 1));
  let next = 0n;
  for (const [low, high] of ranges) {
    if (low !== next || high < low) return false;
    next = high + 1n;
  }
  return next === 2n ** 128n;
}

t.test('a split closes the shard and opens two, a merge closes two and opens one; parents are told', async (t) => {
  const { list, split, merge, ids } = await setUp(t);
  await split(idOf(0));
  await merge(idOf(3), idOf(1));
  const all = await list();
  t.match(all, [
    { ShardId: idOf(0), SequenceNumberRange: { EndingSequenceNumber: /^\d{56}$/ } },
    { ShardId: idOf(1), SequenceNumberRange: { EndingSequenceNumber: /^\d{56}$/ } },
    { ShardId: idOf(2), ParentShardId: idOf(0), AdjacentParentShardId: undefined },
    { ShardId: idOf(3), ParentShardId: idOf(0), SequenceNumberRange: { EndingSequenceNumber: /^\d{56}$/ } },
    { ShardId: idOf(4), ParentShardId: idOf(3), AdjacentParentShardId: idOf(1) },
  ]);
  t.equal(all.length, 5);
  const open = await list({ ShardFilter: { Type: 'AT_LATEST' } });
  t.strictSame(
    open.map(({ ShardId, SequenceNumberRange }) => [ShardId, SequenceNumberRange?.EndingSequenceNumber]),
    [
      [idOf(2), undefined],
      [idOf(4), undefined],
    ],
  );
  t.ok(partition(open));
  const [parent, child] = [all[3], all[4]] as [Shard, Shard];
  const [ending, starting] = [parent.SequenceNumberRange?.EndingSequenceNumber, child.SequenceNumberRange];
  t.ok(BigInt(ending ?? 0) < BigInt(starting?.StartingSequenceNumber ?? 0), 'numbers grow from parent to child');
  t.strictSame(await ids({ ShardFilter: { Type: 'AFTER_SHARD_ID', ShardId: idOf(2) } }), [idOf(3), idOf(4)]);
  t.equal((await ids({ ShardFilter: { Type: 'FROM_TRIM_HORIZON' } })).length, 5);
  t.strictSame(await ids({ ShardFilter: { Type: 'AT_TRIM_HORIZON' } }), [idOf(0), idOf(1)]);
  const Timestamp = new Date(Date.now() + 60_000);
  t.strictSame(await ids({ ShardFilter: { Type: 'AT_TIMESTAMP', Timestamp } }), [idOf(2), idOf(4)]);
  t.strictSame(await ids({ ShardFilter: { Type: 'FROM_TIMESTAMP', Timestamp } }), [idOf(2), idOf(4)]);
});

t.test('pages keep to the filter, and a token goes alone', async (t) => {
  const { client, split } = await setUp(t, 1);
  for (const index of [0, 1, 2, 3]) await split(idOf(index));
  const seen: (string | undefined)[] = [];
  let pages = 0;
  let NextToken: string | undefined;
  do {
    const first = { StreamName, ShardFilter: { Type: 'AT_LATEST' as const } };
    const answer = await client.send(
      new ListShardsCommand({ MaxResults: 2, ...(NextToken === undefined ? first : { NextToken }) }),
    );
    seen.push(...(answer.Shards ?? []).map(({ ShardId }) => ShardId));
    NextToken = answer.NextToken;
    pages++;
  } while (NextToken !== undefined);
  t.strictSame(seen, [4, 5, 6, 7, 8].map(idOf));
  t.equal(pages, 3);
});

for (const counting of [false, true]) {
  t.test(`records go to open shards only${counting ? ' (counting)' : ''}`, async (t) => {
    const { client, list, split, merge } = await setUp(t, 3, counting);
    await split(idOf(1));
    await merge(idOf(0), idOf(3));
    const open = await list({ ShardFilter: { Type: 'AT_LATEST' } });
    const keys = Array.from({ length: 300 }, (_, index) => `key-${index}`);
    const Records = keys.map((PartitionKey) => ({ PartitionKey, Data: Buffer.from('x') }));
    const answer = await client.send(new PutRecordsCommand({ StreamName, Records }));
    const expected = keys.map((key) => {
      const hash = BigInt(`0x${createHash('md5').update(key).digest('hex')}`);
      return open.find((shard) => range(shard)[0] <= hash && hash <= range(shard)[1])?.ShardId;
    });
    t.strictSame(
      answer.Records?.map(({ ShardId }) => ShardId),
      expected,
    );
    t.equal(new Set(expected).size, 3);
  });
}

t.test('a closed shard is read to its end, then names its children', async (t) => {
  const { client, simulator, split } = await setUp(t, 1);
  const put = (text: string) =>
    client.send(new PutRecordsCommand({ StreamName, Records: [{ PartitionKey: 'a', Data: Buffer.from(text) }] }));
  await put('one');
  const iterator = (ShardId: string) =>
    client.send(new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' }));
  const { ShardIterator } = await iterator(idOf(0));
  t.ok((await client.send(new GetRecordsCommand({ ShardIterator }))).NextShardIterator);
  await split(idOf(0));
  await put('two');
  const read = await client.send(new GetRecordsCommand({ ShardIterator }));
  t.strictSame(dataOf(read), ['one']);
  t.equal(read.NextShardIterator, undefined);
  t.match(read.ChildShards, [
    { ShardId: idOf(1), ParentShards: [idOf(0)] },
    { ShardId: idOf(2), ParentShards: [idOf(0)] },
  ]);
  const events: string[] = [];
  for await (const { data } of simulator.events(StreamName)) events.push(Buffer.from(data, 'base64').toString());
  t.strictSame(events, ['one', 'two']);
});

t.test('an aggregate is judged by the shard that took it, before and after a split', async (t) => {
  const { client, simulator, split } = await setUp(t, 1);
  // Two events at both ends of the range: at home in the whole stream, and in no half of it.
  const aggregate = aggregateOf({
    keys: ['k'],
    hashKeys: ['0', String(2n ** 128n - 1n)],
    events: [
      { key: 0, hash: 0, data: 'low' },
      { key: 0, hash: 1, data: 'high' },
    ],
  });
  const Records = [{ PartitionKey: 'low', ExplicitHashKey: '0', Data: aggregate }];
  await client.send(new PutRecordsCommand({ StreamName, Records }));
  await split(idOf(0));
  await client.send(new PutRecordsCommand({ StreamName, Records }));
  const events: string[] = [];
  for await (const { data, shardId } of simulator.events(StreamName)) {
    events.push(`${Buffer.from(data, 'base64').toString()} of ${shardId}`);
  }
  t.strictSame(events, [`low of ${idOf(0)}`, `high of ${idOf(0)}`]);
  t.match((await simulator.stats()).streams[StreamName], { aggregates: 2, droppedAggregates: 1, droppedEvents: 2 });
});

t.test('UpdateShardCount reaches its count, within half and double', async (t) => {
  const { client, list } = await setUp(t, 3);
  const update = (TargetShardCount: number) =>
    client.send(new UpdateShardCountCommand({ StreamName, TargetShardCount, ScalingType: 'UNIFORM_SCALING' }));
  for (const target of [6, 5, 3, 4, 2, 1, 2]) {
    t.match(await update(target), { TargetShardCount: target });
    const open = await list({ ShardFilter: { Type: 'AT_LATEST' } });
    t.equal(open.length, target);
    t.ok(partition(open));
  }
  t.equal((await failureOf(update(5))).name, 'LimitExceededException');
});

t.test('reshardEveryMs: shards come and go at random, 2 to 12 open, never a gap, nothing lost', async (t) => {
  const { client, simulator, list } = await setUp(t, 1);
  await simulator.faults({ reshardEveryMs: 2, seed: 3 });
  let sent = 0;
  const reshardings = async (): Promise<number> => {
    const Records = Array.from({ length: 20 }, () => ({ PartitionKey: `k${sent++}`, Data: Buffer.from('x') }));
    t.equal((await client.send(new PutRecordsCommand({ StreamName, Records }))).FailedRecordCount, 0);
    const open = await list({ ShardFilter: { Type: 'AT_LATEST' } });
    if (!partition(open) || open.length > 12) t.fail(`${open.length} open shards leave gaps or are too many`);
    return (await simulator.stats()).faultsFired['reshardEveryMs'] ?? 0;
  };
  await until(reshardings, (count) => count >= 60);
  await simulator.faults({});
  const { streams, faultsFired } = await simulator.stats();
  const { splits = 0, merges = 0, shards = [] } = streams[StreamName] ?? {};
  t.ok(splits > 5 && merges > 5, `${splits} splits, ${merges} merges`);
  t.equal(faultsFired['reshardEveryMs'], splits + merges);
  t.equal(shards.length, 1 + 2 * splits + merges);
  t.equal(shards.filter(({ open }) => open).length, 1 + splits - merges);
  let events = 0;
  for await (const _ of simulator.events(StreamName)) events++;
  t.equal(events, sent);
});

t.test('a stream that was deleted and made again begins anew, and the readers of the old do not see it', async (t) => {
  const { client, split, ids } = await setUp(t, 2);
  const put = () =>
    client.send(new PutRecordsCommand({ StreamName, Records: [{ PartitionKey: 'a', Data: Buffer.from('x') }] }));
  await split(idOf(1));
  const before = await put();
  const position = { StreamName, ShardId: idOf(0), ShardIteratorType: 'TRIM_HORIZON' as const };
  const { ShardIterator } = await client.send(new GetShardIteratorCommand(position));
  const { NextToken } = await client.send(new ListShardsCommand({ StreamName, MaxResults: 1 }));
  await client.send(new DeleteStreamCommand({ StreamName }));
  t.equal((await failureOf(put())).name, 'ResourceNotFoundException');
  await client.send(new CreateStreamCommand({ StreamName, ShardCount: 3 }));
  t.strictSame(await ids(), [0, 1, 2].map(idOf));
  const after = await put();
  const [old, young] = [before, after].map(({ Records }) => BigInt(Records?.[0]?.SequenceNumber ?? 0));
  t.ok((young ?? 0n) > (old ?? 0n), 'no sequence number comes twice');
  t.equal((await failureOf(client.send(new GetRecordsCommand({ ShardIterator })))).name, 'ResourceNotFoundException');
  t.equal((await failureOf(client.send(new ListShardsCommand({ NextToken })))).name, 'InvalidArgumentException');
});
