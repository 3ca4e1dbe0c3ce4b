import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  PutRecordCommand,
  PutRecordsCommand,
  UpdateStreamRecordDistributionStrategyCommand,
} from '@aws-sdk/client-kinesis';
import t, { type Test } from 'tap';
import { aggregateOf } from './aggregates.ts';
import { clientFor, failureOf, simulatorFor } from './peers.ts';

const StreamName = 'elastic';
const StreamARN = `arn:aws:kinesis:us-east-1:000000000000:stream/${StreamName}`;

async function setUp(t: Test, distribution?: 'AUTO', counting = false) {
  const stream = { name: StreamName, shards: 4, mode: 'ON_DEMAND' as const };
  const streams = [distribution === undefined ? stream : { ...stream, distribution }];
  const simulator = await simulatorFor(t, { streams, counting });
  const client = clientFor(t, simulator);
  /** The shards that records with one key and the hash key 0 go to. */
  const shardsOf = async (count: number, data: Buffer = Buffer.from('x')): Promise<(string | undefined)[]> => {
    const Records = Array.from({ length: count }, () => ({ PartitionKey: 'k', ExplicitHashKey: '0', Data: data }));
    const answer = await client.send(new PutRecordsCommand({ StreamName, Records }));
    return (answer.Records ?? []).map(({ ShardId }) => ShardId);
  };
  const turn = (RecordDistributionStrategy: 'AUTO' | 'USER_PARTITION_KEY') =>
    client.send(new UpdateStreamRecordDistributionStrategyCommand({ StreamARN, RecordDistributionStrategy }));
  const told = async (name = StreamName) =>
    (await client.send(new DescribeStreamSummaryCommand({ StreamName: name }))).StreamDescriptionSummary
      ?.RecordDistributionStrategy;
  return { simulator, client, shardsOf, turn, told };
}

for (const counting of [false, true]) {
  t.test(`under AUTO keys are ignored: records go around the shards${counting ? ' (counting)' : ''}`, async (t) => {
    const { shardsOf, told } = await setUp(t, 'AUTO', counting);
    t.equal(await told(), 'AUTO');
    const shards = await shardsOf(40);
    t.equal(new Set(shards).size, 4);
    for (const id of new Set(shards)) t.equal(shards.filter((other) => other === id).length, 10, String(id));
  });
}

t.test('a live stream is switched to AUTO and back, from one record to the next', async (t) => {
  const { shardsOf, turn, told } = await setUp(t);
  t.equal(await told(), 'USER_PARTITION_KEY');
  t.equal(new Set(await shardsOf(8)).size, 1);
  await turn('AUTO');
  t.equal(await told(), 'AUTO');
  t.equal(new Set(await shardsOf(8)).size, 4);
  await turn('USER_PARTITION_KEY');
  t.equal(new Set(await shardsOf(8)).size, 1);
});

t.test('aggregates taken under AUTO are dropped whole, those from before and plain records are not', async (t) => {
  const { simulator, shardsOf, turn } = await setUp(t);
  const aggregate = aggregateOf({
    keys: ['k'],
    hashKeys: ['0'],
    events: [
      { key: 0, hash: 0, data: 'one' },
      { key: 0, hash: 0, data: 'two' },
    ],
  });
  await shardsOf(1, aggregate);
  await turn('AUTO');
  await shardsOf(3, aggregate);
  await shardsOf(1, Buffer.from('plain'));
  const events: string[] = [];
  for await (const { data } of simulator.events(StreamName)) events.push(Buffer.from(data, 'base64').toString());
  t.strictSame(events, ['one', 'two', 'plain']);
  const counted = { events: 3, aggregates: 4, droppedAggregates: 3, droppedEvents: 6 };
  t.match((await simulator.stats()).streams[StreamName], counted);
});

t.test('SequenceNumberForOrdering is refused under AUTO, and taken otherwise', async (t) => {
  const { client, turn } = await setUp(t);
  const put = (rest: object) =>
    client.send(new PutRecordCommand({ StreamName, PartitionKey: 'k', Data: Buffer.from('x'), ...rest }));
  const { SequenceNumber } = await put({});
  await put({ SequenceNumberForOrdering: SequenceNumber });
  await turn('AUTO');
  t.match(await failureOf(put({ SequenceNumberForOrdering: SequenceNumber })), { name: 'InvalidArgumentException' });
  await put({});
});

t.test('AUTO is for on-demand streams', async (t) => {
  const { client, told } = await setUp(t);
  const create = (name: string, rest: object) =>
    client.send(new CreateStreamCommand({ StreamName: name, RecordDistributionStrategy: 'AUTO', ...rest }));
  t.equal((await failureOf(create('fixed', { ShardCount: 1 }))).name, 'InvalidArgumentException');
  await create('auto', { StreamModeDetails: { StreamMode: 'ON_DEMAND' } });
  t.equal(await told('auto'), 'AUTO');
});
