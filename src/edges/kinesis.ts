/**
 * The Kinesis client of one stream in one lane: what spillway asks of AWS, and nothing else. Lane worker only; the main thread
 * never loads it (the SDK costs 150 ms and 20 MB).
 */
import { createRequire } from 'node:module';
import type { ShardRange } from '../batch/shard-ranges.ts';
import { type Client, type KinesisTarget, openClient, streamNameOf } from './kinesis-client.ts';
import { type PreparedBody, type PutRecordsAnswer, prepared } from './put-protocol.ts';

// Imported, this CommonJS package would first be read by a scanner that looks for the names it exports.
const require = createRequire(import.meta.url);
const { DescribeStreamSummaryCommand, ListShardsCommand, PutRecordsCommand } =
  require('@aws-sdk/client-kinesis') as typeof import('@aws-sdk/client-kinesis');

export type { KinesisTarget };

/** What DescribeStreamSummary says of a stream. */
export interface StreamSummary {
  readonly createdMs: number;
  /**
   * Whether Kinesis places records by their hash key. Only on-demand streams have a distribution strategy; where there is none and
   * the mode is not known either, this is `undefined`: no proof.
   */
  readonly placesByKey: boolean | undefined;
  /** Most bytes of a record, partition key included; undefined: not said. */
  readonly recordBytesMax: number | undefined;
}

/** What the delivery loop needs of Kinesis. Calls reject with the SDK's or the network's error. */
export interface Kinesis {
  putRecords(body: PreparedBody): Promise<PutRecordsAnswer>;
  /**
   * PutRecords without records, on the way and with the rights of those with records. Kinesis checks who asks, and then
   * rejects it with a ValidationException.
   */
  probe(): Promise<void>;
  describe(): Promise<StreamSummary>;
  /** All open shards; with `closed`, also those that were split or merged and still hold records. */
  listShards(closed: boolean): Promise<ShardRange[]>;
  destroy(): void;
}

export function openKinesis(target: KinesisTarget): Kinesis {
  const client = openClient(target);
  const name = streamNameOf(target);
  return {
    putRecords: async (body) =>
      (await client.send(
        new PutRecordsCommand({ ...name, Records: [], [prepared]: body } as never),
      )) as PutRecordsAnswer,
    probe: async () => {
      await client.send(new PutRecordsCommand({ ...name, Records: [] }));
    },
    describe: async () => {
      const { StreamDescriptionSummary: summary } = await client.send(new DescribeStreamSummaryCommand(name));
      return {
        createdMs: summary?.StreamCreationTimestamp?.getTime() ?? 0,
        placesByKey: placesByKey(summary?.RecordDistributionStrategy, summary?.StreamModeDetails?.StreamMode),
        recordBytesMax: summary?.MaxRecordSizeInKiB === undefined ? undefined : summary.MaxRecordSizeInKiB * 1024,
      };
    },
    listShards: (closed) => listShards(client, target, closed),
    destroy: () => client.destroy(),
  };
}

/** Of a stream's distribution strategy and mode, as far as they are told: {@link StreamSummary.placesByKey}. */
export function placesByKey(strategy: string | undefined, mode: string | undefined): boolean | undefined {
  return strategy === undefined ? mode === 'PROVISIONED' || undefined : strategy === 'USER_PARTITION_KEY';
}

/** The shards of a stream, as {@link Kinesis.listShards}. Rejects with the SDK's or the network's error. */
export async function listShards(
  client: Client,
  target: KinesisTarget,
  closed: boolean,
  options: { readonly abortSignal?: AbortSignal } = {},
): Promise<ShardRange[]> {
  const filter = closed ? {} : { ShardFilter: { Type: 'AT_LATEST' as const } };
  const ranges: ShardRange[] = [];
  let token: string | undefined;
  do {
    // A token goes alone: Kinesis refuses it beside a stream's name or ARN.
    const page = await client.send(
      new ListShardsCommand(token === undefined ? { ...streamNameOf(target), ...filter } : { NextToken: token }),
      options,
    );
    for (const shard of page.Shards ?? []) {
      ranges.push({
        shardId: shard.ShardId ?? '',
        startingHashKey: shard.HashKeyRange?.StartingHashKey ?? '',
        endingHashKey: shard.HashKeyRange?.EndingHashKey ?? '',
      });
    }
    token = page.NextToken;
  } while (token !== undefined);
  return ranges;
}
