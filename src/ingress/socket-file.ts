/**
 * The file of a unix socket: whether its place is free, and what to say when it is not. Main thread; called once per listener
 * at start. Never removes anything but a socket that nobody answers on.
 */
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { SpillwayError, toPlainError } from '../base/errors.ts';

/** What of the file system a listener needs; `node:fs/promises` has it. */
export interface SocketFiles {
  lstat(path: string): Promise<{ isSocket(): boolean }>;
  unlink(path: string): Promise<void>;
}

/** Longest path that fits in `sockaddr_un` on Linux, without its terminating zero. */
const pathBytesMax = 107;

/**
 * Makes `path` free to bind: removes the socket of a process that is gone.
 * Throws `socket_in_use`, `socket_path_taken`, `socket_path_too_long`, or what {@link listenFailure} says.
 */
export async function freeSocketPath(path: string, files: SocketFiles): Promise<void> {
  if (Buffer.byteLength(path) > pathBytesMax) {
    const message = `listen path is longer than ${pathBytesMax} bytes: ${path}; choose a shorter directory`;
    throw new SpillwayError('socket_path_too_long', message, { fields: { path } });
  }
  let isSocket: boolean;
  try {
    isSocket = (await files.lstat(path)).isSocket();
  } catch (error) {
    if (toPlainError(error).code !== 'ENOENT') throw listenFailure(path, error);
    // Asked here, since libuv says EACCES when bind finds no directory.
    await files.lstat(dirname(path)).catch((missing: unknown) => {
      throw listenFailure(path, missing);
    });
    return;
  }
  if (!isSocket) {
    const message = `listen path ${path} exists and is not a socket; remove it or choose another path`;
    throw new SpillwayError('socket_path_taken', message, { fields: { path } });
  }
  if (await isAnswered(path)) throw inUse(path);
  await files.unlink(path).catch((error: unknown) => {
    if (toPlainError(error).code !== 'ENOENT') throw listenFailure(path, error);
  });
}

/** Whether a living process accepts connections on `path`. A socket that we may not open counts as living. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

/** An error of bind or listen, with its cure. */
export function listenFailure(path: string, cause: unknown): SpillwayError {
  const { code, message } = toPlainError(cause);
  const fields = { path, cause: code };
  switch (code) {
    case 'EADDRINUSE':
      return inUse(path);
    case 'ENOENT':
    case 'ENOTDIR': {
      const text = `the directory of listen path ${path} does not exist; create ${dirname(path)} (systemd: RuntimeDirectory=)`;
      return new SpillwayError('socket_directory_missing', text, { fields, cause });
    }
    case 'EACCES':
    case 'EPERM':
    case 'EROFS': {
      const text = `no permission to create listen path ${path}; make ${dirname(path)} writable for this user or choose another path`;
      return new SpillwayError('socket_no_permission', text, { fields, cause });
    }
    default:
      return new SpillwayError('socket_failed', `cannot listen on ${path}: ${message}`, { fields, cause });
  }
}

function inUse(path: string): SpillwayError {
  const message = `listen path ${path}: address in use by a live process; stop it or choose another path`;
  return new SpillwayError('socket_in_use', message, { fields: { path } });
}
