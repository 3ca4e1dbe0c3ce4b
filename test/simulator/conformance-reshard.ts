/**
 * Conformance cases about splitting and merging, on a stream of their own. Asked in this order: each leaves the shards as the
 * next expects them; the last ones are those after which kinesalite's shards are no longer like ours.
 */
import {
  aNumber,
  type Case,
  type Expected,
  fails,
  notFound,
  type Pattern,
  passes,
  sequenceNumber,
  violates,
} from './conformance.ts';

const idOf = (index: number): string => `shardId-${String(index).padStart(12, '0')}`;
const half = 2n ** 127n;
const quarter = 2n ** 126n;

interface Ancestry {
  readonly parent?: number;
  readonly adjacent?: number;
  readonly closed?: boolean;
}

const shard = (index: number, start: bigint, end: bigint, { parent, adjacent, closed }: Ancestry = {}): Pattern => ({
  ShardId: idOf(index),
  ...(parent === undefined ? {} : { ParentShardId: idOf(parent) }),
  ...(adjacent === undefined ? {} : { AdjacentParentShardId: idOf(adjacent) }),
  HashKeyRange: { StartingHashKey: String(start), EndingHashKey: String(end - 1n) },
  SequenceNumberRange: {
    StartingSequenceNumber: sequenceNumber,
    ...(closed === true ? { EndingSequenceNumber: sequenceNumber } : {}),
  },
});

const invalid = (message: string | RegExp): Expected => fails('InvalidArgumentException', message);
const noShard = (stream: string, id: string): Expected =>
  fails('ResourceNotFoundException', `Could not find shard ${id} in stream ${stream} under account 000000000000.`);

/** `first` is split at a quarter, then its second half merged with what stood beside it. */
export function reshardCases(prefix: string): Case[] {
  const stream = `${prefix}-resharded`;
  return [
    {
      name: 'CreateStream makes a stream to be resharded',
      asked: { operation: 'CreateStream', body: { StreamName: stream, ShardCount: 2 } },
      ...passes(''),
    },
    ...splitCases(stream),
    ...mergeCases(stream),
    ...afterCases(stream),
    ...differentCases(stream),
  ];
}

function splitCases(stream: string): Case[] {
  const split = (name: string, body: object, expected: Expected): Case => ({
    name: `SplitShard ${name}`,
    asked: { operation: 'SplitShard', body: { StreamName: stream, ShardToSplit: idOf(0), ...body } },
    ...expected,
  });
  const outside = (hash: bigint): Expected =>
    invalid(
      `NewStartingHashKey ${hash} used in SplitShard() on shard ${idOf(0)} in stream ${stream} under account ` +
        "000000000000 is not both greater than one plus the shard's StartingHashKey 0 and less than the shard's " +
        `EndingHashKey ${half - 1n}.`,
    );
  const pattern = 'satisfy regular expression pattern: 0|([1-9]\\d{0,38})';
  return [
    split(
      'needs all of its members',
      { StreamName: undefined, ShardToSplit: undefined },
      violates(
        ["Value null at 'newStartingHashKey'", 'not be null'],
        ["Value null at 'streamName'", 'not be null'],
        ["Value null at 'shardToSplit'", 'not be null'],
      ),
    ),
    {
      ...split(
        'refuses what is no hash key',
        { NewStartingHashKey: '01' },
        violates(["Value '01' at 'newStartingHashKey'", pattern]),
      ),
      kinesalite: {
        because: "kinesalite's pattern matches what begins with a hash key, too",
        ...invalid(/^NewStartingHashKey 01 used in SplitShard/),
      },
    },
    split('of no stream', { StreamName: 'nope', NewStartingHashKey: '5' }, notFound('nope')),
    split('of no shard', { ShardToSplit: idOf(7), NewStartingHashKey: '5' }, noShard(stream, idOf(7))),
    split('of a name that no shard has', { ShardToSplit: 'first', NewStartingHashKey: '5' }, noShard(stream, 'first')),
    split('at the start', { NewStartingHashKey: '1' }, outside(1n)),
    split('at the end', { NewStartingHashKey: String(half - 1n) }, outside(half - 1n)),
    split('in the middle', { NewStartingHashKey: String(quarter) }, passes('')),
    {
      name: 'ListShards after a split',
      asked: { operation: 'ListShards', body: { StreamName: stream } },
      ...passes({
        Shards: [
          shard(0, 0n, half, { closed: true }),
          shard(1, half, 2n * half),
          shard(2, 0n, quarter, { parent: 0 }),
          shard(3, quarter, half, { parent: 0 }),
        ],
      }),
    },
  ];
}

function mergeCases(stream: string): Case[] {
  const merge = (name: string, body: object, expected: Expected): Case => ({
    name: `MergeShards ${name}`,
    asked: {
      operation: 'MergeShards',
      body: { StreamName: stream, ShardToMerge: idOf(3), AdjacentShardToMerge: idOf(1), ...body },
    },
    ...expected,
  });
  const apart = (first: number, second: number): Expected =>
    invalid(
      `Shards ${idOf(first)} and ${idOf(second)} in stream ${stream} under account 000000000000 are not an adjacent ` +
        'pair of shards eligible for merging',
    );
  return [
    merge(
      'needs all of its members',
      { StreamName: undefined, ShardToMerge: undefined, AdjacentShardToMerge: undefined },
      violates(
        ["Value null at 'shardToMerge'", 'not be null'],
        ["Value null at 'adjacentShardToMerge'", 'not be null'],
        ["Value null at 'streamName'", 'not be null'],
      ),
    ),
    merge('of no stream', { StreamName: 'nope' }, notFound('nope')),
    merge('with no shard', { AdjacentShardToMerge: idOf(9) }, noShard(stream, idOf(9))),
    merge('of shards that are apart', { ShardToMerge: idOf(2) }, apart(2, 1)),
    merge('in the wrong order', { ShardToMerge: idOf(1), AdjacentShardToMerge: idOf(3) }, apart(1, 3)),
    merge('of a pair', {}, passes('')),
    {
      name: 'ListShards after a merge',
      asked: { operation: 'ListShards', body: { StreamName: stream, ExclusiveStartShardId: idOf(0) } },
      ...passes({
        Shards: [
          shard(1, half, 2n * half, { closed: true }),
          shard(2, 0n, quarter, { parent: 0 }),
          shard(3, quarter, half, { parent: 0, closed: true }),
          shard(4, quarter, 2n * half, { parent: 3, adjacent: 1 }),
        ],
      }),
    },
  ];
}

function afterCases(stream: string): Case[] {
  const iterate = (place: string): Case => ({
    name: `GetShardIterator of a closed shard, ${place}`,
    asked: {
      operation: 'GetShardIterator',
      body: { StreamName: stream, ShardId: idOf(1), ShardIteratorType: place },
    },
    ...passes({ ShardIterator: /^[A-Za-z0-9+/]+=*$/ }),
  });
  return [
    {
      name: 'PutRecord goes to the open shard of a hash key',
      asked: {
        operation: 'PutRecord',
        body: { StreamName: stream, PartitionKey: 'k', Data: Buffer.from('x'), ExplicitHashKey: String(half) },
      },
      ...passes({ ShardId: idOf(4), SequenceNumber: sequenceNumber, EncryptionType: 'NONE' }),
      kinesalite: {
        because: 'kinesalite is older than EncryptionType',
        ...passes({ ShardId: idOf(4), SequenceNumber: sequenceNumber }),
      },
    },
    iterate('TRIM_HORIZON'),
    {
      name: 'GetRecords of a closed shard, at its end',
      asked: (told) => ({
        operation: 'GetRecords',
        body: { ShardIterator: told('GetShardIterator of a closed shard, TRIM_HORIZON')['ShardIterator'] },
      }),
      ...passes({
        Records: [],
        MillisBehindLatest: aNumber,
        ChildShards: [
          {
            ShardId: idOf(4),
            ParentShards: [idOf(3), idOf(1)],
            HashKeyRange: { StartingHashKey: String(quarter), EndingHashKey: String(2n * half - 1n) },
          },
        ],
      }),
      kinesalite: {
        because: 'kinesalite is older than ChildShards, and says that a shard has ended with the second answer only',
        ...passes({ Records: [], MillisBehindLatest: aNumber, NextShardIterator: /^[A-Za-z0-9+/]+=*$/ }),
      },
    },
  ];
}

function differentCases(stream: string): Case[] {
  const all: Pattern = [
    shard(0, 0n, half, { closed: true }),
    shard(1, half, 2n * half, { closed: true }),
    shard(2, 0n, quarter, { parent: 0 }),
    shard(3, quarter, half, { parent: 0, closed: true }),
    shard(4, quarter, 2n * half, { parent: 3, adjacent: 1 }),
  ];
  return [
    {
      name: 'ListShards of open shards alone',
      asked: { operation: 'ListShards', body: { StreamName: stream, ShardFilter: { Type: 'AT_LATEST' } } },
      ...passes({
        Shards: [shard(2, 0n, quarter, { parent: 0 }), shard(4, quarter, 2n * half, { parent: 3, adjacent: 1 })],
      }),
      kinesalite: { because: 'kinesalite has no filters: it lists everything', ...passes({ Shards: all }) },
    },
    {
      name: 'SplitShard of a closed shard',
      asked: {
        operation: 'SplitShard',
        body: { StreamName: stream, ShardToSplit: idOf(0), NewStartingHashKey: String(quarter) },
      },
      ...invalid(/^Shard shardId-0{12} in stream \S+ under account 0{12} has already been merged or split/),
      kinesalite: { because: 'kinesalite splits shards that are closed', ...passes('') },
    },
    {
      name: 'UpdateShardCount doubles',
      asked: {
        operation: 'UpdateShardCount',
        body: { StreamName: stream, TargetShardCount: 4, ScalingType: 'UNIFORM_SCALING' },
      },
      ...passes({
        StreamName: stream,
        StreamARN: `arn:aws:kinesis:us-east-1:000000000000:stream/${stream}`,
        CurrentShardCount: 2,
        TargetShardCount: 4,
      }),
      kinesalite: { because: 'kinesalite is older than UpdateShardCount', ...fails('UnknownOperationException') },
    },
  ];
}
