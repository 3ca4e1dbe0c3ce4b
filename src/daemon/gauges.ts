/**
 * Reads how the daemon is, for its alerts: rings, DLQ, what the lanes count, the disk. Main thread; a few times a second, and never
 * for an event. Some ten numbers a stream; what becomes of them is alerts/readings.ts' business.
 */
import { type DaemonSample, Readings, type StreamSample } from '../alerts/readings.ts';
import { BreakerState } from '../breaker/breaker.ts';
import type { Dlq } from '../dlq/dlq.ts';
import type { AdmissionRing } from '../ingress/admission.ts';
import { LaneCounter } from '../observe/counters.ts';
import type { LedgerReader } from '../observe/ledger.ts';
import type { Arena } from '../ring/arena.ts';
import { entry } from '../ring/layout.ts';
import type { StreamLatency } from '../threads/messages.ts';
import type { Config } from './config.ts';

/** How often the file system is asked for its free space. */
const diskMs = 5_000;

export interface GaugeParts {
  readonly arena: Arena;
  /** As it is in force: a reload may change it. */
  readonly config: () => Config;
  /** By lane, then by stream. */
  readonly rings: readonly AdmissionRing[];
  readonly ledger: LedgerReader;
  readonly dlq: Dlq;
  readonly nowMs: () => number;
  /** Bytes that the file system of the state directory has left. */
  readonly diskFree: () => Promise<number>;
}

export class Gauges {
  readonly readings: Readings;
  readonly #parts: GaugeParts;
  /** By stream, one per lane. */
  readonly #rings: readonly (readonly AdmissionRing[])[];
  /** By lane, then by stream: p99 of ingress_to_ack in milliseconds, and when it was told. */
  readonly #p99Ms: Float64Array;
  readonly #toldMs: Float64Array;
  #lanesLost = 0;
  #diskFreeBytes: number | undefined;
  #isDiskAsked = false;
  #diskAskedMs = Number.NEGATIVE_INFINITY;

  constructor(parts: GaugeParts) {
    const { config, rings } = parts;
    const { length } = config().streams;
    this.#parts = parts;
    this.readings = new Readings(length);
    this.#rings = config().streams.map((_, stream) => rings.filter((_ring, i) => i % length === stream));
    this.#p99Ms = new Float64Array(rings.length);
    this.#toldMs = new Float64Array(rings.length).fill(Number.NEGATIVE_INFINITY);
  }

  laneLost(): void {
    this.#lanesLost += 1;
  }

  /** A lane's histograms of the log interval that has just ended. */
  laneLatencies(lane: number, latencies: readonly StreamLatency[]): void {
    for (const { stream, snapshots } of latencies) {
      const told = snapshots.find(({ histogram }) => histogram === 'ingress_to_ack');
      const index = lane * this.#rings.length + stream;
      if (told === undefined) continue;
      this.#p99Ms[index] = told.p99 / 1_000;
      this.#toldMs[index] = this.#parts.nowMs();
    }
  }

  sample(): void {
    const { config, ledger, dlq, nowMs } = this.#parts;
    const now = nowMs();
    this.#askDisk(now);
    ledger.readLanes();
    const diskRoomBytes = Math.min(dlq.spillRoomBytes, this.#diskFreeBytes ?? Number.POSITIVE_INFINITY);
    const streams = config().streams.map((_, stream) => this.#stream(stream, diskRoomBytes, now));
    const { spilledBytes, oldestUs } = dlq.holdings(undefined);
    const backlog = {
      // What lies on disk for streams that are not configured is backlog too.
      bytes: streams.reduce((sum, { ringBytes }) => sum + ringBytes, 0) + spilledBytes,
      oldestMs: Math.max(ageMs(oldestUs, now), ...streams.map(({ oldestMs }) => oldestMs)),
    };
    this.readings.sample(streams, this.#daemon(), backlog, now);
  }

  #stream(stream: number, diskRoomBytes: number, now: number): StreamSample & { readonly ringBytes: number } {
    const { arena, config, ledger, dlq } = this.#parts;
    const { openAt } = config().breaker;
    const { spilledBytes, bytes, dead, oldestUs } = dlq.holdings(stream);
    const spills = config().streams[stream]?.overflow === 'spill';
    let [usedBytes, freeBytes, oldestMs, isDiverted] = [0, 0, ageMs(oldestUs, now), false];
    for (const { ring, saturation, breakerWord } of this.#rings[stream] as readonly AdmissionRing[]) {
      const used = ring.usedBytes();
      usedBytes += used;
      freeBytes += Math.max(0, openAt * ring.capacity - used);
      const oldest = ring.oldest();
      if (oldest !== 0) {
        const firstSeenUs = arena.floats[(oldest + entry.firstSeenUs) >>> 3] as number;
        oldestMs = Math.max(oldestMs, ageMs(firstSeenUs, now));
      }
      isDiverted ||= saturation.isOpen || Atomics.load(arena.words, breakerWord) !== BreakerState.closed;
    }
    // What the lanes have delivered stays in the ring until what came before is done too.
    const ringBytes = ledger.inFlight(stream) > 0 ? usedBytes : 0;
    return {
      ringBytes,
      backlogBytes: ringBytes + spilledBytes,
      oldestMs,
      // Without a place on disk a breaker that is open refuses at once.
      roomBytes: spills ? diskRoomBytes : isDiverted ? 0 : freeBytes,
      dlqBytes: bytes,
      dead,
      isDiverted,
      requests: [
        ledger.laneSum(stream, LaneCounter.requests),
        ledger.laneSum(stream, LaneCounter.requestsFailed),
        ledger.laneSum(stream, LaneCounter.requestsThrottled),
        ledger.laneSum(stream, LaneCounter.records),
        ledger.laneSum(stream, LaneCounter.recordsFailed),
        ledger.laneSum(stream, LaneCounter.recordsThrottled),
      ],
      ackP99Ms: this.#ackP99Ms(stream, now),
    };
  }

  #daemon(): DaemonSample {
    const { bytes, maxBytes, full, cause, failing, droppedByReason } = this.#parts.dlq.condition;
    return {
      dlqBytes: bytes,
      dlqMaxBytes: maxBytes,
      isFull: full,
      isDiskFull: cause === 'disk_full',
      isFailing: failing,
      dropped: Object.values(droppedByReason).reduce((sum, events) => sum + events, 0),
      lanesLost: this.#lanesLost,
      diskFreeBytes: this.#diskFreeBytes,
    };
  }

  /** The slowest lane's, unless it is older than two intervals: then nothing was delivered in the last one. */
  #ackP99Ms(stream: number, now: number): number | undefined {
    const { intervalMs } = this.#parts.config().log;
    let most: number | undefined;
    for (let i = stream; i < this.#p99Ms.length; i += this.#rings.length) {
      if (now - (this.#toldMs[i] as number) > 2 * intervalMs) continue;
      most = Math.max(most ?? 0, this.#p99Ms[i] as number);
    }
    return most;
  }

  /** One question at a time: on a disk that stands still each would keep a thread that files need too. */
  #askDisk(now: number): void {
    if (this.#isDiskAsked || now - this.#diskAskedMs < diskMs) return;
    this.#diskAskedMs = now;
    this.#isDiskAsked = true;
    this.#parts
      .diskFree()
      .then(
        (bytes) => {
          this.#diskFreeBytes = bytes;
        },
        () => {
          this.#diskFreeBytes = undefined;
        },
      )
      .finally(() => {
        this.#isDiskAsked = false;
      });
  }
}

/** `firstSeenUs` 0: there is none. */
function ageMs(firstSeenUs: number, nowMs: number): number {
  return firstSeenUs === 0 ? 0 : Math.max(0, Math.round(nowMs - firstSeenUs / 1_000));
}
