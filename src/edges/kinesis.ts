/**
 * The Kinesis client of one stream in one lane: what spillway asks of AWS, and nothing else. Lane worker only; the main thread
 * never loads it (the SDK costs 150 ms and 20 MB).
 */
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createRequire } from 'node:module';
import { createSecureContext, DEFAULT_CIPHERS, rootCertificates } from 'node:tls';
import type { ShardRange } from '../batch/shard-ranges.ts';
import type { StreamRef } from '../batch/wire.ts';
import { type PreparedBody, type PutRecordsAnswer, PutRecordsProtocol, prepared } from './put-protocol.ts';

// Imported, these CommonJS packages would first be read by a scanner that looks for the names they export.
const require = createRequire(import.meta.url);
const { DescribeStreamSummaryCommand, KinesisClient, ListShardsCommand, PutRecordsCommand } =
  require('@aws-sdk/client-kinesis') as typeof import('@aws-sdk/client-kinesis');
const { NodeHttpHandler } = require('@smithy/node-http-handler') as typeof import('@smithy/node-http-handler');

/** How to reach one stream. Plain data: it crosses the thread boundary. */
export interface KinesisTarget extends StreamRef {
  readonly region: string;
  readonly endpoint?: string;
  /** PEM file with certificate authorities to trust beside the usual ones. */
  readonly caFile?: string;
  /** Absent: the SDK's chain (environment, profile, web identity, container, instance metadata). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly requestsInFlight: number;
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

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
  describe(): Promise<StreamSummary>;
  /** All open shards; with `closed`, also those that were split or merged and still hold records. */
  listShards(closed: boolean): Promise<ShardRange[]>;
  destroy(): void;
}

/** TLS 1.3 suites in the order that AWS' own endpoints prefer: AES-128 costs a quarter less than Node's first choice, AES-256. */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  DEFAULT_CIPHERS,
].join(':');

/** Kinesis' namespace and target prefix in the service model. */
const protocolOptions = { defaultNamespace: 'com.amazonaws.kinesis', serviceTarget: 'Kinesis_20131202' };

/** The SDK would print to the console that a body which is a stream cannot be sent again; retries are ours. */
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export function openKinesis(target: KinesisTarget): Kinesis {
  const agentOptions = { keepAlive: true, maxSockets: target.requestsInFlight, scheduling: 'lifo' as const };
  // A context made once: given as `ca`, the agent would join all certificates into a pool name for every request (90 us).
  const ca = target.caFile === undefined ? {} : { ca: [...rootCertificates, readFileSync(target.caFile, 'utf8')] };
  const secureContext = createSecureContext({ ciphers, ...ca });
  const client = new KinesisClient({
    region: target.region,
    ...(target.endpoint === undefined ? {} : { endpoint: target.endpoint }),
    ...(target.credentials === undefined ? {} : { credentials: target.credentials }),
    maxAttempts: 1,
    logger: silent,
    protocol: new PutRecordsProtocol(protocolOptions),
    requestHandler: new NodeHttpHandler({
      httpAgent: new HttpAgent(agentOptions),
      httpsAgent: new HttpsAgent({ ...agentOptions, secureContext }),
      requestTimeout: target.requestTimeoutMs,
      throwOnRequestTimeout: true,
      connectionTimeout: target.connectTimeoutMs,
    }),
  });
  const name = target.streamArn === undefined ? { StreamName: target.streamName } : { StreamARN: target.streamArn };

  return {
    putRecords: async (body) =>
      (await client.send(
        new PutRecordsCommand({ ...name, Records: [], [prepared]: body } as never),
      )) as PutRecordsAnswer,
    describe: async () => {
      const { StreamDescriptionSummary: summary } = await client.send(new DescribeStreamSummaryCommand(name));
      const strategy = summary?.RecordDistributionStrategy;
      const provisioned = summary?.StreamModeDetails?.StreamMode === 'PROVISIONED';
      return {
        createdMs: summary?.StreamCreationTimestamp?.getTime() ?? 0,
        placesByKey: strategy === undefined ? provisioned || undefined : strategy === 'USER_PARTITION_KEY',
        recordBytesMax: summary?.MaxRecordSizeInKiB === undefined ? undefined : summary.MaxRecordSizeInKiB * 1024,
      };
    },
    listShards: async (closed) => {
      const filter = closed ? {} : { ShardFilter: { Type: 'AT_LATEST' as const } };
      const ranges: ShardRange[] = [];
      let token: string | undefined;
      do {
        // A token goes alone: Kinesis refuses it beside a stream's name or ARN.
        const page = await client.send(
          new ListShardsCommand(token === undefined ? { ...name, ...filter } : { NextToken: token }),
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
    },
    destroy: () => client.destroy(),
  };
}
