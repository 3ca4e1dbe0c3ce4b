/**
 * Turns the configuration into what the arena's plan and the lanes need. Main thread; pure.
 */
import { base64Expansion, laneBatchBytes, recordEnvelopeBytesMax } from '../base/limits.ts';
import type { SaturationOptions } from '../breaker/saturation.ts';
import type { DeliveryOptions } from '../deliver/context.ts';
import type { FsyncPolicy } from '../dlq/options.ts';
import { type ArenaSizes, arenaSizes, type PlanInput } from '../threads/plan.ts';
import type { Config, StreamConfig } from './config.ts';

/** Keys that stand for the SDK's credential chain where the endpoint is our own simulator. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A request takes the stream's share of a lane's request memory, and at least the largest record. */
function batchBytes(stream: StreamConfig, streams: number): number {
  const share = streams === 1 ? stream.batchBytes : laneBatchBytes / streams;
  return Math.max(Math.min(stream.batchBytes, Math.floor(share)), stream.recordBytesMax);
}

/** How {@link Config} spends its memory: what `check` tells, and what a shortage is judged by. */
export function memoryOf(config: Config): ArenaSizes {
  return arenaSizes(planInput(config));
}

/** The policy that `dlq.fsync` names. */
export function fsyncPolicy(written: Config['dlq']['fsync']): FsyncPolicy {
  if (typeof written === 'string') return { kind: written };
  return 'bytes' in written
    ? { kind: 'bytes', bytes: written.bytes }
    : { kind: 'interval', intervalMs: written.intervalMs };
}

export function planInput(config: Config): PlanInput {
  return {
    memoryBudgetBytes: config.daemon.memoryBudgetBytes,
    lanes: config.daemon.lanes,
    streams: config.streams.map((stream) => ({
      aggregateBytes: stream.aggregateBytes,
      recordBytesMax: stream.recordBytesMax,
      bodyBytes:
        Math.ceil(batchBytes(stream, config.streams.length) * base64Expansion) +
        stream.batchRecords * recordEnvelopeBytesMax +
        4096,
      requestsInFlight: stream.requestsInFlight,
    })),
  };
}

/** Of the breaker that guards a ring of so many bytes. */
export function saturationOptions({ breaker }: Config, capacityBytes: number): SaturationOptions {
  const { openAt, closeAt, openAfterMs } = breaker;
  return { capacityBytes, openAt, closeAt, openAfterMs };
}

export function deliveryOptions(
  config: Config,
  stream: StreamConfig,
  credentials: Credentials | undefined,
): DeliveryOptions {
  return {
    name: stream.name,
    target: {
      streamName: stream.streamName,
      region: stream.region,
      requestsInFlight: stream.requestsInFlight,
      requestTimeoutMs: stream.requestTimeoutMs,
      connectTimeoutMs: stream.connectTimeoutMs,
      ...(stream.streamArn === undefined ? {} : { streamArn: stream.streamArn }),
      ...(stream.endpoint === undefined ? {} : { endpoint: stream.endpoint }),
      ...(stream.caFile === undefined ? {} : { caFile: stream.caFile }),
      ...(stream.proxy === undefined ? {} : { proxy: stream.proxy }),
      ...(stream.profile === undefined ? {} : { profile: stream.profile }),
      ...(stream.roleArn === undefined ? {} : { roleArn: stream.roleArn }),
      ...(stream.externalId === undefined ? {} : { externalId: stream.externalId }),
      ...(credentials === undefined ? {} : { credentials }),
    },
    wire: stream.wire,
    aggregation: stream.aggregation,
    aggregateBytes: stream.aggregateBytes,
    recordBytesMax: stream.recordBytesMax,
    batchBytes: batchBytes(stream, config.streams.length),
    batchRecords: stream.batchRecords,
    lingerMs: stream.lingerMs,
    deadlineMs: stream.deadlineMs,
    ordering: stream.ordering,
    failures: config.breaker.failures,
    halfOpenAfterMs: config.breaker.halfOpenAfterMs,
  };
}
