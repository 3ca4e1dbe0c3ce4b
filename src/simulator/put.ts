/**
 * PutRecord and PutRecords, from a validated request to the answer; and the parts of it that counting mode shares: limits
 * that depend on the stream, and what becomes of one record. Called by api.ts and counting.ts.
 */
import { type Account, accountId, type StreamReference } from './account.ts';
import type { Dice } from './dice.ts';
import type { FaultPlan } from './faults.ts';
import { hashKeyMax } from './hash-key.ts';
import { requestBytesMax } from './shapes.ts';
import type { Rates, Shard } from './shard.ts';
import type { Stream } from './stream.ts';
import type { Tally } from './tally.ts';
import { dataTooLong, throwViolations } from './validate.ts';
import { ApiError, throwDryRun } from './wire.ts';

export interface PutEntry {
  readonly PartitionKey: string;
  readonly ExplicitHashKey?: string;
  readonly Data: Buffer;
}
export interface PutRecordRequest extends PutEntry, StreamReference {
  readonly SequenceNumberForOrdering?: string;
  readonly DryRun?: boolean;
}
export interface PutRecordsRequest extends StreamReference {
  readonly DryRun?: boolean;
  readonly Records: readonly PutEntry[];
}

interface Refusal {
  readonly code: FaultPlan['failedRecordType'];
  readonly message: string;
}

/** What putting needs of the simulator. `keep` is false in counting mode. */
export interface PutContext {
  readonly account: Account;
  readonly dice: Dice;
  readonly tally: Tally;
  readonly keep: boolean;
}

/** A record as its sizes are checked. */
export interface SizedRecord {
  readonly dataBytes: number;
  readonly keyBytes: number;
}

/**
 * Holds records against the stream's limit and the request's. Throws ValidationException for data that alone is too long, which
 * is AWS' answer on streams with the default limit, and InvalidArgumentException for what is so only with its partition key.
 * `pathOf` says where a record's data stands in the request.
 */
export function checkBytes(
  stream: Stream,
  records: readonly SizedRecord[],
  pathOf: (index: number) => string = (index) => `records.${index + 1}.member.data`,
): void {
  const most = stream.maxRecordSizeInKiB * 1_024;
  throwViolations(
    records.flatMap(({ dataBytes }, index) => (dataBytes > most ? [dataTooLong(pathOf(index), most)] : [])),
  );
  let requestBytes = 0;
  for (const { dataBytes, keyBytes } of records) {
    const bytes = dataBytes + keyBytes;
    requestBytes += bytes;
    if (bytes <= most) continue;
    throw new ApiError(
      'InvalidArgumentException',
      `Record size of ${bytes} bytes exceeds the maximum record size of ${most} bytes for stream ${stream.name}.`,
    );
  }
  if (requestBytes > requestBytesMax) {
    throw new ApiError('InvalidArgumentException', 'Records size exceeds 10 MB limit');
  }
}

/** Throws InvalidArgumentException. The pattern of the shape lets numbers of 39 digits pass that exceed 2^128 - 1. */
export function checkHashKey(explicitHashKey: string | undefined): void {
  if (explicitHashKey === undefined || explicitHashKey.length < 39 || BigInt(explicitHashKey) <= hashKeyMax) return;
  throw new ApiError(
    'InvalidArgumentException',
    `Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was ${explicitHashKey}`,
  );
}

/** Throws InvalidArgumentException for a number that no record of the stream has had. Ours always grow, so nothing else is to do. */
function checkOrdering(stream: Stream, sequenceNumber: string | undefined): void {
  if (sequenceNumber === undefined) return;
  if (stream.distribution === 'AUTO') {
    throw new ApiError(
      'InvalidArgumentException',
      `SequenceNumberForOrdering cannot be used on stream ${stream.name}, whose RecordDistributionStrategy is AUTO.`,
    );
  }
  const given = stream.shards.some((shard) => {
    const counter = shard.counterOf(sequenceNumber);
    return counter !== undefined && counter < shard.nextCounter;
  });
  if (given) return;
  throw new ApiError(
    'InvalidArgumentException',
    `ExclusiveMinimumSequenceNumber ${sequenceNumber} used in PutRecord on stream ${stream.name} under account ${accountId} is invalid.`,
  );
}

/** Asks faults and budgets whether `shard` takes a record of `bytes`; undefined: it does. Counts refusals. */
export function refusalOf(context: PutContext, shard: Shard, bytes: number, nowMs: number): Refusal | undefined {
  const { dice } = context;
  if (dice.strikes('shareFailedRecords')) {
    context.tally.failedRecords++;
    const code = dice.plan.failedRecordType;
    return code === 'ProvisionedThroughputExceededException' ? rateExceeded(shard) : { code, message: messages[code] };
  }
  return dice.meetsShards ? refusalOfShard(context, shard, bytes, nowMs) : undefined;
}

const messages = {
  InternalFailure: 'Internal service failure.',
  KMSThrottlingException: 'The request was denied due to request throttling.',
};

function rateExceeded(shard: Shard): Refusal {
  return {
    code: 'ProvisionedThroughputExceededException',
    message: `Rate exceeded for shard ${shard.id} in stream ${shard.stream.name} under account ${accountId}.`,
  };
}

function refusalOfShard({ dice, tally }: PutContext, shard: Shard, bytes: number, nowMs: number): Refusal | undefined {
  const { plan } = dice;
  if (plan.slowShards.includes(shard.index)) dice.slow();
  const hot = plan.hotShards.includes(shard.index);
  if (!hot && !plan.throttle) return undefined;
  const rates: Rates = {
    bytesPerSecond: hot ? plan.hotShardBytesPerSecond : plan.shardBytesPerSecond,
    recordsPerSecond: hot ? plan.hotShardRecordsPerSecond : plan.shardRecordsPerSecond,
    burstSeconds: plan.shardBurstSeconds,
  };
  if (shard.spend(bytes, nowMs, rates)) return undefined;
  dice.count(hot ? 'hotShards' : 'throttle');
  tally.failedRecords++;
  return rateExceeded(shard);
}

/** Counts and, unless counting mode says otherwise, keeps a record; returns its sequence number. */
function accept(context: PutContext, shard: Shard, entry: PutEntry, nowMs: number): string {
  const bytes = entry.Data.length + Buffer.byteLength(entry.PartitionKey);
  const counter = shard.take(bytes);
  context.tally.acceptedRecords++;
  context.tally.userBytes += entry.Data.length;
  if (context.keep) {
    // Data from CBOR lies on the request's body, which a kept record must not keep alive. (Small buffers share Node's pool.)
    const shared = entry.Data.buffer.byteLength;
    const data = shared > entry.Data.length && shared > Buffer.poolSize ? Buffer.from(entry.Data) : entry.Data;
    context.account.keep(shard, counter, entry.PartitionKey, entry.ExplicitHashKey, data, nowMs);
  }
  return shard.sequenceNumber(counter);
}

export function putRecord(context: PutContext, request: PutRecordRequest): unknown {
  const stream = context.account.resolve(request);
  const [dataBytes, keyBytes] = [request.Data.length, Buffer.byteLength(request.PartitionKey)];
  checkBytes(stream, [{ dataBytes, keyBytes }], () => 'data');
  checkHashKey(request.ExplicitHashKey);
  checkOrdering(stream, request.SequenceNumberForOrdering);
  throwDryRun(request);
  const nowMs = Date.now();
  const shard = stream.shardFor(request.PartitionKey, request.ExplicitHashKey);
  const refusal = refusalOf(context, shard, dataBytes + keyBytes, nowMs);
  if (refusal !== undefined) {
    throw new ApiError(refusal.code, refusal.message, refusal.code === 'InternalFailure' ? 500 : 400);
  }
  return { ShardId: shard.id, SequenceNumber: accept(context, shard, request, nowMs), EncryptionType: 'NONE' };
}

export function putRecords(context: PutContext, request: PutRecordsRequest): unknown {
  const stream = context.account.resolve(request);
  const sized = request.Records.map(({ Data, PartitionKey }) => ({
    dataBytes: Data.length,
    keyBytes: Buffer.byteLength(PartitionKey),
  }));
  checkBytes(stream, sized);
  for (const { ExplicitHashKey } of request.Records) checkHashKey(ExplicitHashKey);
  throwDryRun(request);
  const nowMs = Date.now();
  let failed = 0;
  const results = request.Records.map((entry) => {
    const shard = stream.shardFor(entry.PartitionKey, entry.ExplicitHashKey);
    const bytes = entry.Data.length + Buffer.byteLength(entry.PartitionKey);
    const refusal = refusalOf(context, shard, bytes, nowMs);
    if (refusal === undefined) return { SequenceNumber: accept(context, shard, entry, nowMs), ShardId: shard.id };
    failed++;
    return { ErrorCode: refusal.code, ErrorMessage: refusal.message };
  });
  return { FailedRecordCount: failed, Records: results, EncryptionType: 'NONE' };
}
