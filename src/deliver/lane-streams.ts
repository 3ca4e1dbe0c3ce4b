/**
 * Builds a lane's streams and gives each its context: the marks in the ring, the counters, the histograms, the messages to the
 * main thread. Lane worker; called once by the lane's task.
 */
import type { Base64 } from '../batch/base64.ts';
import { Batch } from '../batch/batch.ts';
import type { Md5Group } from '../batch/md5-group.ts';
import { CborWire, JsonWire, type Wire } from '../batch/wire.ts';
import { type Clock, systemAfter } from '../edges/clock.ts';
import { openKinesis } from '../edges/kinesis.ts';
import type { Random } from '../edges/random.ts';
import { LaneCounter, type LaneCounters } from '../observe/counters.ts';
import { Latency, type LatencyRecorder } from '../observe/latency.ts';
import type { Arena } from '../ring/arena.ts';
import type { RingConsumer } from '../ring/consumer.ts';
import { EntryState, entry } from '../ring/layout.ts';
import type { DeliveryContext, DeliveryOptions } from './context.ts';
import type { Receipts } from './receipts.ts';
import type { LaneReport } from './report.ts';
import { StreamDelivery } from './stream-delivery.ts';

export interface LaneStreamParts {
  readonly arena: Arena;
  readonly md5: Md5Group;
  readonly base64: Base64;
  readonly counters: LaneCounters;
  readonly clock: Clock;
  readonly random: Random;
  /** When the daemon started, in milliseconds since the epoch: entries tell their time in the ring from then. */
  readonly startedMs: number;
  /** Offset of the words that show each stream's breaker state to the main thread. */
  readonly breakersOffset: number;
  readonly receipts: Receipts;
  readonly report: (report: LaneReport) => void;
  readonly progress: () => void;
}

/** Where a stream's memory lies in the arena. */
export interface StreamMemory {
  readonly aggregates: { readonly offset: number; readonly length: number };
  readonly bodies: readonly { readonly offset: number; readonly length: number }[];
}

export function createStream(
  parts: LaneStreamParts,
  index: number,
  options: DeliveryOptions,
  memory: StreamMemory,
  consumer: RingConsumer,
  latency: LatencyRecorder,
): StreamDelivery {
  const wire = createWire(parts, options);
  const batches = memory.bodies.map(({ offset, length }) => new Batch(offset, length));
  return new StreamDelivery(contextOf(parts, index, options, memory, consumer, latency), wire, batches);
}

function createWire({ arena, base64 }: LaneStreamParts, options: DeliveryOptions): Wire {
  return options.wire === 'cbor' ? new CborWire(arena, options.target) : new JsonWire(arena, base64, options.target);
}

function contextOf(
  parts: LaneStreamParts,
  stream: number,
  options: DeliveryOptions,
  memory: StreamMemory,
  consumer: RingConsumer,
  latency: LatencyRecorder,
): DeliveryContext {
  const { arena, counters, clock, report } = parts;
  const breakerWord = (parts.breakersOffset >>> 2) + stream;
  const context: DeliveryContext = {
    arena,
    md5: parts.md5,
    consumer,
    kinesis: openKinesis(options.target),
    clock,
    after: systemAfter,
    random: parts.random,
    options,
    area: memory.aggregates,
    delivered: (offsets, from, to, shardId, sequenceNumber) => {
      parts.receipts.add(stream, consumer, offsets, from, to, shardId, sequenceNumber);
      const bytes = markDelivered(parts, consumer, latency, offsets, from, to);
      counters.add(stream, LaneCounter.ahead, to - from);
      counters.add(stream, LaneCounter.deliveredBytes, bytes);
    },
    setAside: (offsets, reason) => {
      for (const offset of offsets) consumer.mark(offset, EntryState.setAside, reason);
      report({ type: 'set_aside', offsets });
    },
    parked: () => report({ type: 'parked', stream }),
    expired: (offset, nowMs) => {
      const entered = arena.words[(offset + entry.enteredMs) >>> 2] as number;
      return ((((nowMs - parts.startedMs) | 0) - entered) | 0) > context.options.deadlineMs;
    },
    sentAgain: () => counters.add(stream, LaneCounter.requestsAgain, 1),
    answered: (batch, startUs) => {
      latency.record(Latency.put, clock.nowUs() - startUs, 1);
      counters.add(stream, LaneCounter.requests, 1);
      counters.add(stream, LaneCounter.records, batch.records);
      counters.add(stream, LaneCounter.bodyBytes, batch.length);
    },
    recordsFailed: (count, throttled) => {
      counters.add(stream, LaneCounter.recordsFailed, count);
      counters.add(stream, LaneCounter.recordsThrottled, throttled);
    },
    requestFailed: ({ action, code, message }) => {
      counters.add(stream, LaneCounter.requestsFailed, 1);
      if (action === 'slow') counters.add(stream, LaneCounter.requestsThrottled, 1);
      report({ type: 'request_failed', stream, code, message });
    },
    probed: (failure) => {
      counters.add(stream, LaneCounter.probes, 1);
      if (failure !== undefined)
        report({ type: 'request_failed', stream, code: failure.code, message: failure.message });
    },
    breakerMoved: (from, to, cause) => {
      // Pairs with admission's Atomics.load; nothing rides on it.
      Atomics.store(arena.words, breakerWord, to);
      report({ type: 'breaker', stream, from, to, cause });
    },
    lingered: (waitUs, events) => latency.record(Latency.linger, waitUs, events),
    surveyed: (cause, shards, placesByKey, recordBytesMax) =>
      report({ type: 'survey', stream, cause, shards, placesByKey, recordBytesMax }),
    progress: parts.progress,
  };
  return context;
}

/** Marks entries and records how long they took since their first byte was read; returns their payload bytes. */
function markDelivered(
  { arena, clock }: LaneStreamParts,
  consumer: RingConsumer,
  latency: LatencyRecorder,
  offsets: Uint32Array,
  from: number,
  to: number,
): number {
  const { floats, words } = arena;
  const nowUs = clock.nowUs();
  let bytes = 0;
  let runSeenUs = 0;
  let runEvents = 0;
  for (let i = from; i < to; i++) {
    const offset = offsets[i] as number;
    consumer.markDelivered(offset);
    bytes += words[(offset + entry.length) >>> 2] as number;
    const seenUs = floats[(offset + entry.firstSeenUs) >>> 3] as number;
    // Events of one read share their time stamp: one recording for the run.
    if (seenUs !== runSeenUs) {
      if (runEvents > 0) latency.record(Latency.ingressToAck, nowUs - runSeenUs, runEvents);
      runSeenUs = seenUs;
      runEvents = 0;
    }
    runEvents++;
  }
  if (runEvents > 0) latency.record(Latency.ingressToAck, nowUs - runSeenUs, runEvents);
  return bytes;
}
