/**
 * Where the DLQ of a `spillway dlq` command is, and whether a daemon has it. Main thread; changes nothing. Whatever the system says
 * of the directory becomes a message with its cure.
 *
 * Both directories are held from here on, so that what is put in their place meanwhile leads nowhere else; and root goes on as their
 * owner, whose daemon must be able to use what the command writes.
 */
import { join, resolve } from 'node:path';
import { SpillwayError, toPlainError } from '../base/errors.ts';
import { type DlqConfig, requireConfig } from '../daemon/config.ts';
import { askDaemon } from '../daemon/control-client.ts';
import { controlPath, type Facts } from '../daemon/control-messages.ts';
import { dlqKeys } from '../daemon/dlq-keys.ts';
import { loadNamed } from '../daemon/load.ts';
import { StateLock } from '../daemon/state-lock.ts';
import type { Keys } from '../dlq/encryption.ts';
import { realFiles } from '../edges/files.ts';
import { type HeldDirectory, holdDirectory } from '../edges/held-directory.ts';
import { becomeOwner } from '../edges/processes.ts';

export interface PlaceFlags {
  readonly config?: string;
  readonly stateDir?: string;
  /** Instead of those that the configuration names. */
  readonly keyFile?: readonly string[];
}

export interface Place {
  readonly stateDir: string;
  /** The DLQ's own, below it, as people know it. */
  readonly named: string;
  /** The same for the system, as of when it was found. */
  readonly directory: string;
  /** Where the control socket is, and the lock. */
  readonly state: string;
  /** Kept, since their paths lead elsewhere once they are closed; the end of the process does that. */
  readonly holds: readonly HeldDirectory[];
  /** What opens its segments. */
  readonly keys: Keys | undefined;
  /** The process that has the state directory; undefined: nobody. */
  readonly pid: number | undefined;
  /** What that process says; undefined: it does not answer. */
  readonly facts: Facts | undefined;
}

/** Rejects with `config`, `usage`, `dlq_directory` or `dlq_key`. */
export async function findPlace(flags: PlaceFlags): Promise<Place> {
  if (flags.config !== undefined && flags.stateDir !== undefined) {
    throw new SpillwayError('usage', '--config and --state-dir both name the directory: give one of them');
  }
  const config = flags.stateDir === undefined ? configured(flags.config) : undefined;
  const stateDir = config?.stateDir ?? resolve(flags.stateDir as string);
  // Read as whoever calls: root can, and becomes the owner of the directory below.
  const keys = keysOf(flags.keyFile, config?.dlq);
  const named = join(stateDir, 'dlq');
  try {
    // Asked first: a lock that is not there says nothing of a directory that is not there.
    const held = await holdDirectory(stateDir, true);
    becomeOwner(held);
    const state = held.path;
    const pid = await StateLock.owner(realFiles, state);
    const facts = pid === undefined ? undefined : await factsOf(controlPath(state));
    const dlq = await holdDlq(join(state, 'dlq'), named);
    const holds = dlq === undefined ? [held] : [held, dlq];
    return { stateDir, named, directory: dlq?.path ?? join(state, 'dlq'), state, holds, keys, pid, facts };
  } catch (error) {
    throw unusable(stateDir, error);
  }
}

/** Undefined: there is none, which is told when it is read. */
async function holdDlq(path: string, named: string): Promise<HeldDirectory | undefined> {
  try {
    return await holdDirectory(path, false);
  } catch (error) {
    const { code } = toPlainError(error);
    if (code === 'ENOENT') return undefined;
    if (code !== 'ENOTDIR' && code !== 'ELOOP') throw error;
    const message = `${named} cannot be used: it is no directory, and a link is not followed: mount it there, or link state_dir itself`;
    throw new SpillwayError('dlq_directory', message, { cause: error });
  }
}

function configured(named: string | undefined): { readonly stateDir: string; readonly dlq: DlqConfig } {
  try {
    const { daemon, dlq } = requireConfig(loadNamed(named, undefined, false));
    return { stateDir: daemon.stateDir, dlq };
  } catch (error) {
    const { code, message } = toPlainError(error);
    if (code !== 'config' || !message.startsWith('no configuration')) throw error;
    throw new SpillwayError('config', `${message}, or the state directory with --state-dir`, { cause: error });
  }
}

/** The last of several is what new segments are encrypted with. */
function keysOf(files: readonly string[] | undefined, config: DlqConfig | undefined): Keys | undefined {
  if (files === undefined) return config === undefined ? undefined : dlqKeys(config);
  const named = files.map((file) => (file.startsWith('credential:') ? file : resolve(file)));
  return dlqKeys({ encryptionKey: named.at(-1), oldEncryptionKey: named.at(-2) });
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
