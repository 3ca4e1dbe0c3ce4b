/** Conformance cases about streams and shards. Asked in this order, on a server where `stream` does not exist yet. */
import {
  aMoment,
  type Case,
  type Deadly,
  type Expected,
  fails,
  notFound,
  type Pattern,
  passes,
  sequenceNumber,
  violates,
} from './conformance.ts';

const namePattern = '[a-zA-Z0-9_.-]+';
const before2021 = 'kinesalite knows neither capacity modes nor, therefore, streams without ShardCount';
const beforeArn = 'kinesalite is older than StreamARN in requests, and ignores it';

/** Three shards that share 2^128 hash keys; the last takes what the division leaves over. */
const ranges: readonly (readonly [start: string, end: string])[] = [
  ['0', '113427455640312821154458202477256070484'],
  ['113427455640312821154458202477256070485', '226854911280625642308916404954512140969'],
  ['226854911280625642308916404954512140970', '340282366920938463463374607431768211455'],
];
const shard = (index: number): Pattern => ({
  ShardId: `shardId-00000000000${index}`,
  HashKeyRange: { StartingHashKey: ranges[index]?.[0] ?? '', EndingHashKey: ranges[index]?.[1] ?? '' },
  SequenceNumberRange: { StartingSequenceNumber: sequenceNumber },
});
const arnOf = (stream: string): string => `arn:aws:kinesis:us-east-1:000000000000:stream/${stream}`;

const summary = (stream: string): Record<string, Pattern> => ({
  StreamName: stream,
  StreamARN: arnOf(stream),
  StreamStatus: 'ACTIVE',
  RetentionPeriodHours: 24,
  StreamCreationTimestamp: aMoment,
  EnhancedMonitoring: [{ ShardLevelMetrics: [] }],
  EncryptionType: 'NONE',
  OpenShardCount: 3,
  ConsumerCount: 0,
});
const summaryToday = (stream: string): Pattern => ({
  StreamDescriptionSummary: {
    ...summary(stream),
    StreamModeDetails: { StreamMode: 'PROVISIONED' },
    MaxRecordSizeInKiB: 1_024,
    RecordDistributionStrategy: 'USER_PARTITION_KEY',
  },
});

type Create = (name: string, body: object, expected: Expected) => Case;

const create: Create = (name, body, expected) => ({
  name: `CreateStream ${name}`,
  asked: { operation: 'CreateStream', body },
  ...expected,
});

export function streamCases(stream: string): Case[] {
  return [...makingCases(stream), ...nameCases(), ...describeCases(stream), ...listShardsCases(stream)];
}

function makingCases(stream: string): Case[] {
  const inUse = `Stream ${stream} under account 000000000000 already exists.`;
  return [
    create('makes a stream', { StreamName: stream, ShardCount: 3 }, passes('')),
    create(
      'refuses a name that is taken',
      { StreamName: stream, ShardCount: 3 },
      fails('ResourceInUseException', inUse),
    ),
    create(
      'needs a name and a count',
      {},
      violates(["Value null at 'shardCount'", 'not be null'], ["Value null at 'streamName'", 'not be null']),
    ),
    create(
      'refuses no shards',
      { StreamName: 'x', ShardCount: 0 },
      violates(["Value '0' at 'shardCount'", 'have value greater than or equal to 1']),
    ),
    create(
      'refuses 100,001 shards',
      { StreamName: 'x', ShardCount: 100_001 },
      violates(["Value '100001' at 'shardCount'", 'have value less than or equal to 100000']),
    ),
    create(
      'takes integers as Java does',
      { StreamName: 'x', ShardCount: 3e9 },
      violates(["Value '2147483647' at 'shardCount'", 'have value less than or equal to 100000']),
    ),
    {
      ...create(
        'takes an on-demand stream without a count',
        {
          StreamName: `${stream}-on-demand`,
          StreamModeDetails: { StreamMode: 'ON_DEMAND' },
        },
        passes(''),
      ),
      kinesalite: { because: before2021, ...violates(["Value null at 'shardCount'", 'not be null']) },
    },
  ];
}

function nameCases(): Case[] {
  const long = 'x'.repeat(129);
  return [
    create(
      'refuses other characters in a name',
      { StreamName: 'a b', ShardCount: 1 },
      violates(["Value 'a b' at 'streamName'", `satisfy regular expression pattern: ${namePattern}`]),
    ),
    create(
      'refuses an empty name',
      { StreamName: '', ShardCount: 1 },
      violates(
        ["Value '' at 'streamName'", `satisfy regular expression pattern: ${namePattern}`],
        ["Value '' at 'streamName'", 'have length greater than or equal to 1'],
      ),
    ),
    create(
      'refuses a name of 129 characters',
      { StreamName: long, ShardCount: 1 },
      violates([`Value '${long}' at 'streamName'`, 'have length less than or equal to 128']),
    ),
    create(
      'refuses a text for a number',
      { StreamName: 'x', ShardCount: '3' },
      fails('SerializationException', 'class java.lang.String can not be converted to an Integer'),
    ),
    create(
      'refuses a truth for a number',
      { StreamName: 'x', ShardCount: true },
      fails('SerializationException', 'class java.lang.Boolean can not be converted to an Integer'),
    ),
  ];
}

function describeCases(stream: string): Case[] {
  const describe = (body: object) => ({ operation: 'DescribeStreamSummary', body });
  return [
    {
      name: 'DescribeStreamSummary tells all of a stream',
      asked: describe({ StreamName: stream }),
      ...passes(summaryToday(stream)),
      kinesalite: {
        because: 'kinesalite is older than StreamModeDetails, MaxRecordSizeInKiB and RecordDistributionStrategy',
        ...passes({ StreamDescriptionSummary: summary(stream) }),
      },
    },
    { name: 'DescribeStreamSummary of none', asked: describe({ StreamName: 'nope' }), ...notFound('nope') },
    {
      name: 'DescribeStreamSummary needs a name',
      asked: describe({}),
      ...violates(["Value null at 'streamName'", 'not be null']),
    },
    {
      name: 'DescribeStreamSummary of an ARN',
      asked: describe({ StreamARN: arnOf(stream) }),
      ...passes(summaryToday(stream)),
      kinesalite: { because: beforeArn, ...violates(["Value null at 'streamName'", 'not be null']) },
    },
  ];
}

function listShardsCases(stream: string): Case[] {
  const list = (body: object) => ({ operation: 'ListShards', body });
  const all = passes({ Shards: [shard(0), shard(1), shard(2)] });
  return [
    { name: 'ListShards lists all', asked: list({ StreamName: stream }), ...all },
    {
      name: 'ListShards takes a filter that all open shards pass',
      asked: list({ StreamName: stream, ShardFilter: { Type: 'AT_LATEST' } }),
      ...all,
    },
    {
      name: 'ListShards begins behind a shard',
      asked: list({ StreamName: stream, ExclusiveStartShardId: 'shardId-000000000000' }),
      ...passes({ Shards: [shard(1), shard(2)] }),
    },
    {
      name: 'ListShards in pages',
      asked: list({ StreamName: stream, MaxResults: 2 }),
      ...passes({ Shards: [shard(0), shard(1)], NextToken: /^\S+$/ }),
      kinesalite: { because: 'kinesalite has no pages: it lists everything', ...all },
    },
    { name: 'ListShards of no stream', asked: list({ StreamName: 'nope' }), ...notFound('nope') },
    {
      name: 'ListShards needs a name or a token',
      asked: list({}),
      ...fails('InvalidArgumentException', 'Either NextToken or StreamName should be provided.'),
    },
    {
      name: 'ListShards takes no name beside a token',
      asked: list({ StreamName: stream, NextToken: 'x' }),
      ...fails('InvalidArgumentException', 'NextToken and StreamName cannot be provided together.'),
    },
    {
      name: 'ListShards refuses pages of nothing',
      asked: list({ StreamName: stream, MaxResults: 0 }),
      ...violates(["Value '0' at 'maxResults'", 'have value greater than or equal to 1']),
    },
    {
      name: 'ListShards refuses pages of 10,001',
      asked: list({ StreamName: stream, MaxResults: 10_001 }),
      ...violates(["Value '10001' at 'maxResults'", 'have value less than or equal to 10000']),
    },
    {
      name: 'ListShards refuses a list for a text',
      asked: list({ StreamName: [stream] }),
      ...fails('SerializationException', 'Start of list found where not expected'),
    },
  ];
}

export function deadlyStreamCases(): Deadly[] {
  return [
    {
      name: 'ListShards with a token that nobody gave',
      asked: { operation: 'ListShards', body: { NextToken: 'x' } },
      because: 'kinesalite looks for the stream that a request with a token does not name',
      ...fails('InvalidArgumentException', 'Invalid NextToken for account 000000000000.'),
    },
  ];
}
