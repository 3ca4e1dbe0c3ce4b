/**
 * Where latencies are counted: six histograms per recorder, one recorder per lane worker and one on the main thread. The
 * owner records as events pass and takes a snapshot per log interval; the snapshot becomes `latency` log lines.
 *
 * Recording allocates nothing and never throws for a value, however odd. It reads no clock: callers pass durations.
 */
import { assert } from '../base/assert.ts';
import {
  encodeHistogram,
  type Histogram,
  type HistogramEngine,
  highestUs,
  intervalHistogram,
  percentileUs,
  startHistograms,
} from './histogram.ts';
import type { LogFields } from './log-schema.ts';

/** The histograms by handle: index is the handle, the text is the name in log lines. */
export const latencyNames = [
  'ingress_to_ring',
  'ring_wait',
  'linger',
  'put',
  'ingress_to_ack',
  'journal_sync',
] as const;
export type LatencyName = (typeof latencyNames)[number];

/** Handles for {@link LatencyRecorder.record}. */
export const Latency = {
  /** From reading the event to its place in a ring. */
  ingressToRing: 0,
  /** In the ring, until a lane takes it. */
  ringWait: 1,
  /** In a batch that waits for company. */
  linger: 2,
  /** One PutRecords request, sent to answered. */
  put: 3,
  /** From reading the event to Kinesis having it. */
  ingressToAck: 4,
  /** One fdatasync of the journal. */
  journalSync: 5,
} as const satisfies Record<string, number>;
export type Latency = (typeof Latency)[keyof typeof Latency];

/** One non-empty histogram of one interval, as a plain object: goes through `postMessage`. Times in microseconds. */
export interface LatencySnapshot {
  readonly histogram: LatencyName;
  readonly count: number;
  /** How many of `count` were outside 0..1 hour (or not a number) and were moved to the nearest end. */
  readonly clamped: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly mean: number;
  /** HdrHistogram V2, compressed, base64. */
  readonly base64: string;
}

/** Most counts that one interval may hold in one histogram; the next snapshot must come earlier. 32-bit counters. */
export const intervalCountMax = 0xffff_ffff;

export class LatencyRecorder {
  /** `js` where WebAssembly could not be started: recording costs five times as much. */
  readonly engine: HistogramEngine;
  readonly #histograms: readonly Histogram[];
  readonly #counts = new Float64Array(latencyNames.length);
  readonly #clamped = new Float64Array(latencyNames.length);

  /** Use {@link createLatencyRecorder}; the engine must have been started on this thread. */
  constructor(engine: HistogramEngine) {
    this.engine = engine;
    this.#histograms = latencyNames.map(() => intervalHistogram(engine));
  }

  /**
   * Counts `count` events (at least 1) that took `valueUs` microseconds each. Parts of microseconds are cut off; values
   * below 0 count as 0, above one hour as one hour. Beyond {@link intervalCountMax} events in an interval nothing is counted.
   */
  record(handle: Latency, valueUs: number, count: number): void {
    const total = (this.#counts[handle] as number) + count;
    if (total > intervalCountMax) return;
    this.#counts[handle] = total;
    let value = Math.floor(valueUs);
    if (!(value >= 0 && value <= highestUs)) {
      value = value > highestUs ? highestUs : 0;
      this.#clamped[handle] = (this.#clamped[handle] as number) + count;
    }
    (this.#histograms[handle] as Histogram).recordValueWithCount(value, count);
  }

  /** What was recorded since the last snapshot, without the empty histograms; starts the next interval. About 1 ms each. */
  snapshotAndReset(): LatencySnapshot[] {
    const snapshots: LatencySnapshot[] = [];
    for (const [handle, histogram] of latencyNames.entries()) {
      const recorded = this.#histograms[handle] as Histogram;
      const count = this.#counts[handle] as number;
      if (count === 0) continue;
      assert(recorded.totalCount === count, 'the histogram holds what was recorded');
      snapshots.push({
        histogram,
        count,
        clamped: this.#clamped[handle] as number,
        p50: percentileUs(recorded, 50),
        p90: percentileUs(recorded, 90),
        p99: percentileUs(recorded, 99),
        p999: percentileUs(recorded, 99.9),
        max: recorded.maxValue,
        mean: Math.round(recorded.mean * 10) / 10,
        base64: encodeHistogram(recorded),
      });
      recorded.reset();
      this.#counts[handle] = 0;
      this.#clamped[handle] = 0;
    }
    return snapshots;
  }

  /** Gives the memory back. The recorder must not be used afterwards. */
  destroy(): void {
    for (const histogram of this.#histograms) histogram.destroy();
  }
}

/** A recorder for this thread, on WebAssembly where possible; {@link LatencyRecorder.engine} says which it became. */
export function createLatencyRecorder(): LatencyRecorder {
  return new LatencyRecorder(startHistograms());
}

/** A snapshot as the fields of a `latency` log line. `lane` is a lane's number or `main`; the window is the interval it covers. */
export function latencyFields(
  snapshot: LatencySnapshot,
  where: { readonly lane: number | 'main'; readonly stream?: string },
  windowStartMs: number,
  windowMs: number,
): LogFields<'latency'> {
  return {
    lane: where.lane,
    ...(where.stream === undefined ? {} : { stream: where.stream }),
    histogram: snapshot.histogram,
    windowStartMs,
    windowMs,
    count: snapshot.count,
    ...(snapshot.clamped === 0 ? {} : { clamped: snapshot.clamped }),
    p50Us: snapshot.p50,
    p90Us: snapshot.p90,
    p99Us: snapshot.p99,
    p999Us: snapshot.p999,
    maxUs: snapshot.max,
    meanUs: snapshot.mean,
    hdr: snapshot.base64,
  };
}
