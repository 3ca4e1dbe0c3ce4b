/**
 * What the demo needs around it: a temporary directory, the simulator, the daemon, the senders, each a real process. Opened
 * once per demo; close() ends all of it in good order, whatever state it is in.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SimulatorProcess, startSimulator } from '../../src/simulator/process.ts';
import { type DaemonProcess, type LogLine, startDaemon } from '../daemon-process.ts';
import { Senders } from './senders.ts';

export const streamName = 'flights';
export const shards = 4;

/** The daemon drains for 2 s at most; what then still runs is stuck. */
const stopMsMax = 6_000;

export interface StageOptions {
  readonly events: number;
  readonly senders: number;
  /** Interval of the daemon's latency lines. */
  readonly logInterval: string;
  readonly keep: boolean;
  readonly onLine: (line: LogLine, printed: string) => void;
}

export class Stage {
  readonly directory: string;
  readonly logFile: string;
  simulator!: SimulatorProcess;
  daemon!: DaemonProcess;
  senders!: Senders;
  readonly #keep: boolean;
  readonly #log: WriteStream;
  #child: ChildProcess | undefined;

  private constructor(directory: string, keep: boolean) {
    this.directory = directory;
    this.logFile = join(directory, 'daemon.log');
    this.#keep = keep;
    this.#log = createWriteStream(this.logFile);
  }

  /** Resolves when the daemon accepts events and the senders are connected. */
  static async open(options: StageOptions): Promise<Stage> {
    const stage = new Stage(await mkdtemp(join(tmpdir(), 'spillway-demo-')), options.keep);
    try {
      await stage.#start(options);
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  async #start({ events, senders, logInterval, onLine }: StageOptions): Promise<void> {
    this.simulator = await startSimulator({ streams: [{ name: streamName, shards }], tls: true, seed: 1 });
    const socket = join(this.directory, 'flights.sock');
    const config = join(this.directory, 'spillway.toml');
    await writeFile(config, this.#config(socket, logInterval));
    this.daemon = await startDaemon({
      config,
      onSpawn: (child) => {
        this.#child = child;
      },
      onLine: (line, printed) => {
        this.#log.write(`${printed}\n`);
        onLine(line, printed);
      },
    });
    this.senders = await Senders.start(senders, { socket, events });
  }

  /** Breakers, memory and linger are the defaults. */
  #config(socket: string, logInterval: string): string {
    return `
[daemon]
state_dir = "${this.directory}/state"
drain_timeout = "2s"
[[stream]]
name = "${streamName}"
region = "us-east-1"
endpoint = "${this.simulator.url}"
ca_file = "${this.simulator.caFile}"
[[listen]]
kind = "unix"
path = "${socket}"
[[listen]]
kind = "http"
address = "127.0.0.1:0"
[log]
interval = "${logInterval}"
`;
  }

  /** Ends the daemon as an operator would; its exit code, or null when it had to be killed. */
  async stopDaemon(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, 'exit');
    child.kill('SIGINT');
    const stuck = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
    await exited;
    clearTimeout(stuck);
    return child.exitCode;
  }

  /** Senders first, so that none of them sees its daemon go; the endpoint last, so that the daemon can drain into it. */
  async close(): Promise<void> {
    await this.senders?.stop();
    await this.simulator?.faults({}).catch(() => {});
    await this.stopDaemon();
    await this.simulator?.stop();
    await new Promise((resolve) => this.#log.end(resolve));
    if (!this.#keep) await rm(this.directory, { recursive: true, force: true });
  }
}
