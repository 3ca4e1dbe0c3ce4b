/** Conformance cases about PutRecord, on a stream of three shards that the cases about streams have made. Asked in this order. */
import {
  type Case,
  type Expected,
  fails,
  notFound,
  passes,
  sequenceNumber,
  unknownNumber,
  violates,
} from './conformance.ts';
import {
  aBigNumber,
  aBoolean,
  beyond,
  data,
  hashPattern,
  notA,
  notAList,
  notAShape,
  outOfRange,
  tooLarge,
  withoutEncryption,
} from './conformance-put-failures.ts';

/** A case about one record, which has all it needs unless `body` says otherwise. */
type Put = (name: string, body: object, expected: Expected) => Case;

const putInto =
  (stream: string): Put =>
  (name, body, expected) => ({
    name: `PutRecord ${name}`,
    asked: { operation: 'PutRecord', body: { StreamName: stream, PartitionKey: 'k', Data: data, ...body } },
    ...expected,
  });

export function putCases(stream: string): Case[] {
  const put = putInto(stream);
  return [...landingCases(put), ...refusedCases(put, stream), ...mistypedCases(put), ...base64Cases(put)];
}

function landingCases(put: Put): Case[] {
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
  ];
}

function refusedCases(put: Put, stream: string): Case[] {
  return [
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

function mistypedCases(put: Put): Case[] {
  return [
    put('refuses a number for a text', { PartitionKey: 5 }, notA(aBigNumber, 'an String')),
    put('refuses a truth for a text', { PartitionKey: true }, notA(aBoolean, 'an String')),
    put('refuses a map for a text', { PartitionKey: {} }, notAShape),
    put('refuses a list for a text', { PartitionKey: [] }, notAList),
    put('refuses a number for data', { Data: 5 }, notA(aBigNumber, 'a Blob')),
    put('refuses a truth for data', { Data: false }, notA(aBoolean, 'a Blob')),
    put('refuses a map for data', { Data: {} }, notAShape),
    put('refuses a list for data', { Data: [] }, notAList),
  ];
}

/** Hash keys that are no decimal of 1 to 39 digits without a leading zero. */
function hashKeyCases(put: Put): Case[] {
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
function base64Cases(put: Put): Case[] {
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
