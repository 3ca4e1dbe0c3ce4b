/**
 * What a stream's delivery gets from its lane: shared memory, the outside, and where outcomes go. Lane worker. Interfaces only,
 * so that the delivery can be driven by a simulated lane.
 */
import type { Batch } from '../batch/batch.ts';
import type { Md5Group } from '../batch/md5-group.ts';
import type { BreakerState } from '../breaker/breaker.ts';
import type { After, Clock } from '../edges/clock.ts';
import type { Kinesis, KinesisTarget } from '../edges/kinesis.ts';
import type { Random } from '../edges/random.ts';
import type { Arena } from '../ring/arena.ts';
import type { RingConsumer } from '../ring/consumer.ts';
import type { SetAside } from '../ring/layout.ts';
import type { Failure } from './outcome.ts';

/** What of a stream may change while it is delivered. Plain data: it crosses the thread boundary. */
export interface DeliveryTuning {
  readonly lingerMs: number;
  readonly deadlineMs: number;
  /** Consecutive failed requests that open the stream's breaker, and how long it then waits before a probe. */
  readonly failures: number;
  readonly halfOpenAfterMs: number;
}

/** A stream as a lane needs to know it. Plain data: it crosses the thread boundary. */
export interface DeliveryOptions extends DeliveryTuning {
  readonly name: string;
  readonly target: KinesisTarget;
  readonly wire: 'json' | 'cbor';
  readonly aggregation: boolean;
  readonly aggregateBytes: number;
  readonly recordBytesMax: number;
  readonly batchBytes: number;
  readonly batchRecords: number;
  /** `key`: the events of one partition key reach Kinesis in the order of their ring. */
  readonly ordering: 'none' | 'key';
}

export interface DeliveryContext {
  readonly arena: Arena;
  readonly md5: Md5Group;
  readonly consumer: RingConsumer;
  readonly kinesis: Kinesis;
  readonly clock: Clock;
  readonly after: After;
  readonly random: Random;
  /** Replaced as a whole by {@link StreamDelivery.retune}. */
  options: DeliveryOptions;
  /** Where this stream's aggregates are built in the arena. */
  readonly area: { readonly offset: number; readonly length: number };

  /** The ring entries `offsets[from .. to)` are in Kinesis, in the order of the record that has this sequence number. */
  delivered(offsets: Uint32Array, from: number, to: number, shardId: string, sequenceNumber: string): void;
  /** These entries must move to the DLQ. */
  setAside(offsets: Uint32Array, reason: SetAside): void;
  /** All of the stream has left the ring, as {@link StreamDelivery.park} promises. */
  parked(): void;
  /** Whether the entry has been in the ring for longer than the stream's deadline. */
  expired(offset: number, nowMs: number): boolean;
  /** A request that had failed as a whole is sent again. */
  sentAgain(): void;
  /** A request was answered, `startUs` being when it was sent. */
  answered(batch: Batch, startUs: number): void;
  /** Events left for Kinesis after waiting for company. */
  lingered(waitUs: number, events: number): void;
  /** `throttled` of them because their shard had no room. */
  recordsFailed(count: number, throttled: number): void;
  requestFailed(failure: Failure): void;
  /** A breaker's probe was answered, or failed. */
  probed(failure: Failure | undefined): void;
  breakerMoved(from: BreakerState, to: BreakerState, cause: string): void;
  /** What is known of the stream has changed: its open shards (0: unknown), how it places records, its record limit. */
  surveyed(cause: string, shards: number, placesByKey: boolean | undefined, recordBytesMax: number | undefined): void;
  /** Something changed that may let the lane go on: call it again soon. */
  progress(): void;
}
