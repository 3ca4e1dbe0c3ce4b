/**
 * The daemon in a process of its own, run with a configuration file as an operator runs it. For tests, benchmarks and the demo;
 * whoever starts one stops it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { DlqCondition } from '../src/dlq/condition.ts';
import type { Ledger } from '../src/observe/ledger.ts';

const binary = new URL('../src/main.js', import.meta.url).pathname;

/** Far beyond what a start takes on a busy machine. */
const readyMsMax = 30_000;

/** The parts of `GET /v1/status` that are looked at here. */
export interface Status {
  readonly ledger: Ledger;
  readonly backlog: { readonly events: number; readonly bytes: number; readonly oldestMs: number };
  readonly journal: {
    readonly bytes: number;
    readonly events: number;
    readonly syncs: number;
    readonly behind: number;
    readonly marksWritten: number;
    readonly waiting: number;
  };
  readonly streams: Readonly<Record<string, StreamStatus>>;
  /** Segments of earlier runs in the DLQ, and how many of them are counted. */
  readonly index: { readonly segments: number; readonly indexed: number };
  readonly dlq: DlqCondition;
  readonly lanes: readonly {
    readonly breaker: string;
    readonly ringBytes: number;
    readonly ringCapacity: number;
    readonly oldestMs: number;
    readonly restarts: number;
  }[];
}

export interface StreamStatus {
  readonly ledger: Ledger;
  readonly breaker: 'closed' | 'open' | 'half_open';
  /** PutRecords since the start: answered, failed as a whole, and sent again after that. */
  readonly requests: {
    readonly answered: number;
    readonly failed: number;
    readonly again: number;
    readonly probes: number;
  };
  readonly dlq: { readonly spilled: number; readonly dead: number; readonly bytes: number };
}

export interface LogLine {
  readonly kind: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface DaemonProcess {
  readonly process: ChildProcess;
  /** Of the HTTP listener. */
  readonly url: string;
  readonly log: readonly LogLine[];
  /** Of the configuration's HTTP listener, which there must be. */
  status(): Promise<Status>;
  ledger(): Promise<Ledger>;
  /** Resolves with the first line, past or to come, that `wanted` accepts; rejects when the daemon ends before. */
  line(wanted: (line: LogLine) => boolean): Promise<LogLine>;
  /** SIGINT; resolves with the exit code. */
  stop(): Promise<number | null>;
  readonly exited: Promise<number | null>;
}

export interface DaemonProcessOptions {
  /** The configuration file. */
  readonly config: string;
  /** A command, with its arguments, that runs the daemon as its own: a tracer. The process must stay the daemon's. */
  readonly under?: readonly string[];
  /** Switches of Node's, like those of its profiler. */
  readonly execArgv?: readonly string[];
  /** Variables beside those of this process. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Descriptors of this process that the daemon finds as 3, 4, ... */
  readonly descriptors?: readonly number[];
  /** `pipe`: the configuration has a listener on it. */
  readonly stdin?: 'ignore' | 'pipe';
  /** Told of the child as soon as there is one: a start that fails must not leave it behind. */
  readonly onSpawn?: (child: ChildProcess) => void;
  /** Each line of the log, as it was printed. */
  readonly onLine?: (line: LogLine, printed: string) => void;
}

/** Resolves when the daemon is ready. */
export async function startDaemon(options: DaemonProcessOptions): Promise<DaemonProcess> {
  const { config, under = [], execArgv = [], environment, descriptors = [], stdin = 'ignore' } = options;
  const { onSpawn, onLine } = options;
  // The simulator asks for no particular credentials, but the SDK asks for some.
  const env = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', ...environment };
  const command = [...under, process.execPath, ...execArgv, binary, 'run', '--config', config];
  const child = spawn(command[0] as string, command.slice(1), {
    env,
    stdio: [stdin, 'pipe', 'inherit', ...descriptors],
  });
  onSpawn?.(child);
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const log: LogLine[] = [];
  let waiting: { wanted: (line: LogLine) => boolean; resolve: (line: LogLine) => void }[] = [];
  createInterface({ input: child.stdout as Readable }).on('line', (printed) => {
    const line = JSON.parse(printed) as LogLine;
    log.push(line);
    onLine?.(line, printed);
    waiting = waiting.filter(({ wanted, resolve }) => {
      if (!wanted(line)) return true;
      resolve(line);
      return false;
    });
  });
  const line = (wanted: (line: LogLine) => boolean): Promise<LogLine> =>
    new Promise((resolve, reject) => {
      const found = log.find(wanted);
      if (found !== undefined) return resolve(found);
      waiting.push({ wanted, resolve });
      void exited.then((code) => reject(new Error(`the daemon ended with ${code}`)));
    });
  const late = setTimeout(() => child.kill('SIGKILL'), readyMsMax);
  const ready = await line(({ kind }) => kind === 'ready').finally(() => clearTimeout(late));
  const url = (ready['listeners'] as string[]).find((address) => address.startsWith('http')) as string;
  const status = async (): Promise<Status> => (await (await fetch(`${url}/v1/status`)).json()) as Status;
  return {
    process: child,
    url,
    log,
    status,
    ledger: async () => (await status()).ledger,
    line,
    stop: () => {
      child.kill('SIGINT');
      return exited;
    },
    exited,
  };
}
