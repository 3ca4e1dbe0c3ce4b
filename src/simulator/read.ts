/** GetShardIterator and GetRecords. Called by api.ts with validated requests. In counting mode there is nothing to read. */
import { type Account, accountId, type StreamReference } from './account.ts';
import { describeRange, type Shard } from './shard.ts';
import type { Stream } from './stream.ts';
import { Bytes, Moment } from './values.ts';
import { ApiError, throwDryRun } from './wire.ts';

/** How long an iterator can be used, in milliseconds. */
const iteratorLifeMs = 300_000;
/** Most of one answer of GetRecords: records and bytes of data. */
const recordsMax = 10_000;
const bytesMax = 10 * 1024 ** 2;

/** What an iterator holds: the next record is the first whose counter is at least `counter`. */
interface Iterator {
  readonly stream: string;
  /** The stream's `firstSecond`: the iterator of a stream that was deleted does not read the next one of its name. */
  readonly second: number;
  readonly shard: string;
  readonly counter: number;
  readonly madeMs: number;
}

function invalid(message: string): ApiError {
  return new ApiError('InvalidArgumentException', message);
}

function iteratorText(shard: Shard, counter: number): string {
  const { name, firstSecond } = shard.stream;
  const iterator: Iterator = { stream: name, second: firstSecond, shard: shard.id, counter, madeMs: Date.now() };
  return Buffer.from(JSON.stringify(iterator)).toString('base64');
}

function shardOf(stream: Stream | undefined, streamName: string, shardId: string): Shard {
  const shard = stream?.shards.find((candidate) => candidate.id === shardId);
  if (shard !== undefined) return shard;
  if (!/^shardId-\d{12}$/.test(shardId)) {
    throw new ApiError(
      'ResourceNotFoundException',
      `Could not find shard ${shardId} in stream ${streamName} under account ${accountId}.`,
    );
  }
  throw new ApiError(
    'ResourceNotFoundException',
    `Shard ${shardId} in stream ${streamName} under account ${accountId} does not exist`,
  );
}

interface GetShardIteratorRequest extends StreamReference {
  readonly ShardId: string;
  readonly ShardIteratorType: string;
  readonly StartingSequenceNumber?: string;
  readonly Timestamp?: Moment;
  readonly DryRun?: boolean;
}

export function getShardIterator(account: Account, request: GetShardIteratorRequest): unknown {
  const { name, stream } = account.lookUp(request);
  const shard = shardOf(stream, name, request.ShardId);
  const counter = startingCounter(shard, request);
  throwDryRun(request);
  return { ShardIterator: iteratorText(shard, counter) };
}

function startingCounter(shard: Shard, request: GetShardIteratorRequest): number {
  const { ShardIteratorType: type, StartingSequenceNumber: sequenceNumber, Timestamp: timestamp } = request;
  const atSequenceNumber = type === 'AT_SEQUENCE_NUMBER' || type === 'AFTER_SEQUENCE_NUMBER';
  if (atSequenceNumber !== (sequenceNumber !== undefined) && type !== 'AT_TIMESTAMP') {
    throw invalid(
      'Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or ' +
        '(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. ' +
        `Request specified ${type} and ${atSequenceNumber ? 'no StartingSequenceNumber.' : 'also a StartingSequenceNumber.'}`,
    );
  }
  if (atSequenceNumber) {
    const counter = shard.counterOf(sequenceNumber as string);
    if (counter === undefined) {
      const home = shard.stream.shards.find((other) => other.counterOf(sequenceNumber as string) !== undefined);
      if (home !== undefined) {
        throw invalid(
          `Invalid StartingSequenceNumber. It encodes ${home.id}, while it was used in a call to a shard with ${shard.id}`,
        );
      }
      throw invalid(
        `StartingSequenceNumber ${sequenceNumber} used in GetShardIterator on shard ${shard.id} in stream ` +
          `${shard.stream.name} under account ${accountId} is invalid.`,
      );
    }
    return type === 'AT_SEQUENCE_NUMBER' ? counter : counter + 1;
  }
  if (type === 'LATEST') return shard.nextCounter;
  if (type === 'TRIM_HORIZON') return 0;
  if (timestamp === undefined) {
    throw invalid(
      'Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.',
    );
  }
  const nowMs = Date.now();
  if (timestamp.epochMs > nowMs) {
    throw invalid(
      'The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. ' +
        `timestampInMillis: ${timestamp.epochMs}, currentTimestampInMillis: ${nowMs}`,
    );
  }
  const index = shard.kept.search((record) => record.arrivalMs >= timestamp.epochMs);
  return shard.kept.at(index)?.counter ?? shard.nextCounter;
}

/** A moment as Java prints it: "Thu Jan 22 01:22:02 UTC 2015". */
function javaDate(epochMs: number): string {
  const [weekday, day, month, year, time] = new Date(epochMs).toUTCString().split(/,? /);
  return `${weekday} ${month} ${day} ${time} UTC ${year}`;
}

function readIterator(text: string): Iterator {
  try {
    const iterator = JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as Iterator;
    const { stream, shard, counter, madeMs } = iterator;
    if (typeof stream === 'string' && typeof shard === 'string' && Number.isSafeInteger(counter) && madeMs > 0) {
      return iterator;
    }
  } catch {
    // Not of our making: refused below like any other text.
  }
  throw invalid('Invalid ShardIterator.');
}

export function getRecords(
  account: Account,
  request: { readonly ShardIterator: string; readonly Limit?: number; readonly DryRun?: boolean },
): unknown {
  const iterator = readIterator(request.ShardIterator);
  const nowMs = Date.now();
  if (nowMs - iterator.madeMs > iteratorLifeMs) {
    throw new ApiError(
      'ExpiredIteratorException',
      `Iterator expired. The iterator was created at time ${javaDate(iterator.madeMs)} while right now it is ` +
        `${javaDate(nowMs)} which is further in the future than the tolerated delay of 300000 milliseconds.`,
    );
  }
  const found = account.find(iterator.stream);
  const stream = found?.firstSecond === iterator.second ? found : undefined;
  const shard = shardOf(stream, iterator.stream, iterator.shard);
  throwDryRun(request);
  const limit = request.Limit ?? recordsMax;
  const records: unknown[] = [];
  let next = iterator.counter;
  let bytes = 0;
  let index = shard.kept.search((record) => record.counter >= iterator.counter);
  for (; records.length < limit; index++) {
    const record = shard.kept.at(index);
    if (record === undefined || (bytes > 0 && bytes + record.data.length > bytesMax)) break;
    bytes += record.data.length;
    next = record.counter + 1;
    records.push({
      SequenceNumber: shard.sequenceNumber(record.counter),
      ApproximateArrivalTimestamp: new Moment(record.arrivalMs),
      Data: new Bytes(record.data),
      PartitionKey: record.partitionKey,
      EncryptionType: 'NONE',
    });
  }
  const behind = shard.kept.at(index);
  // A closed shard that was read to its end has no next iterator, but children.
  const ended = behind === undefined && shard.closedMs !== undefined;
  return {
    Records: records,
    ...(ended ? { ChildShards: childrenOf(shard) } : { NextShardIterator: iteratorText(shard, next) }),
    MillisBehindLatest: behind === undefined ? 0 : Math.max(0, nowMs - behind.arrivalMs),
  };
}

function childrenOf(shard: Shard): unknown[] {
  const children = shard.stream.shards.filter(({ birth }) => birth.parents.includes(shard.id));
  return children.map((child) => ({
    ShardId: child.id,
    ParentShards: child.birth.parents,
    HashKeyRange: describeRange(child),
  }));
}
