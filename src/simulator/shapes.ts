/**
 * The requests of the Kinesis API as data: members, types and limits, from AWS' API reference. Read by validate.ts. Pure.
 * Members stand in the order in which mistakes are reported.
 */
import { hashKeyPattern } from './hash-key.ts';

export interface StringShape {
  readonly kind: 'string';
  readonly required?: boolean;
  /** Required where the structure does not have this other member. */
  readonly requiredUnless?: string;
  readonly pattern?: string;
  readonly oneOf?: readonly string[];
  readonly least?: number;
  readonly most?: number;
}
export interface IntegerShape {
  readonly kind: 'integer';
  readonly required?: boolean;
  readonly requiredUnless?: string;
  readonly least?: number;
  readonly most?: number;
}
export interface BlobShape {
  readonly kind: 'blob';
  readonly required?: boolean;
  readonly most?: number;
}
export interface PlainShape {
  readonly kind: 'boolean' | 'timestamp';
  readonly required?: boolean;
}
export interface ListShape {
  readonly kind: 'list';
  readonly required?: boolean;
  readonly least?: number;
  readonly most?: number;
  readonly member: Shape;
  /** How AWS prints one member in a message about the list. */
  readonly printed: string;
}
export interface StructureShape {
  readonly kind: 'structure';
  readonly required?: boolean;
  readonly members: Readonly<Record<string, Shape>>;
}
export type Shape = StringShape | IntegerShape | BlobShape | PlainShape | ListShape | StructureShape;

/** Records that one PutRecords may carry. */
export const recordsMax = 500;
/** Bytes of data and partition keys that one PutRecords may carry. */
export const requestBytesMax = 10 * 1024 ** 2;
/** Bytes that a record's data may have on any stream; a stream's own limit is lower unless raised. */
export const dataBytesMax = 10 * 1024 ** 2;
export const partitionKeyCharsMax = 256;

const name = { kind: 'string', pattern: '[a-zA-Z0-9_.-]+', least: 1, most: 128 } as const satisfies Shape;
const streamName = { ...name, requiredUnless: 'StreamARN' } as const satisfies Shape;
const arn = {
  kind: 'string',
  pattern: 'arn:aws.*:kinesis:.*:\\d{12}:stream/\\S+',
  least: 1,
  most: 2048,
} as const satisfies Shape;
const sequenceNumber = { kind: 'string', pattern: '0|([1-9]\\d{0,128})' } as const satisfies Shape;
const limit = { kind: 'integer', least: 1, most: 10_000 } as const satisfies Shape;
const token = { kind: 'string', least: 1, most: 1_048_576 } as const satisfies Shape;
const dryRun = { kind: 'boolean' } as const satisfies Shape;
const distribution = { kind: 'string', oneOf: ['USER_PARTITION_KEY', 'AUTO'] } as const satisfies Shape;
const maxRecordSizeInKiB = { kind: 'integer', least: 1_024, most: 10_240 } as const satisfies Shape;

export const partitionKeyShape = {
  kind: 'string',
  required: true,
  least: 1,
  most: partitionKeyCharsMax,
} as const satisfies Shape;
export const explicitHashKeyShape = { kind: 'string', pattern: hashKeyPattern } as const satisfies Shape;
const data = { kind: 'blob', required: true, most: dataBytesMax } as const satisfies Shape;

export const recordsShape = {
  kind: 'list',
  required: true,
  least: 1,
  most: recordsMax,
  printed: 'com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@5b2f6d1c',
  member: {
    kind: 'structure',
    required: true,
    members: { PartitionKey: partitionKeyShape, ExplicitHashKey: explicitHashKeyShape, Data: data },
  },
} as const satisfies Shape;

const shardFilter = {
  kind: 'structure',
  members: {
    Type: {
      kind: 'string',
      required: true,
      oneOf: ['AFTER_SHARD_ID', 'AT_TRIM_HORIZON', 'FROM_TRIM_HORIZON', 'AT_LATEST', 'AT_TIMESTAMP', 'FROM_TIMESTAMP'],
    },
    ShardId: name,
    Timestamp: { kind: 'timestamp' },
  },
} as const satisfies Shape;

/** Every operation that the simulator answers, with the shape of its request. */
export const operationShapes = {
  PutRecord: {
    kind: 'structure',
    members: {
      SequenceNumberForOrdering: sequenceNumber,
      PartitionKey: partitionKeyShape,
      ExplicitHashKey: explicitHashKeyShape,
      Data: data,
      StreamName: streamName,
      StreamARN: arn,
      DryRun: dryRun,
    },
  },
  PutRecords: {
    kind: 'structure',
    members: { Records: recordsShape, StreamName: streamName, StreamARN: arn, DryRun: dryRun },
  },
  ListShards: {
    kind: 'structure',
    members: {
      ExclusiveStartShardId: name,
      MaxResults: limit,
      NextToken: token,
      ShardFilter: shardFilter,
      StreamCreationTimestamp: { kind: 'timestamp' },
      StreamName: name,
      StreamARN: arn,
    },
  },
  SplitShard: {
    kind: 'structure',
    members: {
      NewStartingHashKey: { ...explicitHashKeyShape, required: true },
      StreamName: streamName,
      ShardToSplit: { ...name, required: true },
      StreamARN: arn,
    },
  },
  MergeShards: {
    kind: 'structure',
    members: {
      ShardToMerge: { ...name, required: true },
      AdjacentShardToMerge: { ...name, required: true },
      StreamName: streamName,
      StreamARN: arn,
    },
  },
  UpdateShardCount: {
    kind: 'structure',
    members: {
      TargetShardCount: { kind: 'integer', required: true, least: 1, most: 100_000 },
      ScalingType: { kind: 'string', required: true, oneOf: ['UNIFORM_SCALING'] },
      StreamName: streamName,
      StreamARN: arn,
    },
  },
  UpdateStreamRecordDistributionStrategy: {
    kind: 'structure',
    members: {
      RecordDistributionStrategy: { ...distribution, required: true },
      StreamARN: { ...arn, required: true },
    },
  },
  DescribeStreamSummary: { kind: 'structure', members: { StreamName: streamName, StreamARN: arn } },
  CreateStream: {
    kind: 'structure',
    members: {
      ShardCount: { kind: 'integer', requiredUnless: 'StreamModeDetails', least: 1, most: 100_000 },
      StreamName: { ...name, required: true },
      StreamModeDetails: {
        kind: 'structure',
        members: { StreamMode: { kind: 'string', required: true, oneOf: ['PROVISIONED', 'ON_DEMAND'] } },
      },
      MaxRecordSizeInKiB: maxRecordSizeInKiB,
      RecordDistributionStrategy: distribution,
    },
  },
  UpdateMaxRecordSize: {
    kind: 'structure',
    members: { MaxRecordSizeInKiB: { ...maxRecordSizeInKiB, required: true }, StreamARN: { ...arn, required: true } },
  },
  DeleteStream: { kind: 'structure', members: { StreamName: streamName, StreamARN: arn } },
  ListStreams: {
    kind: 'structure',
    members: { Limit: limit, ExclusiveStartStreamName: name, NextToken: token },
  },
  GetShardIterator: {
    kind: 'structure',
    members: {
      ShardId: { ...name, required: true },
      ShardIteratorType: {
        kind: 'string',
        required: true,
        oneOf: ['AFTER_SEQUENCE_NUMBER', 'LATEST', 'AT_TIMESTAMP', 'AT_SEQUENCE_NUMBER', 'TRIM_HORIZON'],
      },
      StartingSequenceNumber: sequenceNumber,
      StreamName: streamName,
      StreamARN: arn,
      Timestamp: { kind: 'timestamp' },
      DryRun: dryRun,
    },
  },
  GetRecords: {
    kind: 'structure',
    members: {
      Limit: limit,
      ShardIterator: { kind: 'string', required: true, least: 1, most: 512 },
      StreamARN: arn,
      DryRun: dryRun,
    },
  },
} as const satisfies Record<string, StructureShape>;

export type Operation = keyof typeof operationShapes;
