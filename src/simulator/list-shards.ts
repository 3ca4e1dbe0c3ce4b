/** ListShards: open and closed shards, filters, pages. Called by api.ts with validated requests. */
import { type Account, accountId, type StreamReference } from './account.ts';
import { describeRange, type Shard } from './shard.ts';
import type { Stream } from './stream.ts';
import type { Moment } from './values.ts';
import { ApiError } from './wire.ts';

/** How long a NextToken can be used, in milliseconds. */
const tokenLifeMs = 300_000;
const listShardsDefault = 1_000;
/** Shards that were closed earlier are out of reach of their readers. */
const retentionMs = 24 * 3_600_000;

type FilterType =
  | 'AFTER_SHARD_ID'
  | 'AT_TRIM_HORIZON'
  | 'FROM_TRIM_HORIZON'
  | 'AT_LATEST'
  | 'AT_TIMESTAMP'
  | 'FROM_TIMESTAMP';

interface ListShardsRequest extends StreamReference {
  readonly NextToken?: string;
  readonly ExclusiveStartShardId?: string;
  readonly MaxResults?: number;
  readonly StreamCreationTimestamp?: Moment;
  readonly ShardFilter?: { readonly Type: FilterType; readonly ShardId?: string; readonly Timestamp?: Moment };
}

/** Where a list begins and what it takes: what a NextToken holds, beside its age. */
interface Page {
  readonly stream: string;
  /** The stream's `firstSecond`: a token of a stream that was deleted does not list the next one of its name. */
  readonly second: number;
  readonly afterShardId: string;
  readonly type: FilterType | undefined;
  /** Of the filters by time. */
  readonly timestampMs: number;
}

export function listShards(account: Account, request: ListShardsRequest): unknown {
  const page = request.NextToken === undefined ? firstPage(account, request) : nextPage(request);
  const stream = account.resolve({ StreamName: page.stream });
  if (stream.firstSecond !== page.second) throw invalidToken();
  const limit = request.MaxResults ?? listShardsDefault;
  const passes = passesOf(stream, page);
  const rest = stream.shards.filter((shard) => shard.id > page.afterShardId && passes(shard));
  const listed = rest.slice(0, limit);
  const last = listed.at(-1);
  const shards = listed.map(describeShard);
  if (rest.length <= limit || last === undefined) return { Shards: shards };
  const token = JSON.stringify({ ...page, afterShardId: last.id, madeMs: Date.now() });
  return { Shards: shards, NextToken: Buffer.from(token).toString('base64') };
}

function firstPage(account: Account, request: ListShardsRequest): Page {
  const { StreamName, StreamARN, ExclusiveStartShardId, ShardFilter, StreamCreationTimestamp } = request;
  if (StreamName === undefined && StreamARN === undefined) {
    throw new ApiError('InvalidArgumentException', 'Either NextToken or StreamName should be provided.');
  }
  const { Type: type, ShardId, Timestamp } = ShardFilter ?? {};
  if (type === 'AFTER_SHARD_ID' && ShardId === undefined) {
    throw new ApiError('InvalidArgumentException', 'ShardFilter of type AFTER_SHARD_ID needs a ShardId.');
  }
  if ((type === 'AT_TIMESTAMP' || type === 'FROM_TIMESTAMP') && Timestamp === undefined) {
    throw new ApiError('InvalidArgumentException', `ShardFilter of type ${type} needs a Timestamp.`);
  }
  const stream = account.resolve(request);
  const created = StreamCreationTimestamp?.epochMs;
  if (created !== undefined && Math.floor(created / 1_000) !== Math.floor(stream.createdMs / 1_000)) {
    throw new ApiError('ResourceNotFoundException', `Stream ${stream.name} under account ${accountId} not found.`);
  }
  const afterShardId = (type === 'AFTER_SHARD_ID' ? ShardId : ExclusiveStartShardId) ?? '';
  return { stream: stream.name, second: stream.firstSecond, afterShardId, type, timestampMs: Timestamp?.epochMs ?? 0 };
}

function nextPage(request: ListShardsRequest): Page {
  const { NextToken, StreamName, StreamARN, ExclusiveStartShardId, ShardFilter, StreamCreationTimestamp } = request;
  const companions = { StreamName, StreamARN, ExclusiveStartShardId, ShardFilter, StreamCreationTimestamp };
  for (const [member, value] of Object.entries(companions)) {
    if (value === undefined) continue;
    throw new ApiError('InvalidArgumentException', `NextToken and ${member} cannot be provided together.`);
  }
  const { madeMs, ...page } = readToken(NextToken as string);
  if (Date.now() - madeMs > tokenLifeMs) {
    throw new ApiError('ExpiredNextTokenException', 'The NextToken is older than 300 seconds.');
  }
  return page;
}

function readToken(token: string): Page & { readonly madeMs: number } {
  try {
    const page = JSON.parse(Buffer.from(token, 'base64').toString('utf8')) as Page & { readonly madeMs: number };
    if (typeof page.stream === 'string' && typeof page.afterShardId === 'string') return page;
  } catch {
    // Not of our making: answered like any other token that says nothing.
  }
  throw invalidToken();
}

function invalidToken(): ApiError {
  return new ApiError('InvalidArgumentException', `Invalid NextToken for account ${accountId}.`);
}

/** Which shards a filter takes. Without one, all of those that can still be read. */
function passesOf(stream: Stream, page: Page): (shard: Shard) => boolean {
  const horizonMs = Math.max(stream.createdMs, Date.now() - retentionMs);
  const openFrom = (timeMs: number) => (shard: Shard) => shard.closedMs === undefined || shard.closedMs >= timeMs;
  const openAt = (timeMs: number) => (shard: Shard) => shard.birth.openedMs <= timeMs && openFrom(timeMs)(shard);
  switch (page.type) {
    case undefined:
    case 'AFTER_SHARD_ID':
    case 'FROM_TRIM_HORIZON':
      return openFrom(horizonMs);
    case 'AT_TRIM_HORIZON':
      return openAt(horizonMs);
    case 'AT_LATEST':
      return (shard) => shard.closedMs === undefined;
    case 'AT_TIMESTAMP':
      return openAt(page.timestampMs);
    case 'FROM_TIMESTAMP':
      return openFrom(page.timestampMs);
  }
}

function describeShard(shard: Shard): unknown {
  const [parent, adjacent] = shard.birth.parents;
  const { endingSequenceNumber } = shard;
  return {
    ShardId: shard.id,
    ...(parent === undefined ? {} : { ParentShardId: parent }),
    ...(adjacent === undefined ? {} : { AdjacentParentShardId: adjacent }),
    HashKeyRange: describeRange(shard),
    SequenceNumberRange: {
      StartingSequenceNumber: shard.sequenceNumber(0),
      ...(endingSequenceNumber === undefined ? {} : { EndingSequenceNumber: endingSequenceNumber }),
    },
  };
}
