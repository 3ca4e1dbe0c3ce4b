/**
 * What the main thread and a lane worker say to each other beside the ring. Both threads; types only. Everything is plain data,
 * because `postMessage` strips classes.
 */
import type { MessagePort } from 'node:worker_threads';
import type { DeliveryOptions, DeliveryTuning } from '../deliver/context.ts';
import type { LaneReport } from '../deliver/report.ts';
import type { LatencySnapshot } from '../observe/latency.ts';
import type { LanePlan } from './plan.ts';

/** The task that Piscina hands to a lane worker: everything it needs to run, or to take over from a dead one. */
export interface LaneStart {
  readonly lane: number;
  readonly memory: WebAssembly.Memory;
  readonly plan: LanePlan;
  readonly streams: readonly DeliveryOptions[];
  /** The worker's clock origin for `enteredMs` of ring entries: milliseconds since the epoch. */
  readonly startedMs: number;
  /** Indexes of the streams that are parked, or about to be: a successor must not deliver before it hears of it. */
  readonly parked: readonly number[];
  readonly port: MessagePort;
}

export type ToLane =
  | { readonly type: 'drain' }
  | { readonly type: 'stop' }
  /** The DLQ has what was set aside: look for entries to give back. */
  | { readonly type: 'settled' }
  /** These entries, set aside before, are `pending` again: the DLQ has no room for them. */
  | { readonly type: 'again'; readonly offsets: Uint32Array }
  /**
   * Of a stream that keeps the order of keys: wait a moment for what is in flight, then set aside all that its ring holds, in the
   * order of the ring, and answer `parked` after the last of it. Nothing of the stream enters the ring until `unpark`.
   */
  | { readonly type: 'park'; readonly stream: number }
  /** Events of the stream will enter the ring again. */
  | { readonly type: 'unpark'; readonly stream: number }
  /** Send the latency histograms of the interval that ends now. */
  | { readonly type: 'interval' }
  /** By stream: what may change while it is delivered. */
  | { readonly type: 'tune'; readonly tunings: readonly DeliveryTuning[] }
  /** Answer `alive` after a turn of the loop. */
  | { readonly type: 'beat' };

export type FromLane =
  | LaneReport
  /** `thread`: the worker's thread id. */
  | { readonly type: 'ready'; readonly thread: number }
  | { readonly type: 'alive' }
  | { readonly type: 'drained' }
  | { readonly type: 'latency'; readonly latencies: readonly StreamLatency[] };

/** The histograms of one stream (by index) over one interval. */
export interface StreamLatency {
  readonly stream: number;
  readonly snapshots: readonly LatencySnapshot[];
}
