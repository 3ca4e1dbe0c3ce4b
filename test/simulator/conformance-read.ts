/** Conformance cases about reading back. They read from the stream's last shard, into which they put records of their own. */
import {
  aMoment,
  aNumber,
  type Case,
  type Expected,
  fails,
  type Pattern,
  passes,
  sequenceNumber,
  type Told,
  unknownNumber,
  violates,
} from './conformance.ts';
import type { Asked } from './raw.ts';

const last = 'shardId-000000000002';
const inLast = String(2n ** 128n - 1n);
const types = 'AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON';
const eitherOr =
  'Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or ' +
  '(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified ';
const invalid = (message: string | RegExp): Expected => fails('InvalidArgumentException', message);

const given = passes({ ShardIterator: /^[A-Za-z0-9+/]+=*$/ });
const numberOf = (told: Told, name: string): unknown => told(name)['SequenceNumber'];

/** A case about an iterator of the last shard, unless `body` says otherwise. */
type Iterate = (name: string, body: object | ((told: Told) => object), expected: Expected) => Case;

const iterate =
  (stream: string): Iterate =>
  (name, body, expected) => {
    const asked = (rest: object): Asked => ({
      operation: 'GetShardIterator',
      body: { StreamName: stream, ShardId: last, ...rest },
    });
    return {
      name: `GetShardIterator ${name}`,
      asked: typeof body === 'function' ? (told) => asked(body(told)) : asked(body),
      ...expected,
    };
  };

export function readCases(stream: string): Case[] {
  const iterator = iterate(stream);
  return [
    ...placeCases(iterator, stream),
    ...shardCases(iterator, stream),
    ...badPlaceCases(iterator, stream),
    ...recordsCases(),
  ];
}

function placeCases(iterator: Iterate, stream: string): Case[] {
  return [
    iterator('at the end', { ShardIteratorType: 'LATEST' }, given),
    ...['first', 'second'].map((text) => putLast(stream, text)),
    iterator('at the beginning', { ShardIteratorType: 'TRIM_HORIZON' }, given),
    iterator(
      'at a record',
      (told) => ({
        ShardIteratorType: 'AT_SEQUENCE_NUMBER',
        StartingSequenceNumber: numberOf(told, 'PutRecord of first'),
      }),
      given,
    ),
    iterator(
      'behind a record',
      (told) => ({
        ShardIteratorType: 'AFTER_SEQUENCE_NUMBER',
        StartingSequenceNumber: numberOf(told, 'PutRecord of first'),
      }),
      given,
    ),
  ];
}

function shardCases(iterator: Iterate, stream: string): Case[] {
  const missing = (id: string): Expected =>
    fails('ResourceNotFoundException', `Shard ${id} in stream ${stream} under account 000000000000 does not exist`);
  return [
    iterator(
      'needs a shard and a type',
      { ShardId: undefined },
      violates(["Value null at 'shardId'", 'not be null'], ["Value null at 'shardIteratorType'", 'not be null']),
    ),
    iterator(
      'refuses other types',
      { ShardIteratorType: 'x' },
      violates(["Value 'x' at 'shardIteratorType'", `satisfy enum value set: [${types}]`]),
    ),
    iterator(
      'needs a shard that exists',
      { ShardId: 'shardId-000000000003', ShardIteratorType: 'LATEST' },
      missing('shardId-000000000003'),
    ),
    iterator(
      'needs a shard with the name of one',
      { ShardId: 'x', ShardIteratorType: 'LATEST' },
      fails('ResourceNotFoundException', `Could not find shard x in stream ${stream} under account 000000000000.`),
    ),
  ];
}

function badPlaceCases(iterator: Iterate, stream: string): Case[] {
  return [
    iterator(
      'at a record needs one',
      { ShardIteratorType: 'AT_SEQUENCE_NUMBER' },
      invalid(`${eitherOr}AT_SEQUENCE_NUMBER and no StartingSequenceNumber.`),
    ),
    iterator(
      'at the end needs no record',
      { ShardIteratorType: 'LATEST', StartingSequenceNumber: '5' },
      invalid(`${eitherOr}LATEST and also a StartingSequenceNumber.`),
    ),
    iterator(
      'refuses a number that no record has',
      { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: unknownNumber },
      invalid(
        `StartingSequenceNumber ${unknownNumber} used in GetShardIterator on shard ${last} in stream ${stream} under account 000000000000 is invalid.`,
      ),
    ),
    iterator(
      "refuses another shard's number",
      (told) => ({
        ShardIteratorType: 'AT_SEQUENCE_NUMBER',
        ShardId: 'shardId-000000000000',
        StartingSequenceNumber: numberOf(told, 'PutRecord of first'),
      }),
      invalid(
        `Invalid StartingSequenceNumber. It encodes ${last}, while it was used in a call to a shard with shardId-000000000000`,
      ),
    ),
    iterator(
      'at a time needs one',
      { ShardIteratorType: 'AT_TIMESTAMP' },
      invalid(
        'Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.',
      ),
    ),
    {
      ...iterator(
        'refuses a time to come',
        { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: 9e9 },
        invalid(
          /^The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: 9000000000000, currentTimestampInMillis: \d{13}$/,
        ),
      ),
      wire: 'json',
    },
    { ...iterator('at a time', { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: 1 }, given), wire: 'json' },
    iterator(
      'needs a stream that exists',
      { StreamName: 'nope', ShardIteratorType: 'LATEST' },
      fails('ResourceNotFoundException', `Shard ${last} in stream nope under account 000000000000 does not exist`),
    ),
  ];
}

/** Each puts one record into the last shard. */
function putLast(stream: string, text: string): Case {
  const place = { ShardId: last, SequenceNumber: sequenceNumber };
  return {
    name: `PutRecord of ${text}`,
    asked: {
      operation: 'PutRecord',
      body: { StreamName: stream, PartitionKey: 'k', ExplicitHashKey: inLast, Data: Buffer.from(text) },
    },
    ...passes({ ...place, EncryptionType: 'NONE' }),
    kinesalite: { because: 'kinesalite leaves EncryptionType out of answers about records', ...passes(place) },
  };
}

function recordsCases(): Case[] {
  const get = (name: string, from: string, body: object, texts: readonly string[]): Case => {
    const records = texts.map(
      (text): Record<string, Pattern> => ({
        SequenceNumber: sequenceNumber,
        ApproximateArrivalTimestamp: aMoment,
        Data: Buffer.from(text),
        PartitionKey: 'k',
      }),
    );
    const rest: Record<string, Pattern> = { NextShardIterator: /^\S+$/, MillisBehindLatest: aNumber };
    const difference = {
      because: 'kinesalite leaves EncryptionType out of answers about records',
      ...passes({ ...rest, Records: records }),
    };
    return {
      name: `GetRecords ${name}`,
      // What comes in CBOR, kinesalite keeps as a JSON object and gives back as one.
      wire: 'json',
      asked: (told) => ({
        operation: 'GetRecords',
        body: { ShardIterator: told(from)['ShardIterator'] ?? told(from)['NextShardIterator'], ...body },
      }),
      ...passes({ ...rest, Records: records.map((record) => ({ ...record, EncryptionType: 'NONE' })) }),
      ...(texts.length > 0 ? { kinesalite: difference } : {}),
    };
  };
  const refuse = (name: string, body: object, expected: Expected): Case => ({
    name: `GetRecords ${name}`,
    asked: { operation: 'GetRecords', body },
    ...expected,
  });
  return [
    get('from the end on', 'GetShardIterator at the end', {}, ['first', 'second']),
    get('from a record on', 'GetShardIterator at a record', {}, ['first', 'second']),
    get('from behind a record on', 'GetShardIterator behind a record', {}, ['second']),
    get('one at a time', 'GetShardIterator at a record', { Limit: 1 }, ['first']),
    get('one after the other', 'GetRecords one at a time', { Limit: 1 }, ['second']),
    get('up to the end', 'GetRecords one after the other', {}, []),
    refuse('needs an iterator', {}, violates(["Value null at 'shardIterator'", 'not be null'])),
    refuse('refuses an iterator that nobody gave', { ShardIterator: 'x' }, invalid('Invalid ShardIterator.')),
    refuse(
      'refuses an iterator of 513 characters',
      { ShardIterator: 'x'.repeat(513) },
      violates([`Value '${'x'.repeat(513)}' at 'shardIterator'`, 'have length less than or equal to 512']),
    ),
    refuse(
      'refuses to give nothing',
      { ShardIterator: 'x', Limit: 0 },
      violates(["Value '0' at 'limit'", 'have value greater than or equal to 1']),
    ),
    refuse(
      'refuses to give 10,001',
      { ShardIterator: 'x', Limit: 10_001 },
      violates(["Value '10001' at 'limit'", 'have value less than or equal to 10000']),
    ),
  ];
}
