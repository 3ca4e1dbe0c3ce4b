/**
 * Starts the simulator in a process of its own and speaks to it. Any process: `run --embedded`, tests, benchmarks.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SpillwayError } from '../base/errors.ts';
import type { UserEvent } from './events.ts';
import type { SimulatorOptions } from './simulator.ts';

const readyMsMax = 10_000;

export interface SimulatorProcess {
  readonly url: string;
  readonly adminUrl: string;
  /** File with the certificate to trust; undefined without TLS. Removed by {@link stop}. */
  readonly caFile: string | undefined;
  readonly pid: number;
  /** Puts exactly these faults in force. Rejects with what the simulator did not understand. */
  faults(faults: object): Promise<object>;
  stats(): Promise<SimulatorStats>;
  /** Forgets figures, shard budgets and records; streams and faults stay. */
  reset(): Promise<object>;
  /** User events of a stream as a consumer would get them. Rejects for a stream that is not there. */
  events(stream: string): AsyncIterable<UserEvent>;
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): void;
}

/** The parts of `GET /_sim/stats` that tests and benchmarks look at. */
export interface SimulatorStats {
  readonly connections: { readonly open: number; readonly opened: number; readonly tlsOpened: number };
  readonly requests: Readonly<Record<string, number>>;
  /** Error answers by exception. */
  readonly errors: Readonly<Record<string, number>>;
  readonly records: { readonly accepted: number; readonly failed: number };
  readonly userBytes: number;
  readonly bodyBytes: number;
  /** Requests by their encoding. */
  readonly wires: Readonly<Record<'json' | 'cbor', number>>;
  readonly faultsFired: Readonly<Record<string, number>>;
  readonly streams: Readonly<Record<string, StreamStats>>;
}

export interface StreamStats {
  readonly events: number;
  readonly aggregates: number;
  readonly droppedAggregates: number;
  readonly droppedEvents: number;
  readonly unansweredEvents: number;
  readonly evictedRecords: number;
  readonly splits: number;
  readonly merges: number;
  readonly shards: readonly ShardStats[];
}

export interface ShardStats {
  readonly id: string;
  readonly records: number;
  readonly bytes: number;
  readonly open: boolean;
}

type Hello = { url: string; adminUrl: string; certificate?: string } | { error: string };

export async function startSimulator(options: SimulatorOptions): Promise<SimulatorProcess> {
  const child = fork(new URL('./entry.js', import.meta.url), [JSON.stringify(options)], {
    execArgv: [],
    // It prints nothing. A child that inherits a pipe makes it a blocking one, for this process, too: a log that nobody reads would
    // stop it.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const { url, adminUrl, certificate } = await hello(child);
  const directory = certificate === undefined ? undefined : await mkdtemp(join(tmpdir(), 'spillway-sim-'));
  const caFile = directory === undefined ? undefined : join(directory, 'ca.pem');
  if (caFile !== undefined) await writeFile(caFile, certificate as string);
  return {
    url,
    adminUrl,
    caFile,
    pid: child.pid as number,
    faults: (faults) => call(`${adminUrl}/_sim/faults`, JSON.stringify(faults)),
    reset: () => call(`${adminUrl}/_sim/reset`, ''),
    stats: async () => (await call(`${adminUrl}/_sim/stats`)) as SimulatorStats,
    events: (stream) => lines(`${adminUrl}/_sim/events?stream=${encodeURIComponent(stream)}`),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
      if (directory !== undefined) await rm(directory, { recursive: true, force: true });
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

function hello(child: ChildProcess): Promise<Exclude<Hello, { error: string }>> {
  return new Promise((resolve, reject) => {
    const fail = (message: string): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new SpillwayError('simulator', `the simulator did not start: ${message}`));
    };
    const timer = setTimeout(() => fail(`not ready within ${readyMsMax} ms`), readyMsMax);
    const ended = (code: number | null): void => fail(`it ended with ${code}`);
    child.once('exit', ended);
    child.once('message', (message: Hello) => {
      clearTimeout(timer);
      child.off('exit', ended);
      if ('error' in message) fail(message.error);
      else resolve(message);
    });
  });
}

/** One request to the admin API; rejects with its `error` unless it answers 200. */
function call(url: string, body?: string): Promise<object> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: body === undefined ? 'GET' : 'POST', agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => {
        const value = JSON.parse(text) as { error?: string };
        if (response.statusCode === 200) resolve(value);
        else reject(new SpillwayError('simulator', value.error ?? `status ${response.statusCode}`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Rejects with the admin API's `error` unless it answers 200, and when the simulator goes away in the middle. */
async function* lines(url: string): AsyncGenerator<UserEvent> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent: false }, resolve).on('error', reject);
  });
  const reader = createInterface({ input: response });
  // An answer that breaks off has no end, and without one the reader would wait for ever.
  response.once('close', () => reader.close());
  try {
    for await (const line of reader) {
      const value = JSON.parse(line) as UserEvent & { readonly error?: string };
      if (response.statusCode !== 200) throw new SpillwayError('simulator', value.error ?? line);
      yield value;
    }
    if (!response.complete) throw brokenOff();
  } catch (error) {
    // A line without its end, or the connection's own failure.
    throw response.complete ? error : brokenOff(error);
  } finally {
    response.destroy();
  }
}

function brokenOff(cause?: unknown): SpillwayError {
  return new SpillwayError('simulator', 'the simulator ended before its last event', { cause });
}
