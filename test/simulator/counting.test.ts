import { GetRecordsCommand, GetShardIteratorCommand, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import fc from 'fast-check';
import t from 'tap';
import { PutRecordsScanner } from '../../src/simulator/scanner.ts';
import { clientFor, simulatorFor } from './peers.ts';
import { ask } from './raw.ts';

const seed = Number(process.env['SEED'] ?? 20_261_124);
const StreamName = 'orders';

t.test('counting mode counts, answers as ever, and keeps nothing', async (t) => {
  const simulator = await simulatorFor(t, { counting: true });
  const client = clientFor(t, simulator);
  const Records = ['a', 'abc', '10'].map((PartitionKey) => ({ PartitionKey, Data: Buffer.alloc(100) }));
  const put = await client.send(new PutRecordsCommand({ StreamName, Records }));
  t.strictSame(
    put.Records?.map(({ ShardId }) => ShardId?.slice(-1)),
    ['0', '1', '2'],
  );
  t.match(await simulator.stats(), {
    requests: { PutRecords: 1 },
    records: { accepted: 3, failed: 0 },
    userBytes: 300,
    streams: {
      orders: {
        events: 0,
        shards: [
          { records: 1, bytes: 101 },
          { records: 1, bytes: 103 },
          { records: 1, bytes: 102 },
        ],
      },
    },
  });
  for await (const event of simulator.events(StreamName)) t.fail(`kept ${JSON.stringify(event)}`);
  const position = { StreamName, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' as const };
  const { ShardIterator } = await client.send(new GetShardIteratorCommand(position));
  t.strictSame((await client.send(new GetRecordsCommand({ ShardIterator }))).Records, []);
});

t.test('counting mode lets records fail and shards throttle as ordered', async (t) => {
  const simulator = await simulatorFor(t, { counting: true, faults: { throttle: true, shardRecordsPerSecond: 5 } });
  const client = clientFor(t, simulator);
  const Records = Array.from({ length: 50 }, () => ({ PartitionKey: 'a', Data: Buffer.from('x') }));
  const { FailedRecordCount, Records: results = [] } = await client.send(
    new PutRecordsCommand({ StreamName, Records }),
  );
  t.equal(FailedRecordCount, 45);
  t.match(results.at(-1), { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: /^Rate exceeded/ });
});

t.test('the scanner finds what JSON.parse finds, however the request is written and cut', async (t) => {
  t.comment(`SEED=${seed}`);
  const text = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom('"', '\\', '\\"', '\\\\"}', '{"Data":"x"}', 'é😀'),
  );
  const record = fc.record(
    {
      PartitionKey: text,
      ExplicitHashKey: text,
      Data: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64')),
      Other: fc.oneof(text, fc.array(text), fc.dictionary(text, text), fc.constant(null)),
    },
    { requiredKeys: [] },
  );
  const request = fc.record(
    {
      StreamName: text,
      StreamARN: text,
      Records: fc.array(record, { maxLength: 6 }),
      Other: text,
      DryRun: fc.boolean(),
    },
    { requiredKeys: [] },
  );
  const space = fc.constantFrom(undefined, 1, '\t', 2);
  fc.assert(
    fc.property(request, space, fc.array(fc.nat(40), { minLength: 1 }), (value, spacing, cuts) => {
      const bytes = Buffer.from(JSON.stringify(value, undefined, spacing));
      const scanner = new PutRecordsScanner();
      for (let offset = 0, i = 0; offset < bytes.length; i++) {
        const end = Math.min(bytes.length, offset + 1 + (cuts[i % cuts.length] as number));
        scanner.feed(bytes, offset, end);
        offset = end;
      }
      const found = {
        complete: scanner.complete,
        dryRun: scanner.dryRun,
        streamName: scanner.streamName,
        streamArn: scanner.streamArn,
        records: scanner.records,
      };
      const wanted = {
        complete: true,
        dryRun: value.DryRun === true,
        streamName: value.StreamName,
        streamArn: value.StreamARN,
        records: (value.Records ?? []).map(({ PartitionKey, ExplicitHashKey, Data }) => ({
          partitionKey: PartitionKey,
          explicitHashKey: ExplicitHashKey,
          dataBytes: Data === undefined ? undefined : Buffer.from(Data, 'base64').length,
        })),
      };
      const [shown, due] = [JSON.stringify(found), JSON.stringify(wanted)];
      if (shown !== due) throw new Error(`${shown} instead of ${due} in ${bytes.toString()}`);
    }),
    { seed, numRuns: 2_000 },
  );
});

t.test('a request that ends in its middle is no request', async (t) => {
  const { url } = await simulatorFor(t, { counting: true });
  const whole = `{"StreamName":"orders","Records":[{"PartitionKey":"k","Data":"eA=="}]}`;
  for (const body of [whole.slice(0, -1), whole.slice(0, 50), '{', '"', '']) {
    t.match(await ask(url, { operation: 'PutRecords', body }), {
      status: 400,
      body: { __type: 'SerializationException' },
    });
  }
  t.equal((await ask(url, { operation: 'PutRecords', body: whole })).status, 200);
});
