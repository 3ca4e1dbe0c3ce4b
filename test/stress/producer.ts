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
import { control, controlBytes, payloadBytesMax } from '../../src/ring/layout.ts';
import type { RingProducer } from '../../src/ring/producer.ts';
import { type ConsumerStart, Found, type RingModules } from './findings.ts';
import { lengthOf, writeMessage } from './messages.ts';

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

export interface StressReport extends Record<keyof typeof Found, number> {
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

/**
 * Tries to claim before it pauses between them: longer than a wake takes, so that the reader is met awake, and short, for where
 * both threads share a core, trying keeps the other one off it.
 */
const patienceTries = 3_000;
/** Messages that are written before this thread's event loop gets a turn. */
const sliceMessages = 50_000;

export async function stressRing(stress: Stress): Promise<StressReport> {
  const producer = new StressProducer(stress);
  await producer.open();
  const startMs = performance.now();
  await producer.run();
  const seconds = (performance.now() - startMs) / 1000;
  return { ...(await producer.end()), seconds };
}

class StressProducer {
  readonly #stress: Stress;
  readonly #place;
  readonly #arena;
  readonly #lengths;
  readonly #report = new Float64Array(new SharedArrayBuffer(8 * Object.keys(Found).length));
  #ring!: RingProducer;
  #worker!: Worker;
  #broken: string | undefined;
  #consumerEnded = false;
  #sequence = 0;
  #position: number;
  #wraps = 0;
  #tailSeen: number;
  #movedMs = 0;

  constructor(stress: Stress) {
    const { capacity, startPosition, usualLength } = stress;
    this.#stress = stress;
    this.#place = { controlOffset: 128, entriesOffset: 128 + controlBytes, capacity };
    this.#arena = createArena(this.#place.entriesOffset + capacity);
    this.#arena.words[this.#word(control.head)] = startPosition;
    this.#arena.words[this.#word(control.tail)] = startPosition;
    this.#position = startPosition | 0;
    this.#tailSeen = this.#position;
    const most = payloadBytesMax(capacity);
    this.#lengths = { usual: Math.min(usualLength, most), most };
  }

  async open(): Promise<void> {
    const { messages, modules = realModules } = this.#stress;
    const Producer = (await import(modules.producer)).RingProducer as typeof RingProducer;
    this.#ring = new Producer(this.#arena, this.#place);
    const workerData: ConsumerStart = {
      memory: this.#arena.memory,
      place: this.#place,
      lengths: this.#lengths,
      messages,
      modules,
      report: this.#report,
    };
    this.#worker = new Worker(new URL('./consumer.js', import.meta.url), { workerData });
    this.#worker.on('error', (error) => {
      this.#broken ??= error.message;
    });
    await once(this.#worker, 'message');
    this.#worker.on('message', () => {
      this.#consumerEnded = true;
    });
    this.#movedMs = performance.now();
  }

  async run(): Promise<void> {
    const { messages } = this.#stress;
    while (this.#broken === undefined && !this.#consumerEnded) {
      if (this.#sequence < messages) this.#writeSlice();
      else if (!this.#isMoving()) this.#broken ??= 'the consumer does not come to an end';
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.#report[Found.received] !== messages) this.#broken ??= 'the consumer gave up';
  }

  async end(): Promise<Omit<StressReport, 'seconds'>> {
    await this.#worker.terminate();
    const found = Object.entries(Found).map(([name, index]) => [name, this.#report[index]]);
    return { ...Object.fromEntries(found), broken: this.#broken, wraps: this.#wraps };
  }

  #writeSlice(): void {
    const { messages, sleepEvery } = this.#stress;
    const end = Math.min(messages, this.#sequence + sliceMessages);
    for (; this.#sequence < end; this.#sequence++) {
      const length = lengthOf(this.#sequence, this.#lengths);
      const offset = this.#claim(length);
      if (offset === 0) return;
      writeMessage(this.#arena, offset, this.#sequence, length);
      if ((length & 3) === 0) this.#publish();
      if ((this.#sequence + 1) % sleepEvery === 0 && this.#sequence + 1 < messages && !this.#letItSleep()) return;
    }
    this.#publish();
  }

  /** Room for the message, waited for; 0 when none came. */
  #claim(length: number): number {
    for (let tries = 0; ; tries++) {
      const offset = this.#ring.claim(length);
      if (offset !== 0) return offset;
      this.#publish();
      if (tries > patienceTries && !this.#isMoving()) {
        this.#broken ??= `no room for message ${this.#sequence}`;
        return 0;
      }
    }
  }

  #letItSleep(): boolean {
    this.#publish();
    this.#movedMs = performance.now();
    while (Atomics.load(this.#arena.words, this.#word(control.sleeping)) === 0) {
      if (this.#isMoving()) continue;
      this.#broken ??= `the consumer did not go to sleep after message ${this.#sequence}`;
      return false;
    }
    return true;
  }

  #publish(): void {
    this.#ring.publish();
    this.#ring.wake();
    const position = this.#ring.position();
    if (position < 0 !== this.#position < 0) this.#wraps++;
    this.#position = position;
  }

  /** Pauses; false when the consumer has not moved TAIL for too long. */
  #isMoving(): boolean {
    const tail = Atomics.load(this.#arena.words, this.#word(control.tail));
    if (tail !== this.#tailSeen) {
      this.#tailSeen = tail;
      this.#movedMs = performance.now();
    }
    // Nobody's word: a pause that lets the other thread run on a machine with one core.
    Atomics.wait(this.#arena.words, 0, 0, 0.05);
    return performance.now() - this.#movedMs < (this.#stress.stuckMs ?? 10_000);
  }

  #word(controlWord: number): number {
    return (this.#place.controlOffset + controlWord) >>> 2;
  }
}
