import { ListShardsCommand, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { AwsJson1_1Protocol } from '@aws-sdk/core/protocols';
import { CborCodec, cbor, type tag } from '@smithy/core/cbor';
import fc from 'fast-check';
import t from 'tap';
import { decodeCbor, encodeCbor } from '../../src/simulator/cbor.ts';
import { Bytes, Moment } from '../../src/simulator/values.ts';
import { clientFor, simulatorFor } from './peers.ts';
import { ask } from './raw.ts';

const seed = Number(process.env['SEED'] ?? 20_261_124);
const simulator = await simulatorFor(t);
const StreamName = 'orders';

type Serialize = AwsJson1_1Protocol['serializeRequest'];

/** AWS' client with AWS' own CBOR codec in the place of its JSON codec. */
class CborProtocol extends AwsJson1_1Protocol {
  constructor() {
    super({
      defaultNamespace: 'com.amazonaws.kinesis',
      serviceTarget: 'Kinesis_20131202',
      jsonCodec: new CborCodec() as never,
    });
  }
  override async serializeRequest(...args: Parameters<Serialize>): ReturnType<Serialize> {
    const request = await super.serializeRequest(...args);
    request.headers['content-type'] = 'application/x-amz-cbor-1.1';
    return request;
  }
}

t.test("AWS' client speaks CBOR with the simulator", async (t) => {
  const client = clientFor(t, simulator, 'http1', { protocol: new CborProtocol() as never });
  const Records = ['a', 'abc'].map((PartitionKey) => ({ PartitionKey, Data: Buffer.from([0, 255, 1]) }));
  const put = await client.send(new PutRecordsCommand({ StreamName, Records }));
  t.match(put, { FailedRecordCount: 0, Records: [{ ShardId: /0$/ }, { ShardId: /1$/ }] });
  t.equal((await client.send(new ListShardsCommand({ StreamName }))).Shards?.length, 3);
  t.match((await simulator.stats()).wires, { cbor: 2, json: 0 });
  const read: Buffer[] = [];
  for await (const { data } of simulator.events(StreamName)) read.push(Buffer.from(data, 'base64'));
  t.strictSame(read, [Buffer.from([0, 255, 1]), Buffer.from([0, 255, 1])]);
});

t.test('what is read in CBOR is what was written in JSON, and bytes stay bytes', async (t) => {
  await simulator.reset();
  const body = { StreamName, PartitionKey: 'a', Data: Buffer.from([1, 2, 255]) };
  await ask(simulator.url, { operation: 'PutRecord', body });
  const position = { StreamName, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' };
  const given = await ask(simulator.url, { operation: 'GetShardIterator', body: position, wire: 'cbor' });
  const { ShardIterator } = given.body as { ShardIterator: string };
  const { body: read, headers } = await ask(simulator.url, {
    operation: 'GetRecords',
    body: { ShardIterator },
    wire: 'cbor',
  });
  t.equal(headers['content-type'], 'application/x-amz-cbor-1.1');
  const [record] = (
    read as { Records: { Data: Uint8Array; ApproximateArrivalTimestamp: { tag: number; value: number } }[] }
  ).Records;
  t.strictSame(Buffer.from(record?.Data ?? []), body.Data);
  t.equal(record?.ApproximateArrivalTimestamp.tag, 1, 'a moment');
  t.ok(Math.abs((record?.ApproximateArrivalTimestamp.value ?? 0) - Date.now()) < 60_000, 'in milliseconds');
});

t.test('strings, lists and maps of unknown length, as the Java client writes them, are read', async (t) => {
  const text = (word: string): string =>
    Buffer.from([0x60 + word.length]).toString('hex') + Buffer.from(word).toString('hex');
  const hex =
    `bf${text('StreamName')}7f${text('ord')}${text('ers')}ff${text('Records')}9f` +
    `bf${text('PartitionKey')}${text('a')}${text('Data')}5f42010243030405ffff` +
    'ffff';
  const answered = await ask(simulator.url, { operation: 'PutRecords', body: Buffer.from(hex, 'hex'), wire: 'cbor' });
  t.match(answered, { status: 200, body: { FailedRecordCount: 0 } });
});

t.test("AWS' codec reads what we write, and we read what it writes", async (t) => {
  t.comment(`SEED=${seed}`);
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: 'grapheme', maxLength: 300 }),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Object.is(number, -0)),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.array(tie('value'), { maxLength: 30 }),
      fc.dictionary(fc.string({ maxLength: 9 }), tie('value'), { maxKeys: 30, noNullPrototype: true }),
    ),
  }));
  /** Buffers as the class that our encoder takes for bytes, in a copy of `given`. */
  const wrapped = (given: unknown): unknown => {
    if (Buffer.isBuffer(given)) return new Bytes(given);
    if (Array.isArray(given)) return given.map(wrapped);
    if (typeof given !== 'object' || given === null) return given;
    return Object.fromEntries(Object.entries(given).map(([key, member]) => [key, wrapped(member)]));
  };
  fc.assert(
    fc.property(value, (given) => {
      // AWS' codec gives large whole numbers as BigInt.
      t.same(cbor.deserialize(encodeCbor(wrapped(given))), given);
      t.same(decodeCbor(Buffer.from(cbor.serialize(given))), given);
    }),
    { seed, numRuns: 300 },
  );
});

t.test('a moment is tag 1 with milliseconds, both ways', async (t) => {
  const moment = new Moment(1_764_000_000_123);
  t.strictSame(decodeCbor(encodeCbor({ at: moment })), { at: moment });
  const read = cbor.deserialize(encodeCbor({ at: moment })) as { at: ReturnType<typeof tag> };
  t.match(read.at, { tag: 1, value: 1_764_000_000_123 });
});

t.test('bytes that are no CBOR of this API throw a RangeError and nothing else', async (t) => {
  t.comment(`SEED=${seed}`);
  const whole = Buffer.from(cbor.serialize({ Records: [{ Data: Buffer.from('x'), PartitionKey: 'k' }], N: 1.5 }));
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, length) => {
      const bytes = Buffer.from(whole.subarray(0, length));
      if (at < length) bytes[at] = byte;
      try {
        decodeCbor(bytes);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }),
    { seed, numRuns: 5_000 },
  );
  const nested = Buffer.alloc(100_000, 0x81);
  // A stack that overflows would be a RangeError too.
  t.throws(() => decodeCbor(nested), { message: 'nested too deeply' }, 'a nest of 100,000 lists');
  t.throws(() => decodeCbor(Buffer.from('9b7fffffffffffffff01', 'hex')), RangeError, 'a length that lies');
  t.throws(() => decodeCbor(Buffer.from('0101', 'hex')), RangeError, 'bytes behind the value');
});
