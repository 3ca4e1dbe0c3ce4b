/**
 * Makes a daemon's disk slow from outside: strace holds each of its fdatasync calls up. For tests; where there is no strace, or it may
 * not attach, they skip.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { RunningDaemon } from './running.ts';

/** Why there can be no slow disk here; undefined: there can. */
export function whyNoStrace(): string | false {
  const probe = spawnSync('strace', ['-f', '-e', 'trace=none', 'true']);
  if (probe.error !== undefined) return 'strace is not installed';
  return probe.status === 0 ? false : 'strace may not attach here';
}

export interface SlowDisk {
  /** The disk is as it was; calls that are held up go on at once or when their time is over. */
  end(): Promise<void>;
}

/** From now on each fdatasync of the daemon begins `delayMs` late. */
export async function slowDisk(
  t: { teardown(end: () => unknown): void },
  daemon: RunningDaemon,
  delayMs: number,
): Promise<SlowDisk> {
  const inject = `inject=fdatasync:delay_enter=${delayMs * 1_000}`;
  const words = ['-f', '-p', String(daemon.process.pid), '-e', 'trace=fdatasync', '-e', inject];
  const strace: ChildProcess = spawn('strace', words, { stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => strace.kill('SIGKILL'));
  const told = strace.stderr as Readable;
  let text = '';
  // It attaches to the threads one by one, and says how many they were.
  while (!/attached/.test(text)) text += String((await once(told, 'data'))[0]);
  told.resume();
  return {
    end: async () => {
      const ended = once(strace, 'exit');
      strace.kill('SIGINT');
      await ended;
    },
  };
}
