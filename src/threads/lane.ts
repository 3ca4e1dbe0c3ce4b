/**
 * The lane worker: what Piscina runs in a worker thread, one long task per lane. It owns the reading ends of its
 * rings, one per stream, its Kinesis clients and its streams' breakers, and takes over whatever an earlier worker of this lane left in the rings: entries marked as
 * delivered are counted and not sent again, entries that were in flight are, the rest goes its normal way.
 */
import { threadId } from 'node:worker_threads';
import { Base64 } from '../batch/base64.ts';
import { Md5Group } from '../batch/md5-group.ts';
import { LaneLoop, type LaneStream } from '../deliver/lane-loop.ts';
import { createStream } from '../deliver/lane-streams.ts';
import { Receipts } from '../deliver/receipts.ts';
import { systemClock } from '../edges/clock.ts';
import { systemRandom } from '../edges/random.ts';
import { LaneCounter, LaneCounters } from '../observe/counters.ts';
import { createLatencyRecorder, Latency, type LatencyRecorder } from '../observe/latency.ts';
import { type Arena, openArena } from '../ring/arena.ts';
import { RingConsumer } from '../ring/consumer.ts';
import { EntryState, entry, stateMask, streamMask, streamShift } from '../ring/layout.ts';
import { RingWaiter } from '../ring/waiting.ts';
import type { FromLane, LaneStart, ToLane } from './messages.ts';

/** Piscina's task. Resolves when the main thread says stop. */
export default async function runLane(start: LaneStart): Promise<void> {
  const { port, plan } = start;
  const arena = openArena(start.memory);
  const counters = new LaneCounters(arena, plan.counters, start.streams.length);
  takeOver(arena, start, counters);
  const latencies: LatencyRecorder[] = start.streams.map(() => createLatencyRecorder());
  const post = (message: FromLane): void => port.postMessage(message);
  const receipts = new Receipts(arena, plan.wanted);

  // The main thread wants to know whether the loop runs.
  let isAsked = false;
  const loop = new LaneLoop({
    arena,
    waiter: new RingWaiter(
      arena,
      plan.streams.map(({ ring }) => ring),
    ),
    counters,
    clock: systemClock,
    foundSetAside: (offset) => post({ type: 'set_aside', offsets: Uint32Array.of(offset) }),
    wantedOffset: plan.wanted,
    gaveBack: (tails, moved) => {
      const records = receipts.take();
      if (records.length > 0) post({ type: 'receipts', records });
      if (moved) post({ type: 'given_back', tails });
    },
    turned: () => {
      if (isAsked) post({ type: 'alive' });
      isAsked = false;
    },
  });
  const streams = openStreams(start, arena, counters, latencies, loop, receipts, post);
  const postLatencies = (): void => post(latencyMessage(latencies));
  for (const stream of start.parked) at(streams, stream).delivery.park();
  loop.start(streams);
  post({ type: 'ready', thread: threadId });

  return new Promise((resolve) => {
    port.on('message', (message: ToLane) => {
      switch (message.type) {
        case 'settled':
          return loop.schedule();
        case 'again':
          return again(arena, streams, message.offsets);
        case 'park':
          return at(streams, message.stream).delivery.park();
        case 'unpark':
          return at(streams, message.stream).delivery.unpark();
        case 'interval':
          return postLatencies();
        case 'tune':
          message.tunings.forEach((tuning, stream) => at(streams, stream).delivery.retune(tuning));
          return loop.schedule();
        case 'beat':
          isAsked = true;
          return loop.schedule();
        case 'drain':
          void loop.drain().then(() => post({ type: 'drained' }));
          return;
        case 'stop':
          loop.stop();
          postLatencies();
          for (const latency of latencies) latency.destroy();
          port.close();
          return resolve();
      }
    });
  });
}

function latencyMessage(latencies: readonly LatencyRecorder[]): FromLane {
  return {
    type: 'latency',
    latencies: latencies.map((latency, stream) => ({ stream, snapshots: latency.snapshotAndReset() })),
  };
}

/** Gives each stream its ring's reading end and its delivery; their breakers begin closed. */
function openStreams(
  start: LaneStart,
  arena: Arena,
  counters: LaneCounters,
  latencies: readonly LatencyRecorder[],
  loop: LaneLoop,
  receipts: Receipts,
  report: (message: FromLane) => void,
): LaneStream[] {
  const { plan } = start;
  const parts = {
    arena,
    md5: new Md5Group(arena, plan.md5Scratch),
    base64: new Base64(arena),
    counters,
    clock: systemClock,
    random: systemRandom,
    startedMs: start.startedMs,
    breakersOffset: plan.breakers,
    receipts,
    report,
    progress: () => loop.schedule(),
  };
  return start.streams.map((options, i) => {
    Atomics.store(arena.words, (plan.breakers >>> 2) + i, 0);
    const consumer = new RingConsumer(arena, at(plan.streams, i).ring, counters.tails[i]);
    const latency = at(latencies, i);
    return {
      consumer,
      delivery: createStream(parts, i, options, at(plan.streams, i), consumer, latency),
      ringWaited: (waitUs: number, events: number) => latency.record(Latency.ringWait, waitUs, events),
    };
  });
}

/**
 * Brings the counters of a dead worker to a whole: what it had marked as delivered counts as `ahead`, and the positions up to
 * which it had counted are where the rings go on. At a first start there is nothing in the rings, and this changes nothing.
 */
function takeOver(arena: Arena, start: LaneStart, counters: LaneCounters): void {
  const consumers = start.plan.streams.map(({ ring }, i) => new RingConsumer(arena, ring, counters.tails[i]));
  consumers.forEach((consumer, stream) => {
    counters.add(stream, LaneCounter.ahead, -counters.get(stream, LaneCounter.ahead));
    for (let offset = consumer.next(); offset !== 0; offset = consumer.next()) {
      const state = (arena.words[(offset + entry.state) >>> 2] as number) & stateMask;
      if (state === EntryState.delivered) counters.add(stream, LaneCounter.ahead, 1);
    }
  });
  counters.commit();
  for (const consumer of consumers) consumer.release();
}

/** Hands entries that nobody else wants back to their streams. */
function again(arena: Arena, streams: readonly LaneStream[], offsets: Uint32Array): void {
  const streamOf = (offset: number): number =>
    ((arena.words[(offset + entry.key) >>> 2] as number) >>> streamShift) & streamMask;
  streams.forEach(({ delivery }, i) => {
    const own = offsets.filter((offset) => streamOf(offset) === i);
    if (own.length > 0) delivery.tryOn(own);
  });
}

function at<T>(list: readonly T[], index: number): T {
  return list[index] as T;
}
