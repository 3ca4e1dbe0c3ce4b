/** The operations about streams: create, delete, list, describe, change. Called by api.ts with validated requests. */
import { type Account, maxRecordSizeInKiBDefault, type StreamReference } from './account.ts';
import type { Distribution, StreamMode } from './stream.ts';
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
  readonly RecordDistributionStrategy?: Distribution;
}

export function createStream(account: Account, request: CreateStreamRequest): undefined {
  const mode = request.StreamModeDetails?.StreamMode ?? 'PROVISIONED';
  if (mode === 'PROVISIONED' && request.ShardCount === undefined) {
    throwViolations(["Value null at 'shardCount' failed to satisfy constraint: Member must not be null"]);
  }
  const distribution = request.RecordDistributionStrategy ?? 'USER_PARTITION_KEY';
  refuseAuto(distribution, mode);
  account.create({
    name: request.StreamName,
    shards: request.ShardCount ?? onDemandShards,
    maxRecordSizeInKiB: request.MaxRecordSizeInKiB ?? maxRecordSizeInKiBDefault,
    mode,
    distribution,
  });
  return undefined;
}

/** Throws InvalidArgumentException for what only on-demand streams can do. The message is not AWS' own, which nobody has shown. */
function refuseAuto(distribution: Distribution, mode: StreamMode): void {
  if (distribution !== 'AUTO' || mode === 'ON_DEMAND') return;
  throw new ApiError(
    'InvalidArgumentException',
    'RecordDistributionStrategy AUTO is only supported for data streams with the on-demand capacity mode.',
  );
}

/** Takes effect with the next record; what is stored stays where it is. */
export function updateDistribution(
  account: Account,
  request: { readonly StreamARN: string; readonly RecordDistributionStrategy: Distribution },
): undefined {
  const stream = account.resolve(request);
  refuseAuto(request.RecordDistributionStrategy, stream.mode);
  stream.distribution = request.RecordDistributionStrategy;
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
      OpenShardCount: stream.open.length,
      ConsumerCount: 0,
      MaxRecordSizeInKiB: stream.maxRecordSizeInKiB,
      RecordDistributionStrategy: stream.distribution,
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
