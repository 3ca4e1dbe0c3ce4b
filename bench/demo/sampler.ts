/**
 * Looks at the daemon's status ten times a second while the demo runs, and keeps what it saw: the curves are drawn from it. In
 * the demo's process; the daemon is asked over HTTP, as any monitoring would ask.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonProcess } from '../daemon-process.ts';

const sampleMs = 100;
/** Over how long rates are taken. */
const rateMs = 500;

export interface Sample {
  /** Since the sampler's start. */
  readonly ms: number;
  readonly accepted: number;
  readonly delivered: number;
  /** Acknowledged and not yet delivered, wherever. */
  readonly waiting: number;
  readonly onDisk: number;
  readonly diskBytes: number;
  readonly breaker: string;
  /** Events/s over the last half second. */
  readonly arriving: number;
  readonly delivering: number;
}

export class Sampler {
  readonly samples: Sample[] = [];
  readonly #daemon: DaemonProcess;
  readonly #stream: string;
  readonly #onSample: (sample: Sample) => void;
  readonly #startMs = performance.now();
  #running = true;
  #loop: Promise<void> | undefined;

  constructor(daemon: DaemonProcess, stream: string, onSample: (sample: Sample) => void) {
    this.#daemon = daemon;
    this.#stream = stream;
    this.#onSample = onSample;
  }

  /** Milliseconds since the start. */
  elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  start(): void {
    this.#loop = this.#run();
    // Whoever awaits stop() hears of it.
    this.#loop.catch(() => {});
  }

  /** Looks once more. Rejects when the daemon could not be asked. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#loop;
    await this.#look();
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const dueMs = this.elapsedMs() + sampleMs;
      await this.#look();
      await sleep(Math.max(0, dueMs - this.elapsedMs()));
    }
  }

  async #look(): Promise<void> {
    const { ledger, backlog, streams } = await this.#daemon.status();
    const ms = this.elapsedMs();
    const stream = streams[this.#stream];
    const last = this.samples.findLast((sample) => sample.ms <= ms - rateMs) ?? this.samples[0];
    const rate = (now: number, before: number): number =>
      last === undefined ? 0 : Math.max(0, ((now - before) * 1_000) / (ms - last.ms));
    const sample: Sample = {
      ms,
      accepted: ledger.accepted,
      delivered: ledger.delivered,
      waiting: backlog.events,
      onDisk: stream?.dlq.spilled ?? 0,
      diskBytes: stream?.dlq.bytes ?? 0,
      breaker: stream?.breaker ?? 'unknown',
      arriving: rate(ledger.accepted, last?.accepted ?? 0),
      delivering: rate(ledger.delivered, last?.delivered ?? 0),
    };
    this.samples.push(sample);
    this.#onSample(sample);
  }
}
