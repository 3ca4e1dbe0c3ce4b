/**
 * The daemon of bench/end-to-end: the real binary with a configuration of its own, in a process of its own, watched from
 * outside: CPU time and memory by /proc, the ledger by HTTP, latencies by the log that it writes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LatencyMerge } from '../src/observe/hist.ts';

const binary = fileURLToPath(new URL('../src/main.js', import.meta.url));
/** Linux counts CPU time in ticks of 10 ms (USER_HZ, the same on all architectures that Node supports). */
const ticksPerSecond = 100;

export interface DaemonPlan {
  readonly directory: string;
  readonly endpoint: string;
  readonly caFile: string;
  /** Further lines of [[stream]]. */
  readonly stream: string;
  /** Where a CPU profile of each thread goes; undefined: none is taken. */
  readonly profileDir: string | undefined;
}

export interface WatchedDaemon {
  readonly socket: string;
  readonly pid: number;
  delivered(): Promise<number>;
  /** SIGINT; resolves when it has ended. Throws unless it exits with 0. */
  stop(): Promise<void>;
  /** SIGKILL, if it still runs. */
  kill(): void;
  /** What its latency lines came to since {@link resetLatencies}; complete after {@link stop}. */
  readonly latencies: LatencyMerge;
  resetLatencies(): void;
}

export async function startDaemon(plan: DaemonPlan): Promise<WatchedDaemon> {
  const socket = join(plan.directory, 's.sock');
  const config = join(plan.directory, 'spillway.toml');
  writeFileSync(config, configText(plan, socket));
  const profile = plan.profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${plan.profileDir}`];
  const child = spawn(process.execPath, [...profile, binary, 'run', '--config', config], {
    env: { ...process.env, AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let merge = new LatencyMerge({ by: 'total', windowMs: 60_000, series: false });
  const statusUrl = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the daemon ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      merge.addLine(line);
      const { kind, listeners = [] } = JSON.parse(line) as { kind: string; listeners?: string[] };
      const http = listeners.find((address) => address.startsWith('http'));
      if (kind === 'ready' && http !== undefined) resolve(`${http}/v1/status`);
    });
  });
  return {
    socket,
    pid: child.pid as number,
    delivered: async () => (await status(statusUrl)).ledger.delivered,
    stop: () => stop(child),
    kill: () => void child.kill('SIGKILL'),
    get latencies() {
      return merge;
    },
    resetLatencies: () => {
      merge = new LatencyMerge({ by: 'total', windowMs: 60_000, series: false });
    },
  };
}

function configText({ directory, endpoint, caFile, stream }: DaemonPlan, socket: string): string {
  return `
[daemon]
state_dir = "${directory}/state"
[[stream]]
name = "orders"
region = "us-east-1"
endpoint = "${endpoint}"
ca_file = "${caFile}"
overflow = "block"
${stream}
[[listen]]
kind = "unix"
path = "${socket}"
key_field = "user"
missing_key = "refuse"
[[listen]]
kind = "http"
address = "127.0.0.1:0"
[log]
interval = "10s"
`;
}

async function status(url: string): Promise<{ ledger: { delivered: number } }> {
  return (await (await fetch(url)).json()) as { ledger: { delivered: number } };
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGINT');
  const [code] = await exited;
  if (code !== 0) throw new Error(`the daemon ended with ${code}`);
}

/** User and system CPU seconds of a process since its start, all threads. */
export function processCpuSeconds(pid: number): number {
  // The name, in brackets, may hold spaces; the 14th and 15th field are utime and stime (proc(5)).
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Most memory that a process has had resident, in bytes. */
export function peakResidentBytes(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}
