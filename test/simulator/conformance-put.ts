/** Conformance cases about PutRecord and PutRecords, on a stream of three shards that the cases about streams have made. */
import {
  aNumber,
  type Case,
  type Deadly,
  type Expected,
  fails,
  notFound,
  passes,
  sequenceNumber,
  unknownNumber,
  violates,
} from './conformance.ts';
import type { Asked } from './raw.ts';

const withoutEncryption = 'kinesalite leaves EncryptionType out of answers about records';
const hashPattern = '0|([1-9]\\d{0,38})';
const tooLarge = String(2n ** 128n);
const beyond = (text: string): Expected =>
  fails(
    'InvalidArgumentException',
    `Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was ${text}`,
  );
const outOfRange = beyond(tooLarge);
const notAShape = fails('SerializationException', 'Start of structure or map found where not expected.');
const notAList = fails('SerializationException', 'Start of list found where not expected');
const notA = (java: string, type: string): Expected =>
  fails('SerializationException', `class ${java} can not be converted to ${type}`);
const aBoolean = 'java.lang.Boolean';
const aBigNumber = 'com.amazon.coral.value.json.numbers.TruncatingBigNumber';
const data = Buffer.from('some data');

export function putCases(stream: string): Case[] {
  const put = (name: string, body: object, expected: Expected): Case => ({
    name: `PutRecord ${name}`,
    asked: { operation: 'PutRecord', body: { StreamName: stream, PartitionKey: 'k', Data: data, ...body } },
    ...expected,
  });
  const lands = (name: string, index: number, body: object): Case => {
    const place = { ShardId: `shardId-00000000000${index}`, SequenceNumber: sequenceNumber };
    return {
      ...put(name, body, passes({ ...place, EncryptionType: 'NONE' })),
      kinesalite: { because: withoutEncryption, ...passes(place) },
    };
  };
  return [
    lands('goes to the shard of its key', 0, { PartitionKey: 'a' }),
    lands('goes to the shard of another key', 1, { PartitionKey: 'abc' }),
    lands('goes to the shard of a third key', 2, { PartitionKey: '10' }),
    lands('goes to the shard of its hash key', 2, { ExplicitHashKey: String(2n ** 128n - 1n) }),
    lands('goes to the first shard with hash key 0', 0, { PartitionKey: 'abc', ExplicitHashKey: '0' }),
    lands('stays at the end of a range', 0, { ExplicitHashKey: '113427455640312821154458202477256070484' }),
    lands('begins the next range', 1, { ExplicitHashKey: '113427455640312821154458202477256070485' }),
    lands('takes a key of 256 characters', 2, {
      PartitionKey: 'x'.repeat(256),
      ExplicitHashKey: String(2n ** 127n * 2n - 1n),
    }),
    lands('takes no data', 0, { PartitionKey: 'a', Data: Buffer.alloc(0) }),
    lands('ignores what it does not know', 0, { PartitionKey: 'a', Unknown: 5 }),
    lands('takes null for nothing', 0, { PartitionKey: 'a', ExplicitHashKey: null }),
    put(
      'needs all it needs',
      { StreamName: undefined, PartitionKey: undefined, Data: undefined },
      violates(
        ["Value null at 'partitionKey'", 'not be null'],
        ["Value null at 'data'", 'not be null'],
        ["Value null at 'streamName'", 'not be null'],
      ),
    ),
    put('needs a stream that exists', { StreamName: 'nope' }, notFound('nope')),
    put(
      'refuses an empty key',
      { PartitionKey: '' },
      violates(["Value '' at 'partitionKey'", 'have length greater than or equal to 1']),
    ),
    put(
      'refuses a key of 257 characters',
      { PartitionKey: 'x'.repeat(257) },
      violates([`Value '${'x'.repeat(257)}' at 'partitionKey'`, 'have length less than or equal to 256']),
    ),
    ...hashKeyCases(put),
    put('refuses the hash key 2^128', { ExplicitHashKey: tooLarge }, outOfRange),
    put(
      'refuses an ordering that is no number',
      { SequenceNumberForOrdering: 'x' },
      violates(["Value 'x' at 'sequenceNumberForOrdering'", 'satisfy regular expression pattern: 0|([1-9]\\d{0,128})']),
    ),
    put(
      'refuses an ordering by a number that no record has',
      { SequenceNumberForOrdering: unknownNumber },
      fails(
        'InvalidArgumentException',
        `ExclusiveMinimumSequenceNumber ${unknownNumber} used in PutRecord on stream ${stream} under account 000000000000 is invalid.`,
      ),
    ),
    put('refuses a number for a text', { PartitionKey: 5 }, notA(aBigNumber, 'an String')),
    put('refuses a truth for a text', { PartitionKey: true }, notA(aBoolean, 'an String')),
    put('refuses a map for a text', { PartitionKey: {} }, notAShape),
    put('refuses a list for a text', { PartitionKey: [] }, notAList),
    put('refuses a number for data', { Data: 5 }, notA(aBigNumber, 'a Blob')),
    put('refuses a truth for data', { Data: false }, notA(aBoolean, 'a Blob')),
    put('refuses a map for data', { Data: {} }, notAShape),
    put('refuses a list for data', { Data: [] }, notAList),
    ...base64Cases(put),
    {
      ...put(
        'can be tried without effect',
        { DryRun: true },
        fails('DryRunOperationException', 'The request was rejected because the DryRun parameter was specified.'),
      ),
      kinesalite: {
        because: 'kinesalite is older than DryRun, and stores the record',
        ...passes({ ShardId: 'shardId-000000000001', SequenceNumber: sequenceNumber }),
      },
    },
  ];
}

/** Hash keys that are no decimal of 1 to 39 digits without a leading zero. */
function hashKeyCases(put: (name: string, body: object, expected: Expected) => Case): Case[] {
  const refuse = (text: string): Case =>
    put(
      `refuses the hash key ${JSON.stringify(text)}`,
      { ExplicitHashKey: text },
      violates([`Value '${text}' at 'explicitHashKey'`, `satisfy regular expression pattern: ${hashPattern}`]),
    );
  const because =
    'kinesalite holds a text to the beginning of one alternative of the pattern or to the end of the other';
  const inFirst = passes({ ShardId: 'shardId-000000000000', SequenceNumber: sequenceNumber });
  const long = '1'.repeat(40);
  return [
    ...['', 'x', '1x', '1 '].map(refuse),
    ...['00', '01', '0x1', '1.5', ' 1'].map((text) => ({ ...refuse(text), kinesalite: { because, ...inFirst } })),
    ...['-1', long].map((text) => ({ ...refuse(text), kinesalite: { because, ...beyond(text) } })),
  ];
}

/** Data in JSON is a text, which may be wrong in its own ways. */
function base64Cases(put: (name: string, body: object, expected: Expected) => Case): Case[] {
  const wrong: readonly (readonly [text: string, what: string])[] = [
    ['QQ=', 'Base64 encoded length is expected a multiple of 4 bytes but found: 3'],
    ['QUJ', 'Base64 encoded length is expected a multiple of 4 bytes but found: 3'],
    ['QU*C', "Invalid Base64 character: '*'"],
    ['QU-_', "Invalid Base64 character: '-'"],
    ['QU C', "Invalid Base64 character: ' '"],
    ['QQ==QQ==', "Invalid Base64 character: '='"],
    ['QR==', 'Invalid last non-pad Base64 character dectected'],
    ['QUF=', 'Invalid last non-pad Base64 character dectected'],
    ['====', 'Invalid last non-pad Base64 character dectected'],
  ];
  return wrong.map(([text, what]) => ({
    ...put(
      `refuses the base64 ${text}`,
      { Data: text },
      fails('SerializationException', `'${text}' can not be converted to a Blob: ${what}`),
    ),
    wire: 'json',
  }));
}

export function putManyCases(stream: string): Case[] {
  const asked = (records: unknown, rest: object = {}): Asked => ({
    operation: 'PutRecords',
    body: { StreamName: stream, Records: records, ...rest },
  });
  const entry = (body: object = {}): object => ({ PartitionKey: 'a', Data: data, ...body });
  const put = (name: string, records: unknown, expected: Expected): Case => ({
    name: `PutRecords ${name}`,
    asked: asked(records),
    ...expected,
  });
  const lands = (name: string, records: unknown, ...indexes: number[]): Case => {
    const results = indexes.map((index) => ({
      SequenceNumber: sequenceNumber,
      ShardId: `shardId-00000000000${index}`,
    }));
    return {
      ...put(name, records, passes({ FailedRecordCount: 0, Records: results, EncryptionType: 'NONE' })),
      kinesalite: { because: withoutEncryption, ...passes({ FailedRecordCount: aNumber, Records: results }) },
    };
  };
  const full = Array.from({ length: 500 }, () => entry());
  const inFirst = full.map(() => 0);
  const printed = 'com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@';
  return [
    lands(
      'answers in the order of the request',
      ['a', 'abc', '10', 'b'].map((key) => entry({ PartitionKey: key })),
      0,
      1,
      2,
      1,
    ),
    { ...lands('takes 500 records', full, ...inFirst), wire: 'json' },
    {
      ...lands('takes 500 records in CBOR', full, ...inFirst),
      wire: 'cbor',
      kinesalite: { because: 'kinesalite cuts answers in CBOR off after 16 KiB', ...passes(/^undecodable/) },
    },
    lands('takes a record of 1 MiB', [entry({ Data: Buffer.alloc(1024 ** 2 - 1) })], 0),
    put('refuses none', [], violates(["Value '[]' at 'records'", 'have length greater than or equal to 1'])),
    put(
      'refuses 501',
      Array.from({ length: 501 }, () => entry()),
      fails(
        'ValidationException',
        new RegExp(
          `^1 validation error detected: Value '\\[(${printed}\\w+(, )?){501}\\]' at 'records' failed to satisfy constraint: Member must have length less than or equal to 500$`,
        ),
      ),
    ),
    put('needs a list', undefined, violates(["Value null at 'records'", 'not be null'])),
    put('refuses a text for a list', 'x', fails('SerializationException', 'Expected list or null')),
    put('refuses a map for a list', {}, notAShape),
    put('refuses a text for a record', ['x'], fails('SerializationException', 'Expected null')),
    put('refuses a list for a record', [[]], notAList),
    put(
      'says which record is wrong',
      [entry(), entry({ PartitionKey: '' })],
      violates(["Value '' at 'records.2.member.partitionKey'", 'have length greater than or equal to 1']),
    ),
    put(
      'says all that is wrong with a record',
      [{ ExplicitHashKey: 'x' }],
      violates(
        ["Value null at 'records.1.member.partitionKey'", 'not be null'],
        ["Value 'x' at 'records.1.member.explicitHashKey'", `satisfy regular expression pattern: ${hashPattern}`],
        ["Value null at 'records.1.member.data'", 'not be null'],
      ),
    ),
    put(
      'lists ten mistakes at most',
      Array.from({ length: 6 }, () => ({})),
      violates(
        ...[1, 2, 3, 4, 5].flatMap((index) => [
          [`Value null at 'records.${index}.member.partitionKey'`, 'not be null'] as const,
          [`Value null at 'records.${index}.member.data'`, 'not be null'] as const,
        ]),
      ),
    ),
    put('refuses all for one hash key out of range', [entry(), entry({ ExplicitHashKey: tooLarge })], outOfRange),
    {
      ...put(
        'refuses data of more than 1 MiB',
        [entry({ Data: Buffer.alloc(1024 ** 2 + 1) })],
        violates(["Value at 'records.1.member.data'", 'have length less than or equal to 1048576']),
      ),
      kinesalite: {
        because: 'AWS has ceased to print what may be a secret, here a buffer',
        ...violates([
          "Value 'java.nio.HeapByteBuffer[pos=0 lim=1048577 cap=1048577]' at 'records.1.member.data'",
          'have length less than or equal to 1048576',
        ]),
      },
    },
    {
      ...put(
        'refuses a record that its key makes too large',
        [entry({ Data: Buffer.alloc(1024 ** 2) })],
        fails(
          'InvalidArgumentException',
          /^Record size of 1048577 bytes exceeds the maximum record size of 1048576 bytes/,
        ),
      ),
      kinesalite: {
        because: 'kinesalite leaves the partition key out of account',
        ...passes({
          FailedRecordCount: 0,
          Records: [{ SequenceNumber: sequenceNumber, ShardId: 'shardId-000000000000' }],
        }),
      },
    },
    {
      name: 'PutRecords needs a stream that exists',
      asked: asked([entry()], { StreamName: 'nope' }),
      ...notFound('nope'),
    },
  ];
}

export function deadlyPutCases(stream: string): Deadly[] {
  return [
    {
      name: 'PutRecords with null for a record',
      asked: { operation: 'PutRecords', body: { StreamName: stream, Records: [null] } },
      because: 'kinesalite looks for the hash key of null',
      ...violates(["Value null at 'records.1.member'", 'not be null']),
    },
  ];
}
