/** The operations about streams and shards: create, delete, list, describe. Called by api.ts with validated requests. */
import { type Account, accountId, maxRecordSizeInKiBDefault, type StreamReference } from './account.ts';
import type { Shard, Stream, StreamMode } from './stream.ts';
import { throwViolations } from './validate.ts';
import { Moment } from './values.ts';
import { ApiError } from './wire.ts';

/** Shards that AWS gives a new on-demand stream. */
const onDemandShards = 4;

interface CreateStreamRequest {
  readonly StreamName: string;
  readonly ShardCount?: number;
  readonly StreamModeDetails?: { readonly StreamMode: StreamMode };
  readonly MaxRecordSizeInKiB?: number;
  readonly RecordDistributionStrategy?: string;
}

export function createStream(account: Account, request: CreateStreamRequest): undefined {
  const mode = request.StreamModeDetails?.StreamMode ?? 'PROVISIONED';
  if (mode === 'PROVISIONED' && request.ShardCount === undefined) {
    throwViolations(["Value null at 'shardCount' failed to satisfy constraint: Member must not be null"]);
  }
  if (request.RecordDistributionStrategy === 'AUTO') {
    throw new ApiError(
      'InvalidArgumentException',
      'The simulator has no streams with RecordDistributionStrategy AUTO.',
    );
  }
  account.create({
    name: request.StreamName,
    shards: request.ShardCount ?? onDemandShards,
    maxRecordSizeInKiB: request.MaxRecordSizeInKiB ?? maxRecordSizeInKiBDefault,
    mode,
  });
  return undefined;
}

export function updateMaxRecordSize(
  account: Account,
  request: { readonly StreamARN: string; readonly MaxRecordSizeInKiB: number },
): undefined {
  account.resolve(request).maxRecordSizeInKiB = request.MaxRecordSizeInKiB;
  return undefined;
}

export function deleteStream(account: Account, request: StreamReference): undefined {
  account.delete(account.resolve(request));
  return undefined;
}

export function describeStreamSummary(account: Account, request: StreamReference): unknown {
  const stream = account.resolve(request);
  return {
    StreamDescriptionSummary: {
      StreamName: stream.name,
      StreamARN: stream.arn,
      StreamStatus: 'ACTIVE',
      StreamModeDetails: { StreamMode: stream.mode },
      RetentionPeriodHours: 24,
      StreamCreationTimestamp: new Moment(stream.createdMs),
      EnhancedMonitoring: [{ ShardLevelMetrics: [] }],
      EncryptionType: 'NONE',
      OpenShardCount: stream.shards.length,
      ConsumerCount: 0,
      MaxRecordSizeInKiB: stream.maxRecordSizeInKiB,
      RecordDistributionStrategy: 'USER_PARTITION_KEY',
    },
  };
}

/** Streams of one answer unless the request says how many. */
const listStreamsDefault = 100;

export function listStreams(
  account: Account,
  request: { readonly Limit?: number; readonly ExclusiveStartStreamName?: string; readonly NextToken?: string },
): unknown {
  const after = request.NextToken ?? request.ExclusiveStartStreamName ?? '';
  const limit = request.Limit ?? listStreamsDefault;
  const rest = account.list().filter((stream) => stream.name > after);
  const listed = rest.slice(0, limit);
  const more = rest.length > limit;
  return {
    StreamNames: listed.map((stream) => stream.name),
    HasMoreStreams: more,
    ...(more ? { NextToken: listed.at(-1)?.name } : {}),
  };
}

/** How long a NextToken of ListShards can be used, in milliseconds. */
const tokenLifeMs = 300_000;
const listShardsDefault = 1_000;

interface ListShardsRequest extends StreamReference {
  readonly NextToken?: string;
  readonly ExclusiveStartShardId?: string;
  readonly MaxResults?: number;
  readonly StreamCreationTimestamp?: Moment;
  readonly ShardFilter?: { readonly Type: string; readonly ShardId?: string };
}

/** What a NextToken holds. */
interface Page {
  readonly stream: string;
  readonly afterShardId: string;
  readonly madeMs: number;
}

export function listShards(account: Account, request: ListShardsRequest): unknown {
  const { stream, afterShardId } = startOf(account, request);
  const limit = request.MaxResults ?? listShardsDefault;
  const rest = stream.shards.filter((shard) => shard.id > afterShardId);
  const listed = rest.slice(0, limit);
  const last = listed.at(-1);
  const shards = listed.map(describeShard);
  if (rest.length <= limit || last === undefined) return { Shards: shards };
  const page: Page = { stream: stream.name, afterShardId: last.id, madeMs: Date.now() };
  return { Shards: shards, NextToken: Buffer.from(JSON.stringify(page)).toString('base64') };
}

function startOf(account: Account, request: ListShardsRequest): { stream: Stream; afterShardId: string } {
  const { NextToken, StreamName, StreamARN, ExclusiveStartShardId, ShardFilter } = request;
  if (NextToken === undefined) {
    if (StreamName === undefined && StreamARN === undefined) {
      throw new ApiError('InvalidArgumentException', 'Either NextToken or StreamName should be provided.');
    }
    if (ShardFilter?.Type === 'AFTER_SHARD_ID' && ShardFilter.ShardId === undefined) {
      throw new ApiError('InvalidArgumentException', 'ShardFilter of type AFTER_SHARD_ID needs a ShardId.');
    }
    const after = ShardFilter?.Type === 'AFTER_SHARD_ID' ? ShardFilter.ShardId : ExclusiveStartShardId;
    return { stream: account.resolve(request), afterShardId: after ?? '' };
  }
  const companions = { StreamName, StreamARN, ExclusiveStartShardId, ShardFilter };
  for (const [member, value] of Object.entries({
    ...companions,
    StreamCreationTimestamp: request.StreamCreationTimestamp,
  })) {
    if (value === undefined) continue;
    throw new ApiError('InvalidArgumentException', `NextToken and ${member} cannot be provided together.`);
  }
  const page = readPage(NextToken);
  if (Date.now() - page.madeMs > tokenLifeMs) {
    throw new ApiError('ExpiredNextTokenException', 'The NextToken is older than 300 seconds.');
  }
  return { stream: account.resolve({ StreamName: page.stream }), afterShardId: page.afterShardId };
}

function readPage(token: string): Page {
  try {
    const page = JSON.parse(Buffer.from(token, 'base64').toString('utf8')) as Page;
    if (typeof page.stream === 'string' && typeof page.afterShardId === 'string') return page;
  } catch {
    // Not of our making: answered like any other token that says nothing.
  }
  throw new ApiError('InvalidArgumentException', `Invalid NextToken for account ${accountId}.`);
}

function describeShard(shard: Shard): unknown {
  return {
    ShardId: shard.id,
    HashKeyRange: { StartingHashKey: shard.startingHash.toString(), EndingHashKey: shard.endingHash.toString() },
    SequenceNumberRange: { StartingSequenceNumber: shard.sequenceNumber(0) },
  };
}
