/**
 * Where the DLQ of a `spillway dlq` command is, and whether a daemon has it. Main thread; changes nothing. Whatever the system says
 * of the directory becomes a message with its cure.
 */
import { join, resolve } from 'node:path';
import { SpillwayError, toPlainError } from '../base/errors.ts';
import { requireConfig } from '../daemon/config.ts';
import { askDaemon } from '../daemon/control-client.ts';
import { controlPath, type Facts } from '../daemon/control-messages.ts';
import { loadNamed } from '../daemon/load.ts';
import { StateLock } from '../daemon/state-lock.ts';
import { realFiles } from '../edges/files.ts';

export interface PlaceFlags {
  readonly config?: string;
  readonly stateDir?: string;
}

export interface Place {
  readonly stateDir: string;
  /** The DLQ's own, below it. */
  readonly directory: string;
  /** The process that has the state directory; undefined: nobody. */
  readonly pid: number | undefined;
  /** What that process says; undefined: it does not answer. */
  readonly facts: Facts | undefined;
}

/** Rejects with `config`, `usage` or `dlq_directory`. */
export async function findPlace(flags: PlaceFlags): Promise<Place> {
  if (flags.config !== undefined && flags.stateDir !== undefined) {
    throw new SpillwayError('usage', '--config and --state-dir both name the directory: give one of them');
  }
  const stateDir = flags.stateDir === undefined ? configured(flags.config) : resolve(flags.stateDir);
  const directory = join(stateDir, 'dlq');
  try {
    // Asked first: a lock that is not there says nothing of a directory that is not there.
    await realFiles.list(stateDir);
    const pid = await StateLock.owner(realFiles, stateDir);
    const facts = pid === undefined ? undefined : await factsOf(controlPath(stateDir));
    return { stateDir, directory, pid, facts };
  } catch (error) {
    throw unusable(stateDir, error);
  }
}

function configured(named: string | undefined): string {
  try {
    return requireConfig(loadNamed(named)).daemon.stateDir;
  } catch (error) {
    const { code, message } = toPlainError(error);
    if (code !== 'config' || !message.startsWith('no configuration')) throw error;
    throw new SpillwayError('config', `${message}, or the state directory with --state-dir`, { cause: error });
  }
}

async function factsOf(path: string): Promise<Facts | undefined> {
  try {
    const { replies } = await askDaemon(path, { ask: 'facts' });
    for await (const reply of replies) if (reply.reply === 'facts') return reply;
    return undefined;
  } catch (error) {
    if (toPlainError(error).code === 'EACCES') throw error;
    return undefined;
  }
}

/** What the system says of a state directory or its DLQ, with the cure. */
export function unusable(path: string, cause: unknown): SpillwayError {
  if (cause instanceof SpillwayError) return cause;
  const { code, message } = toPlainError(cause);
  const cures: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such directory: name the one of daemon.state_dir with --state-dir or --config',
    ENOTDIR: 'it is no directory: name the one of daemon.state_dir with --state-dir or --config',
    EACCES: "no permission: run this as the daemon's user (sudo -u spillway ...)",
    EPERM: "no permission: run this as the daemon's user (sudo -u spillway ...)",
  };
  return new SpillwayError('dlq_directory', `${path} cannot be read: ${cures[code] ?? message}`, { cause });
}

/** The daemon runs and does not answer: what writes must not go on. */
export function requireAnswer({ stateDir, pid }: Place): never {
  const path = controlPath(stateDir);
  const message = `process ${pid} has ${stateDir} and does not answer on ${path}: stop it and try again (its log may say why)`;
  throw new SpillwayError('daemon_silent', message);
}
