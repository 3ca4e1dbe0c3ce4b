/**
 * Runs `spillway hist` as a process of its own over a log of a wanted size, and checks time, memory and figures. For the test of
 * a small log and the lane of a large one.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { LatencyRow } from '../../src/observe/latency-row.ts';
import { DaemonLog } from '../observe/daemon-log.ts';
import { binary } from './spillway.ts';

export interface HistRun {
  readonly log: DaemonLog;
  readonly seconds: number;
  /** Most memory that was resident, by the kernel's own mark. */
  readonly peakMiB: number;
  readonly code: number;
  readonly stderr: string;
  readonly lines: Readonly<Record<string, number>>;
  readonly rows: readonly LatencyRow[];
}

/** Writes a log of at least `bytes`, reads it by `spillway hist --json` with `args`, and removes it. */
export async function runHist(seed: number, bytes: number, args: readonly string[] = []): Promise<HistRun> {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-hist-run-'));
  try {
    const file = join(folder, 'spillway.log');
    const log = writeLog(seed, bytes, file);
    const startedMs = performance.now();
    const child = spawn(process.execPath, [binary, 'hist', '--json', ...args, file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let peakKiB = 0;
    const watch = setInterval(() => {
      peakKiB = Math.max(peakKiB, residentMarkKiB(child.pid as number));
    }, 10);
    const [out, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit').finally(() => clearInterval(watch)) as Promise<[number]>,
    ]);
    const seconds = (performance.now() - startedMs) / 1_000;
    const { lines, latency } = JSON.parse(out === '' ? '{"lines":{},"latency":[]}' : out) as {
      lines: Record<string, number>;
      latency: LatencyRow[];
    };
    return { log, seconds, peakMiB: peakKiB / 1_024, code, stderr, lines, rows: latency };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What of `rows` is not what the raw values say, within the histogram's precision; empty when all is well. */
export function wrongFigures({ log, rows }: HistRun): string[] {
  const wrong: string[] = [];
  const differs = (found: number, exact: number): boolean => Math.abs(found - exact) > exact / 1_000;
  for (const { histogram, count, percentileUs } of log.exact()) {
    const row = rows.find((each) => each.histogram === histogram);
    if (row?.count !== count) wrong.push(`${histogram}: count ${row?.count} for ${count}`);
    for (const [figure, percentile] of [
      ['p50Us', 50],
      ['p90Us', 90],
      ['p99Us', 99],
      ['p999Us', 99.9],
    ] as const) {
      const exact = percentileUs(percentile);
      const found = row?.[figure] ?? Number.NaN;
      if (!(found >= 0) || differs(found, exact)) wrong.push(`${histogram}: ${figure} ${found} for ${exact}`);
    }
    if (row?.maxUs !== percentileUs(100)) wrong.push(`${histogram}: max ${row?.maxUs} for ${percentileUs(100)}`);
  }
  return wrong;
}

function writeLog(seed: number, bytes: number, file: string): DaemonLog {
  const out = openSync(file, 'wx');
  let pending: string[] = [];
  const log = new DaemonLog(seed, Date.UTC(2026, 10, 27), (line) => pending.push(line));
  while (log.bytes < bytes) {
    log.interval();
    writeSync(out, pending.join(''));
    pending = [];
  }
  closeSync(out);
  return log;
}

/** 0 once the process has ended. */
function residentMarkKiB(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
