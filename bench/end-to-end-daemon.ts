/**
 * The daemon of bench/end-to-end: the real binary with a configuration of its own, in a process of its own, watched from
 * outside: CPU time and memory by /proc, the ledger by HTTP, latencies by the log that it writes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LatencyMerge } from '../src/observe/hist.ts';
import { startDaemon } from './daemon-process.ts';

/** Linux counts CPU time in ticks of 10 ms (USER_HZ, the same on all architectures that Node supports). */
const ticksPerSecond = 100;

export interface DaemonPlan {
  readonly directory: string;
  readonly endpoint: string;
  readonly caFile: string;
  readonly wire: string;
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

export async function watchDaemon(plan: DaemonPlan): Promise<WatchedDaemon> {
  const socket = join(plan.directory, 's.sock');
  const config = join(plan.directory, 'spillway.toml');
  writeFileSync(config, configText(plan, socket));
  let latencies = newMerge();
  const daemon = await startDaemon({
    config,
    execArgv: plan.profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${plan.profileDir}`],
    onLine: (_, printed) => void latencies.addLine(printed),
  });
  return {
    socket,
    pid: daemon.process.pid as number,
    delivered: async () => (await daemon.ledger()).delivered,
    stop: async () => {
      const code = await daemon.stop();
      if (code !== 0) throw new Error(`the daemon ended with ${code}`);
    },
    kill: () => void daemon.process.kill('SIGKILL'),
    get latencies() {
      return latencies;
    },
    resetLatencies: () => {
      latencies = newMerge();
    },
  };
}

function newMerge(): LatencyMerge {
  return new LatencyMerge({ by: 'total', windowMs: 60_000, series: false });
}

function configText({ directory, endpoint, caFile, wire }: DaemonPlan, socket: string): string {
  return `
[daemon]
state_dir = "${directory}/state"
[[stream]]
name = "orders"
region = "us-east-1"
endpoint = "${endpoint}"
ca_file = "${caFile}"
wire = "${wire}"
overflow = "block"
[[listen]]
kind = "unix"
path = "${socket}"
key_field = "user"
missing_key = "refuse"
[[listen]]
kind = "http"
address = "127.0.0.1:0"
`;
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
