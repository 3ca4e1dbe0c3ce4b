/**
 * A real daemon in a process of its own, with a real simulator, for tests that go the whole way. Everything it starts is ended,
 * and everything it writes removed, by the test's teardown.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DaemonProcess, startDaemon } from '../../bench/daemon-process.ts';
import { connect } from '../../src/client/client.ts';
import { type SimulatorProcess, startSimulator } from '../../src/simulator/process.ts';

export type { LogLine } from '../../bench/daemon-process.ts';
export type { Ledger } from '../../src/observe/ledger.ts';

export interface RunningDaemon extends DaemonProcess {
  readonly socket: string;
}

/** What else a daemon can be given. */
export interface Surroundings {
  /** Further lines of [daemon]. */
  readonly daemonLines?: string;
  readonly environment?: NodeJS.ProcessEnv;
  readonly stdin?: 'ignore' | 'pipe';
}

export class Rig {
  readonly directory = mkdtempSync(join(tmpdir(), 'spillway-test-'));
  readonly simulator: SimulatorProcess;
  readonly #daemons: ChildProcess[] = [];

  private constructor(simulator: SimulatorProcess) {
    this.simulator = simulator;
  }

  static async start(t: { teardown(end: () => Promise<void>): void }, seed = 1): Promise<Rig> {
    const rig = new Rig(await startSimulator({ streams: [{ name: 'orders', shards: 4 }], seed }));
    t.teardown(() => rig.close());
    return rig;
  }

  /** Starts a daemon on this rig's state directory; `stream`: further lines of its [[stream]], `rest`: of its HTTP [[listen]] and below. */
  async daemon(stream = '', rest = '', surroundings: Surroundings = {}): Promise<RunningDaemon> {
    const { daemonLines = '', environment = {}, stdin = 'ignore' } = surroundings;
    const config = join(this.directory, 'spillway.toml');
    const socket = join(this.directory, 's.sock');
    const text = `
[daemon]
state_dir = "${this.directory}/state"
${daemonLines}
[[stream]]
name = "orders"
region = "us-east-1"
endpoint = "${this.simulator.url}"
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
    const daemon = await startDaemon({ config, environment, stdin, onSpawn: (child) => this.#daemons.push(child) });
    return { ...daemon, socket };
  }

  /** Sends events numbered [from, to) with 1,000 keys; resolves when all are judged. */
  async send(socket: string, from: number, to: number): Promise<{ accepted: number; refused: number }> {
    let drained = (): void => {};
    const client = await connect({ path: socket, onDrain: () => drained() });
    for (let i = from; i < to; i++) {
      if (client.send(`key${i % 1_000}`, `{"id":${i},"text":"${'x'.repeat(i % 100)}"}`)) continue;
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

  /** How often each event [0, count) is in the stream, with its payload as it was sent. Events that are none of ours throw. */
  async readBack(count: number): Promise<Uint8Array> {
    const seen = new Uint8Array(count);
    for await (const { data, partitionKey } of this.simulator.events('orders')) {
      const text = Buffer.from(data, 'base64').toString();
      const id = Number(/^\{"id":(\d+),/.exec(text)?.[1]);
      const expected = `{"id":${id},"text":"${'x'.repeat(id % 100)}"}`;
      if (text !== expected || partitionKey !== `key${id % 1_000}`) throw new Error(`altered event: ${text}`);
      seen[id] = (seen[id] as number) + 1;
    }
    return seen;
  }

  async close(): Promise<void> {
    for (const child of this.#daemons) child.kill('SIGKILL');
    await this.simulator.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Asks until `ok`; no fixed waits, and an end after 60 s. */
export async function until<T>(ask: () => Promise<T>, ok: (value: T) => boolean): Promise<T> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const value = await ask();
    if (ok(value)) return value;
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function counts(seen: Uint8Array): { lost: number; duplicated: number } {
  let lost = 0;
  let duplicated = 0;
  for (const times of seen) {
    if (times === 0) lost++;
    if (times > 1) duplicated++;
  }
  return { lost, duplicated };
}
