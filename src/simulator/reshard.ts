/**
 * SplitShard, MergeShards and UpdateShardCount, called by api.ts with validated requests. All of them are done at once: the
 * stream is never seen UPDATING.
 */
import { type Account, accountId, type StreamReference } from './account.ts';
import type { Shard } from './shard.ts';
import type { Stream } from './stream.ts';
import { ApiError } from './wire.ts';

/** Where a shard is split when nothing else is said; undefined: it is too narrow. */
export function middleOf({ startingHash, endingHash }: Shard): bigint | undefined {
  const middle = startingHash + (endingHash - startingHash + 1n) / 2n;
  return middle > startingHash + 1n && middle < endingHash ? middle : undefined;
}

interface SplitShardRequest extends StreamReference {
  readonly ShardToSplit: string;
  readonly NewStartingHashKey: string;
}

export function splitShard(account: Account, request: SplitShardRequest): undefined {
  const stream = provisioned(account, request);
  const shard = shardOf(stream, request.ShardToSplit);
  const { startingHash, endingHash } = shard;
  const hash = BigInt(request.NewStartingHashKey);
  if (hash <= startingHash + 1n || hash >= endingHash) {
    throw new ApiError(
      'InvalidArgumentException',
      `NewStartingHashKey ${hash} used in SplitShard() on shard ${shard.id} in stream ${stream.name} under account ` +
        `${accountId} is not both greater than one plus the shard's StartingHashKey ${startingHash} and less than the ` +
        `shard's EndingHashKey ${endingHash}.`,
    );
  }
  refuseClosed(stream, [shard]);
  stream.split(shard, hash, Date.now());
  return undefined;
}

interface MergeShardsRequest extends StreamReference {
  readonly ShardToMerge: string;
  readonly AdjacentShardToMerge: string;
}

export function mergeShards(account: Account, request: MergeShardsRequest): undefined {
  const stream = provisioned(account, request);
  const given = [shardOf(stream, request.ShardToMerge), shardOf(stream, request.AdjacentShardToMerge)] as const;
  const [first, second] = given;
  if (first.endingHash + 1n !== second.startingHash) {
    throw new ApiError(
      'InvalidArgumentException',
      `Shards ${first.id} and ${second.id} in stream ${stream.name} under account ${accountId} are not an adjacent ` +
        'pair of shards eligible for merging',
    );
  }
  refuseClosed(stream, given);
  stream.merge(first, second, Date.now());
  return undefined;
}

interface UpdateShardCountRequest extends StreamReference {
  readonly TargetShardCount: number;
}

/** Splits the widest shard, or merges the narrowest pair, until the count is reached. */
export function updateShardCount(account: Account, request: UpdateShardCountRequest): unknown {
  const stream = provisioned(account, request);
  const { TargetShardCount: target } = request;
  const count = stream.open.length;
  if (target > 2 * count || target < count / 2) {
    const [verb, bound] = target > count ? ['up over', 'double'] : ['down below', 'half'];
    throw new ApiError(
      'LimitExceededException',
      `UpdateShardCount cannot scale ${verb} ${bound} your current open shard count. ` +
        `Current open shard count: ${count} Target shard count: ${target}`,
    );
  }
  while (stream.open.length < target) splitWidest(stream);
  while (stream.open.length > target) mergeNarrowest(stream);
  return { StreamName: stream.name, CurrentShardCount: count, TargetShardCount: target, StreamARN: stream.arn };
}

const width = ({ startingHash, endingHash }: Shard): bigint => endingHash - startingHash;

function splitWidest(stream: Stream): void {
  const widest = stream.open.reduce((best, shard) => (width(shard) > width(best) ? shard : best));
  const middle = middleOf(widest);
  if (middle === undefined) throw new ApiError('InvalidArgumentException', 'The shards are too narrow to be split.');
  stream.split(widest, middle, Date.now());
}

function mergeNarrowest(stream: Stream): void {
  const pairs = stream.open.slice(1).map((second, index) => [stream.open[index] as Shard, second] as const);
  const [first, ...others] = pairs;
  if (first === undefined) return;
  const sum = (pair: readonly Shard[]): bigint => pair.reduce((total, shard) => total + width(shard), 0n);
  const narrowest = others.reduce((best, pair) => (sum(pair) < sum(best) ? pair : best), first);
  stream.merge(...narrowest, Date.now());
}

/** The stream, unless AWS alone sets its number of shards. */
function provisioned(account: Account, request: StreamReference): Stream {
  const stream = account.resolve(request);
  if (stream.mode === 'PROVISIONED') return stream;
  throw new ApiError(
    'ValidationException',
    `Request is invalid. Stream ${stream.name} under account ${accountId} is in On-Demand mode.`,
  );
}

/** Zeros before the number may be left out, and so may the name before them; the answer names the shard in full. */
function shardOf(stream: Stream, given: string): Shard {
  const number = /^(?:shardId-)?0*(\d{1,12})$/.exec(given)?.[1];
  const id = number === undefined ? given : `shardId-${number.padStart(12, '0')}`;
  const shard = stream.shards.find((candidate) => candidate.id === id);
  if (shard !== undefined) return shard;
  throw new ApiError(
    'ResourceNotFoundException',
    `Could not find shard ${id} in stream ${stream.name} under account ${accountId}.`,
  );
}

/** A closed shard's hash keys are its children's. */
function refuseClosed(stream: Stream, shards: readonly Shard[]): void {
  const closed = shards.find(({ closedMs }) => closedMs !== undefined);
  if (closed === undefined) return;
  throw new ApiError(
    'InvalidArgumentException',
    `Shard ${closed.id} in stream ${stream.name} under account ${accountId} has already been merged or split, and thus is ` +
      'not eligible for merging or splitting.',
  );
}
