/** Conformance cases about PutRecords, on a stream of three shards that the cases about streams have made. Asked in this order. */
import { getDefaultHighWaterMark } from 'node:stream';
import {
  aNumber,
  type Case,
  type Deadly,
  type Expected,
  fails,
  notFound,
  passes,
  sequenceNumber,
  violates,
} from './conformance.ts';
import {
  data,
  hashPattern,
  notAList,
  notAShape,
  outOfRange,
  tooLarge,
  withoutEncryption,
} from './conformance-put-failures.ts';

/** It cuts them off after what a stream holds by default: 16 KiB up to Node 20, 64 KiB since, which is enough here. */
const cutsAnswers = getDefaultHighWaterMark(false) <= 16_384;

type Put = (name: string, records: unknown, expected: Expected) => Case;

const putInto =
  (stream: string): Put =>
  (name, Records, expected) => ({
    name: `PutRecords ${name}`,
    asked: { operation: 'PutRecords', body: { StreamName: stream, Records } },
    ...expected,
  });
const entry = (body: object = {}): object => ({ PartitionKey: 'a', Data: data, ...body });

export function putManyCases(stream: string): Case[] {
  const put = putInto(stream);
  const needsStream = putInto('nope')('needs a stream that exists', [entry()], notFound('nope'));
  return [needsStream, ...landingCases(put), ...listCases(put), ...recordCases(put), ...sizeCases(put)];
}

function landingCases(put: Put): Case[] {
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
      ...(cutsAnswers
        ? { kinesalite: { because: 'kinesalite cuts answers in CBOR off after 16 KiB', ...passes(/^undecodable/) } }
        : {}),
    },
    lands('takes a record of 1 MiB', [entry({ Data: Buffer.alloc(1024 ** 2 - 1) })], 0),
  ];
}

function listCases(put: Put): Case[] {
  const printed = 'com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@';
  return [
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
  ];
}

function recordCases(put: Put): Case[] {
  return [
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
  ];
}

function sizeCases(put: Put): Case[] {
  return [
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
