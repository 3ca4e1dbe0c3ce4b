/**
 * The processes of bench/overload: a simulator with a fixed rate, the daemon with one policy, its senders; and what is seen of them
 * while a phase lasts. Opened once per policy; close() ends all of it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LatencyMerge } from '../src/observe/hist.ts';
import { latencyRow } from '../src/observe/latency-row.ts';
import { type SimulatorProcess, startSimulator } from '../src/simulator/process.ts';
import { type DaemonProcess, type Status, startDaemon } from './daemon-process.ts';
import type { Order, SenderReport } from './overload-sender.ts';

export const connections = 10;

/** The simulator answers each request after this, and a lane has so many requests of so many bytes under way: the fixed rate. */
export const answerMs = 100;
const requestsInFlight = 4;
const batchBytes = 262_144;
/** The oldest event of a ring may wait for so long before its breaker opens. */
export const openAfterMs = 300;
const sampleMs = 100;

export interface Sample {
  /** Since the stage was opened. */
  readonly ms: number;
  readonly status: Status;
}

/** What a phase came to. */
export interface Phase {
  readonly fromMs: number;
  readonly toMs: number;
  readonly samples: readonly Sample[];
  readonly senders: readonly SenderReport[];
  /** From arrival until Kinesis had it, of what was delivered in the phase; 0: nothing was. */
  readonly ingressToAckP99Ms: number;
}

export class Stage {
  readonly samples: Sample[] = [];
  simulator!: SimulatorProcess;
  daemon!: DaemonProcess;
  readonly #directory: string;
  readonly #startMs = performance.now();
  #senders: ChildProcess | undefined;
  #merge: LatencyMerge | undefined;
  #sampling = true;
  #loop: Promise<void> | undefined;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(overflow: 'refuse' | 'spill'): Promise<Stage> {
    const stage = new Stage(await mkdtemp(join(tmpdir(), 'spillway-overload-')));
    try {
      await stage.#start(overflow);
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  async #start(overflow: string): Promise<void> {
    this.simulator = await startSimulator({ streams: [{ name: 'orders', shards: 4 }], tls: true, counting: true });
    await this.simulator.faults({ latencyMs: answerMs });
    const socket = join(this.#directory, 's.sock');
    const config = join(this.#directory, 'spillway.toml');
    writeFileSync(config, this.#config(socket, overflow));
    this.daemon = await startDaemon({ config, onLine: (_, printed) => void this.#merge?.addLine(printed) });
    const code = fileURLToPath(new URL('overload-sender.js', import.meta.url));
    this.#senders = fork(code, [socket, String(connections)], { execArgv: [] });
    this.#loop = this.#sample();
    // Whoever closes the stage hears of it.
    this.#loop.catch(() => {});
  }

  #config(socket: string, overflow: string): string {
    return `
[daemon]
state_dir = "${this.#directory}/state"
lanes = 1
drain_timeout = "2s"
[[stream]]
name = "orders"
region = "us-east-1"
endpoint = "${this.simulator.url}"
ca_file = "${this.simulator.caFile}"
overflow = "${overflow}"
requests_in_flight = ${requestsInFlight}
batch_bytes = "${batchBytes}"
aggregate_bytes = "64KiB"
record_bytes_max = "64KiB"
linger = "20ms"
[[listen]]
kind = "unix"
path = "${socket}"
[[listen]]
kind = "http"
address = "127.0.0.1:0"
[breaker]
open_after = "${openAfterMs}ms"
[log]
interval = "500ms"
`;
  }

  now(): number {
    return performance.now() - this.#startMs;
  }

  /** Sends at these rates, one per connection; the figures are of what comes after `settleMs`. */
  async phase(eventsPerSecond: readonly number[], settleMs: number, forMs: number): Promise<Phase> {
    this.#order({ type: 'rates', eventsPerSecond });
    await this.#pause(settleMs);
    await this.#report();
    this.#merge = new LatencyMerge({ by: 'total', windowMs: 60_000, series: false });
    const fromMs = this.now();
    await this.#pause(forMs);
    const toMs = this.now();
    const senders = await this.#report();
    const merged = this.#merge.groups().find(({ histogram }) => histogram === 'ingress_to_ack');
    this.#merge = undefined;
    const samples = this.samples.filter(({ ms }) => ms >= fromMs && ms <= toMs);
    return {
      fromMs,
      toMs,
      samples,
      senders,
      ingressToAckP99Ms: merged === undefined ? 0 : latencyRow(merged).p99Us / 1_000,
    };
  }

  /** Resolves with the first sample from now on that `wanted` accepts; undefined after `msMax`. */
  async until(wanted: (sample: Sample) => boolean, msMax: number): Promise<Sample | undefined> {
    const fromMs = this.now();
    while (this.now() - fromMs < msMax) {
      const last = this.samples.at(-1);
      if (last !== undefined && last.ms > fromMs && wanted(last)) return last;
      await this.#pause(sampleMs);
    }
    return undefined;
  }

  async close(): Promise<void> {
    this.#sampling = false;
    await this.#loop?.catch(() => {});
    if (this.#senders?.connected === true) {
      const ended = once(this.#senders, 'exit');
      this.#senders.disconnect();
      await ended;
    }
    await this.simulator?.faults({}).catch(() => {});
    const code = await this.daemon?.stop();
    await this.simulator?.stop();
    await rm(this.#directory, { recursive: true, force: true });
    if (code !== undefined && code !== 0) throw new Error(`the daemon ended with ${code}`);
  }

  async #sample(): Promise<void> {
    while (this.#sampling) {
      const status = await this.daemon.status();
      this.samples.push({ ms: this.now(), status });
      await this.#pause(sampleMs);
    }
  }

  #order(order: Order): void {
    this.#senders?.send(order);
  }

  async #report(): Promise<readonly SenderReport[]> {
    const answer = once(this.#senders as ChildProcess, 'message') as Promise<[readonly SenderReport[]]>;
    this.#order({ type: 'report' });
    return (await answer)[0];
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}
