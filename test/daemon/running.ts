/**
 * A real daemon in a process of its own, with a real simulator, for tests that go the whole way. Everything it starts is ended,
 * and everything it writes removed, by the test's teardown.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from '../../src/client/client.ts';
import { type SimulatorProcess, startSimulator } from '../../src/simulator/process.ts';
import type { SimulatorOptions } from '../../src/simulator/simulator.ts';
import { NumberedEvents } from './numbered-events.ts';
import { Oracle } from './oracle.ts';

const binary = new URL('../../src/main.js', import.meta.url).pathname;

export interface Ledger {
  readonly received: number;
  readonly refused: number;
  readonly accepted: number;
  readonly delivered: number;
  readonly inFlight: number;
  readonly dlq: number;
  readonly dropped: number;
  readonly recovered: number;
}

export interface LogLine {
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** What of `GET /v1/status` is looked at. */
export interface Status {
  readonly ledger: Ledger;
  readonly backlog: { readonly events: number; readonly bytes: number; readonly oldestMs: number };
  readonly lanes: readonly { readonly ringBytes: number; readonly ringCapacity: number; readonly oldestMs: number }[];
}

export interface RunningDaemon {
  readonly process: ChildProcess;
  readonly socket: string;
  readonly log: readonly LogLine[];
  status(): Promise<Status>;
  ledger(): Promise<Ledger>;
  /** Resolves with the first line, past or to come, that `wanted` accepts. */
  line(wanted: (line: LogLine) => boolean): Promise<LogLine>;
  /** SIGINT; resolves with the exit code. */
  stop(): Promise<number | null>;
  exited: Promise<number | null>;
}

/** Whoever ends what a rig has started: a test, or a program with an end of its own. */
export interface Ending {
  teardown(end: () => Promise<void>): void;
}

export class Rig {
  /** What {@link Rig.send} sends and {@link Rig.readBack} expects. */
  readonly events: NumberedEvents;
  readonly directory = mkdtempSync(join(tmpdir(), 'spillway-test-'));
  readonly simulator: SimulatorProcess;
  readonly #daemons: ChildProcess[] = [];

  private constructor(simulator: SimulatorProcess, events: NumberedEvents) {
    this.simulator = simulator;
    this.events = events;
  }

  /** `simulator`: further options of it. */
  static async start(
    t: Ending,
    seed = 1,
    simulator: Omit<SimulatorOptions, 'streams'> = {},
    events = new NumberedEvents({ least: 40, most: 139 }),
  ): Promise<Rig> {
    const streams = [{ name: 'orders', shards: 4 }];
    const rig = new Rig(await startSimulator({ streams, seed, ...simulator }), events);
    t.teardown(() => rig.close());
    return rig;
  }

  /** Starts a daemon on this rig's state directory; `overflow`, and further lines of the config's sections. */
  async daemon(stream = '', rest = ''): Promise<RunningDaemon> {
    const config = join(this.directory, 'spillway.toml');
    const socket = join(this.directory, 's.sock');
    const text = `
[daemon]
state_dir = "${this.directory}/state"
[[stream]]
name = "orders"
region = "us-east-1"
endpoint = "${this.simulator.url}"
${this.simulator.caFile === undefined ? '' : `ca_file = "${this.simulator.caFile}"`}
${stream}
[[listen]]
kind = "unix"
path = "${socket}"
stream = "orders"
[[listen]]
kind = "http"
address = "127.0.0.1:0"
stream = "orders"
${rest}`;
    writeFileSync(config, text);
    const env = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
    const child = spawn(process.execPath, [binary, 'run', '--config', config], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#daemons.push(child);
    const log: LogLine[] = [];
    let waiting: { wanted: (line: LogLine) => boolean; resolve: (line: LogLine) => void }[] = [];
    createInterface({ input: child.stdout }).on('line', (printed) => {
      const line = JSON.parse(printed) as LogLine;
      log.push(line);
      waiting = waiting.filter(({ wanted, resolve }) => {
        if (!wanted(line)) return true;
        resolve(line);
        return false;
      });
    });
    const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    const line = (wanted: (line: LogLine) => boolean): Promise<LogLine> =>
      new Promise((resolve, reject) => {
        const found = log.find(wanted);
        if (found !== undefined) return resolve(found);
        waiting.push({ wanted, resolve });
        void exited.then((code) => reject(new Error(`the daemon ended with ${code}`)));
      });
    const ready = await line(({ kind }) => kind === 'ready');
    const url = (ready['listeners'] as string[]).find((address) => address.startsWith('http')) as string;
    const status = async (): Promise<Status> => (await (await fetch(`${url}/v1/status`)).json()) as Status;
    return {
      process: child,
      socket,
      log,
      line,
      exited,
      status,
      ledger: async () => (await status()).ledger,
      stop: () => {
        child.kill('SIGINT');
        return exited;
      },
    };
  }

  /** Sends events numbered [from, to); resolves when all are judged. */
  async send(socket: string, from: number, to: number): Promise<{ accepted: number; refused: number }> {
    let drained = (): void => {};
    const client = await connect({ path: socket, onDrain: () => drained() });
    for (let i = from; i < to; i++) {
      if (client.send(this.events.keyOf(i), this.events.dataOf(i))) continue;
      await new Promise<void>((resolve) => {
        drained = resolve;
      });
    }
    return client.close();
  }

  /** What the spill segments take on disk. */
  spilledBytes(): number {
    const directory = join(this.directory, 'state', 'dlq');
    const names = readdirSync(directory).filter((name) => name.startsWith('spill-'));
    return names.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  }

  /** What of the events [0, count) is in the stream: streamed, so that millions cost a byte each. */
  async readBack(count: number): Promise<Oracle> {
    const oracle = new Oracle(this.events, count);
    for await (const event of this.simulator.events('orders')) oracle.take(event);
    return oracle;
  }

  async close(): Promise<void> {
    for (const child of this.#daemons) child.kill('SIGKILL');
    await this.simulator.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** For {@link until}: `count` events are delivered, and none is anywhere else. */
export const drained =
  (count: number) =>
  ({ delivered, inFlight, dlq }: Ledger): boolean =>
    delivered === count && inFlight === 0 && dlq === 0;

/** Asks until `ok`; no fixed waits, and an end after `withinMs`. */
export async function until<T>(ask: () => Promise<T>, ok: (value: T) => boolean, withinMs = 60_000): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await ask();
    if (ok(value)) return value;
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
