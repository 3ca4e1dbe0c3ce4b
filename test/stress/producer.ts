/**
 * The ring under two real threads: this one writes numbered messages as fast as it can, consumer.ts reads and checks them.
 *
 * ```
 *   this thread:  claim ─ write ─ (publish, wake: every few messages, by chance)    full: wait    every so often: let it sleep
 *   consumer.ts:  next ... check ... markDelivered (newest first) ─ advance ─ release              empty: sleep
 * ```
 * A ring that is broken may lose its consumer in an endless loop, so whoever makes no progress for some seconds is stopped.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createArena } from '../../src/ring/arena.ts';
import { control, controlBytes, payloadBytesMax, type RingPlace } from '../../src/ring/layout.ts';
import type { RingProducer } from '../../src/ring/producer.ts';
import { type Lengths, lengthOf, writeMessage } from './messages.ts';

/** URLs of the ring's modules: the real ones, or a build with a seeded mistake. */
export interface RingModules {
  readonly producer: string;
  readonly consumer: string;
  readonly waiting: string;
}

export interface Stress {
  readonly messages: number;
  readonly capacity: number;
  readonly startPosition: number;
  /** Longest usual payload; the longest of all is the longest that the ring takes. */
  readonly usualLength: number;
  /** Messages after which the producer waits until the consumer sleeps. */
  readonly sleepEvery: number;
  readonly modules?: RingModules;
  readonly stuckMs?: number;
}

export interface ConsumerStart {
  readonly memory: WebAssembly.Memory;
  readonly place: RingPlace;
  readonly lengths: Lengths;
  readonly messages: number;
  readonly modules: RingModules;
}

export interface ConsumerReport {
  received: number;
  skipped: number;
  /** Messages that came again or after a later one. */
  repeated: number;
  torn: number;
  sleeps: number;
  checksum: number;
}

export interface StressReport extends ConsumerReport {
  /** Why it ended before its end; undefined when it did not. */
  readonly broken: string | undefined;
  /** Times that the positions passed 2^31 or 2^32. */
  readonly wraps: number;
  readonly seconds: number;
}

const realModules: RingModules = {
  producer: new URL('../../src/ring/producer.js', import.meta.url).href,
  consumer: new URL('../../src/ring/consumer.js', import.meta.url).href,
  waiting: new URL('../../src/ring/waiting.js', import.meta.url).href,
};

/** Messages that are written before this thread's event loop gets a turn. */
const sliceMessages = 50_000;

export async function stressRing(stress: Stress): Promise<StressReport> {
  const { messages, capacity, startPosition, usualLength, modules = realModules, stuckMs = 10_000 } = stress;
  const place = { controlOffset: 128, entriesOffset: 128 + controlBytes, capacity };
  const arena = createArena(place.entriesOffset + capacity);
  const headWord = (place.controlOffset + control.head) >>> 2;
  const tailWord = (place.controlOffset + control.tail) >>> 2;
  const sleepingWord = (place.controlOffset + control.sleeping) >>> 2;
  arena.words[headWord] = startPosition;
  arena.words[tailWord] = startPosition;
  const Producer = (await import(modules.producer)).RingProducer as typeof RingProducer;
  const producer = new Producer(arena, place);
  const lengths = { usual: Math.min(usualLength, payloadBytesMax(capacity)), most: payloadBytesMax(capacity) };
  const start: ConsumerStart = { memory: arena.memory, place, lengths, messages, modules };
  const worker = new Worker(new URL('./consumer.js', import.meta.url), { workerData: start });
  let ended: { report?: ConsumerReport; broken?: string } | undefined;
  worker.on('error', (error) => {
    ended ??= { broken: error.message };
  });
  await once(worker, 'message');
  worker.on('message', (report: ConsumerReport) => {
    ended ??= report.received < messages ? { report, broken: 'the consumer gave up' } : { report };
  });

  const startMs = performance.now();
  let sequence = 0;
  let wraps = 0;
  let position = producer.position();
  /** Nobody's word: waiting on it is a pause of this thread that lets the other one run on a machine with one core. */
  const pauseWord = 0;
  let movedMs = startMs;
  let tailSeen = startPosition | 0;

  /** Pauses; false when the consumer has not moved TAIL for too long. */
  const isMoving = (): boolean => {
    const tail = Atomics.load(arena.words, tailWord);
    if (tail !== tailSeen) {
      tailSeen = tail;
      movedMs = performance.now();
    }
    Atomics.wait(arena.words, pauseWord, 0, 0.05);
    return performance.now() - movedMs < stuckMs;
  };
  const publish = (): void => {
    producer.publish();
    producer.wake();
    const next = producer.position();
    if (Math.sign(next) !== Math.sign(position) && position !== 0) wraps++;
    position = next;
  };
  /** Room for the message, waited for; 0 when none came. */
  const claim = (length: number): number => {
    for (let tries = 0; ; tries++) {
      const offset = producer.claim(length);
      if (offset !== 0) return offset;
      publish();
      if (tries > 20_000 && !isMoving()) return 0;
    }
  };
  const writeSlice = (): string | undefined => {
    const end = Math.min(messages, sequence + sliceMessages);
    for (; sequence < end; sequence++) {
      const length = lengthOf(sequence, lengths);
      const offset = claim(length);
      if (offset === 0) return `no room for message ${sequence}`;
      writeMessage(arena, offset, sequence, length);
      if ((length & 3) === 0) publish();
      if ((sequence + 1) % stress.sleepEvery !== 0 || sequence + 1 === messages) continue;
      publish();
      movedMs = performance.now();
      while (Atomics.load(arena.words, sleepingWord) === 0) {
        if (!isMoving()) return `the consumer did not go to sleep after message ${sequence}`;
      }
    }
    publish();
    return undefined;
  };

  movedMs = performance.now();
  while (ended === undefined && sequence < messages) {
    const broken = writeSlice();
    if (broken !== undefined) ended ??= { broken };
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (ended === undefined) {
    if (!isMoving()) ended = { broken: 'the consumer does not come to an end' };
    await new Promise((resolve) => setImmediate(resolve));
  }
  const seconds = (performance.now() - startMs) / 1000;
  await worker.terminate();
  const nothing: ConsumerReport = { received: 0, skipped: 0, repeated: 0, torn: 0, sleeps: 0, checksum: 0 };
  return { ...nothing, ...ended.report, broken: ended.broken, wraps, seconds };
}
