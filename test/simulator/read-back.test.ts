import { readFileSync } from 'node:fs';
import { DeleteStreamCommand, PutRecordCommand, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import t from 'tap';
import type { UserEvent } from '../../src/simulator/events.ts';
import type { SimulatorProcess } from '../../src/simulator/process.ts';
import { type AggregateParts, aggregateOf } from './aggregates.ts';
import { clientFor, failureOf, simulatorFor } from './peers.ts';

const StreamName = 'orders';
const simulator = await simulatorFor(t);
const client = clientFor(t, simulator);
t.beforeEach(() => simulator.reset());

async function events(of: SimulatorProcess = simulator, query = ''): Promise<string[]> {
  if (query !== '') {
    const response = await fetch(`${of.adminUrl}/_sim/events?stream=${StreamName}${query}`);
    const lines = (await response.text()).split('\n').filter(Boolean);
    return lines.map((line) => textOf(JSON.parse(line) as UserEvent));
  }
  const found: string[] = [];
  for await (const event of of.events(StreamName)) found.push(textOf(event));
  return found;
}
const textOf = ({ data }: UserEvent): string => Buffer.from(data, 'base64').toString();
const put = (PartitionKey: string, Data: Buffer, ExplicitHashKey?: string) =>
  client.send(new PutRecordCommand({ StreamName, PartitionKey, Data, ExplicitHashKey }));
/** Into the first shard of three, where the keys `a` and `c` are at home; `abc` is not. */
const putAggregate = (parts: AggregateParts) => put('a', aggregateOf(parts));
const streamStats = async () => (await simulator.stats()).streams[StreamName];

t.test(
  'events come back in the order in which they were put, over all shards, with all that belongs to them',
  async (t) => {
    const Records = Array.from({ length: 300 }, (_, i) => ({ PartitionKey: `key${i}`, Data: Buffer.from(`r${i}`) }));
    const { Records: results = [] } = await client.send(new PutRecordsCommand({ StreamName, Records }));
    await put('k', Buffer.from('last'), '5');
    const found: UserEvent[] = [];
    for await (const event of simulator.events(StreamName)) found.push(event);
    t.equal(found.length, 301);
    t.ok(found.slice(0, 300).every((event, i) => textOf(event) === `r${i}` && event.partitionKey === `key${i}`));
    t.ok(found.slice(0, 300).every((event, i) => event.sequenceNumber === results[i]?.SequenceNumber));
    t.strictSame(
      found.map(({ n }) => n),
      Array.from({ length: 301 }, (_, i) => i + 1),
    );
    t.match(found[300], { partitionKey: 'k', explicitHashKey: '5', shardId: 'shardId-000000000000', subSequence: 0 });
  },
);

t.test('an aggregate is unpacked, its events numbered within it and in the stream', async (t) => {
  await putAggregate({
    keys: ['a', 'c'],
    events: [
      { key: 0, data: 'one' },
      { key: 1, data: 'two' },
      { key: 0, data: '' },
    ],
  });
  const found: UserEvent[] = [];
  for await (const event of simulator.events(StreamName)) found.push(event);
  t.match(found, [
    { n: 1, subSequence: 0, partitionKey: 'a', data: Buffer.from('one').toString('base64') },
    { n: 2, subSequence: 1, partitionKey: 'c', data: Buffer.from('two').toString('base64') },
    { n: 3, subSequence: 2, partitionKey: 'a', data: '' },
  ]);
  t.equal(new Set(found.map(({ sequenceNumber }) => sequenceNumber)).size, 1);
  t.match(await streamStats(), { events: 3, aggregates: 1, droppedAggregates: 0, droppedEvents: 0 });
});

t.test('an aggregate with one event of another shard is dropped whole', async (t) => {
  await put('a', Buffer.from('before'));
  await putAggregate({
    keys: ['a', 'abc'],
    events: [
      { key: 0, data: 'one' },
      { key: 1, data: 'two' },
      { key: 0, data: 'three' },
    ],
  });
  await put('a', Buffer.from('after'));
  t.strictSame(await events(), ['before', 'after']);
  t.match(await streamStats(), { events: 2, aggregates: 1, droppedAggregates: 1, droppedEvents: 3 });
});

t.test("an event's explicit hash key decides for it, not its partition key", async (t) => {
  const last = String(2n ** 128n - 1n);
  await putAggregate({
    keys: ['abc'],
    hashKeys: ['0', '5'],
    events: [
      { key: 0, hash: 0, data: 'in' },
      { key: 0, hash: 1, data: 'in' },
    ],
  });
  await putAggregate({
    keys: ['a'],
    hashKeys: ['0', last],
    events: [
      { key: 0, hash: 0, data: 'x' },
      { key: 0, hash: 1, data: 'out' },
    ],
  });
  t.strictSame(await events(), ['in', 'in']);
  t.match(await streamStats(), { droppedAggregates: 1, droppedEvents: 2 });
});

t.test('behind an event that points to no key, the rest of its aggregate is lost', async (t) => {
  await putAggregate({
    keys: ['a'],
    events: [
      { key: 0, data: 'one' },
      { key: 7, data: 'two' },
      { key: 0, data: 'three' },
    ],
  });
  t.strictSame(await events(), ['one']);
  t.match(await streamStats(), { events: 1, aggregates: 1, droppedAggregates: 1, droppedEvents: 2 });
});

t.test('a record that is no aggregate, though it looks like one, comes back as it is', async (t) => {
  const whole = aggregateOf({ keys: ['a'], events: [{ key: 0, data: 'x' }] });
  const otherMagic = Buffer.from(whole);
  otherMagic[0] = 0xf4;
  const otherChecksum = Buffer.from(whole);
  otherChecksum[whole.length - 1] = (whole.at(-1) as number) ^ 1;
  const records = [otherMagic, otherChecksum, whole.subarray(0, 20), whole.subarray(0, 4), Buffer.alloc(0)];
  for (const record of records) await put('a', record);
  const found: Buffer[] = [];
  for await (const { data } of simulator.events(StreamName)) found.push(Buffer.from(data, 'base64'));
  t.strictSame(
    found,
    records.map((record) => Buffer.from(record)),
  );
  t.match(await streamStats(), { aggregates: 0 });
});

t.test('reading can begin behind a number and end after a count, also within an aggregate', async (t) => {
  await put('a', Buffer.from('e1'));
  await putAggregate({ keys: ['a'], events: ['e2', 'e3', 'e4'].map((data) => ({ key: 0, data })) });
  await put('a', Buffer.from('e5'));
  t.strictSame(await events(simulator, '&after=2'), ['e3', 'e4', 'e5']);
  t.strictSame(await events(simulator, '&after=1&limit=2'), ['e2', 'e3']);
  t.strictSame(await events(simulator, '&after=5'), []);
  t.strictSame(await events(simulator, '&limit=0'), []);
  t.equal((await fetch(`${simulator.adminUrl}/_sim/events?stream=orders&after=x`)).status, 400);
});

t.test('events of a stream that is not there are a failure that names it', async (t) => {
  const read = async (): Promise<void> => {
    for await (const event of simulator.events('nope')) t.fail(JSON.stringify(event));
  };
  t.match((await failureOf(read())).message, /no stream named "nope"/);
});

t.test('a read-back that breaks off fails, rather than to end as if it were whole', async (t) => {
  const mortal = await simulatorFor(t);
  const writer = clientFor(t, mortal);
  for (let i = 0; i < 20; i++) {
    await writer.send(new PutRecordCommand({ StreamName, PartitionKey: 'a', Data: Buffer.alloc(1_000_000) }));
  }
  const read = async (): Promise<void> => {
    for await (const { n } of mortal.events(StreamName)) if (n === 1) mortal.kill();
  };
  t.equal((await failureOf(read())).message, 'the simulator ended before its last event');
});

t.test('the memory for records is bounded: the oldest of all streams make room', async (t) => {
  const small = await simulatorFor(t, { keepBytes: 100_000 });
  const writer = clientFor(t, small);
  for (let i = 0; i < 20; i++) {
    const Data = Buffer.from(`${i}`.padEnd(9_000));
    await writer.send(new PutRecordCommand({ StreamName, PartitionKey: `k${i}`, Data }));
  }
  const kept = await events(small);
  t.strictSame(
    kept.map(Number),
    Array.from({ length: kept.length }, (_, i) => i + 20 - kept.length),
    'the youngest, without a gap',
  );
  const stats = await small.stats();
  t.equal(kept.length, 10);
  t.match(stats, { records: { accepted: 20 }, streams: { orders: { events: 20, evictedRecords: 10 } } });
});

t.test('reset forgets records and figures; streams and faults stay', async (t) => {
  await simulator.faults({ latencyMs: 1 });
  await put('a', Buffer.from('x'));
  await simulator.reset();
  t.strictSame(await events(), []);
  t.match(await simulator.stats(), {
    requests: {},
    records: { accepted: 0, failed: 0 },
    userBytes: 0,
    bodyBytes: 0,
    faultsFired: {},
    streams: { orders: { events: 0, shards: [{ records: 0, bytes: 0 }, {}, {}] } },
  });
  await put('a', Buffer.from('y'));
  t.strictSame(await events(), ['y']);
  t.match(await simulator.stats(), { faultsFired: { latencyMs: 1 }, streams: { orders: { events: 1 } } });
  await simulator.faults({});
});

t.test('a deleted stream takes its records with it', async (t) => {
  const own = await simulatorFor(t, { streams: [{ name: 'gone' }, { name: StreamName }] });
  const writer = clientFor(t, own);
  await writer.send(new PutRecordCommand({ StreamName: 'gone', PartitionKey: 'a', Data: Buffer.from('x') }));
  await writer.send(new DeleteStreamCommand({ StreamName: 'gone' }));
  t.strictSame(Object.keys((await own.stats()).streams), [StreamName]);
});

t.test('statistics tell requests, errors, encodings, bytes and connections apart', async (t) => {
  const own = await simulatorFor(t, { tls: true });
  t.match(readFileSync(own.caFile ?? '', 'utf8'), /^-----BEGIN CERTIFICATE-----/);
  const writer = clientFor(t, own);
  await writer.send(new PutRecordCommand({ StreamName, PartitionKey: 'a', Data: Buffer.from('1234') }));
  await failureOf(writer.send(new PutRecordCommand({ StreamName: 'nope', PartitionKey: 'a', Data: Buffer.from('x') })));
  t.match(await own.stats(), {
    connections: { open: 1, opened: 1, tlsOpened: 1 },
    requests: { PutRecord: 2 },
    errors: { ResourceNotFoundException: 1 },
    records: { accepted: 1, failed: 0 },
    userBytes: 4,
    wires: { json: 2, cbor: 0 },
    streams: { orders: { shards: [{ records: 1, bytes: 5 }, { records: 0 }, { records: 0 }] } },
  });
});

t.test('an admin route that is not there names those that are', async (t) => {
  const response = await fetch(`${simulator.adminUrl}/_sim/stat`);
  t.equal(response.status, 404);
  t.match(await response.json(), { error: /GET \/_sim\/stats, POST \/_sim\/faults/ });
});
