/**
 * A real daemon in a process of its own, with a real simulator, for tests that go the whole way. Everything it starts is ended,
 * and everything it writes removed, by the test's teardown.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { type DaemonProcess, startDaemon } from '../../bench/daemon-process.ts';
import { connect } from '../../src/client/client.ts';
import type { Ledger } from '../../src/observe/ledger.ts';
import { type SimulatorProcess, startSimulator } from '../../src/simulator/process.ts';
import type { SimulatorOptions } from '../../src/simulator/simulator.ts';
import { NumberedEvents } from './numbered-events.ts';
import { Oracle } from './oracle.ts';

export type { LogLine, Status } from '../../bench/daemon-process.ts';
export type { Ledger };

export interface RunningDaemon extends DaemonProcess {
  readonly socket: string;
}

/** What else a daemon can be given. */
export interface Surroundings {
  /** Tells daemons apart that run at one time: each has a state directory and a socket of its own. */
  readonly name?: string;
  /** Further lines of [daemon]. */
  readonly daemonLines?: string;
  readonly environment?: NodeJS.ProcessEnv;
  readonly stdin?: 'ignore' | 'pipe';
  /** A command that runs the daemon as its own, such as a tracer. */
  readonly under?: readonly string[];
  /** Descriptors of this process that the daemon finds as 3, 4, ... */
  readonly descriptors?: readonly number[];
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

  /** Starts a daemon on this rig's state directory; `stream`: further lines of its [[stream]], `rest`: of its HTTP [[listen]] and below. */
  async daemon(stream = '', rest = '', surroundings: Surroundings = {}): Promise<RunningDaemon> {
    const {
      name = '',
      daemonLines = '',
      environment = {},
      stdin = 'ignore',
      under = [],
      descriptors = [],
    } = surroundings;
    const config = join(this.directory, `spillway${name}.toml`);
    const socket = join(this.directory, `s${name}.sock`);
    const text = `
[daemon]
state_dir = "${this.directory}/state${name}"
${daemonLines}
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
    const daemon = await startDaemon({
      config,
      environment,
      stdin,
      under,
      descriptors,
      onSpawn: (child) => this.#daemons.push(child),
    });
    return { ...daemon, socket };
  }

  /** What an operator does to the stream: sends the command that is made with its ARN. */
  async operate(command: (streamArn: string) => object): Promise<void> {
    const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
    const client = new KinesisClient({ region: 'us-east-1', endpoint: this.simulator.url, credentials });
    await client.send(command('arn:aws:kinesis:us-east-1:000000000000:stream/orders') as never);
    client.destroy();
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
