/**
 * The file system as the DLQ sees it, and the real one. Main thread; every call is asynchronous (libuv's pool does the work).
 *
 * Nothing else in the daemon touches `node:fs` for its state. The interface is small so that a test can stand between the
 * DLQ and the disk: fail the Nth call, write short, stall a sync, crash between two steps. Errors are the system's own
 * (`code` is ENOSPC, EIO, ...); this file never retries a failed call and never follows a symbolic link in the last element
 * of a path.
 */
import { constants, promises } from 'node:fs';
import { dirname } from 'node:path';
import { toPlainError } from '../base/errors.ts';

/** What a directory holds under one name; `other` is a socket, a pipe or a device. */
export interface DirectoryEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
}

/** `create` fails if the name exists; `replace` empties an existing file; `edit` opens an existing one for writing. */
export type OpenPurpose = 'create' | 'replace' | 'read' | 'edit';

/** One open regular file. Positions count bytes from the start of the file. */
export interface OpenFile {
  /** Writes all of `length` bytes of `buffer` from `offset`, however many system calls it takes. */
  write(buffer: Uint8Array, offset: number, length: number, position: number): Promise<void>;
  /** Reads until `length` bytes are there or the file ends; resolves to how many. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /** The file's length in bytes. */
  size(): Promise<number>;
  truncate(length: number): Promise<void>;
  /** fdatasync: the data, and the metadata without which it cannot be read. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The calls that touch directories and names. */
export interface Files {
  /** Makes a directory with its missing parents, private to the user: 0700 whatever the umask. */
  makeDirectory(path: string): Promise<void>;
  list(path: string): Promise<DirectoryEntry[]>;
  /** A new file is private to the user: 0600 whatever the umask. Rejects with EINVAL when the path is not a regular file. */
  open(path: string, purpose: OpenPurpose): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes names that were created, renamed or removed in the directory survive a power cut. */
  syncDirectory(path: string): Promise<void>;
  /** Length of a file, and bytes that the disk holds for it: fewer where it has holes. */
  measure(path: string): Promise<{ readonly bytes: number; readonly storedBytes: number }>;
  /** Bytes that files in the directory may still take, as far as the file system tells an ordinary user. */
  freeBytes(path: string): Promise<number>;
}

/** A link must not lead elsewhere; a pipe put in place of a file must not block the open. */
const guards = constants.O_NOFOLLOW | constants.O_NONBLOCK;

const openFlags: Readonly<Record<OpenPurpose, number>> = {
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | guards,
  replace: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | guards,
  read: constants.O_RDONLY | guards,
  edit: constants.O_RDWR | guards,
};

/** The real file system. */
export const realFiles: Files = {
  async makeDirectory(path) {
    await makePrivate(path, true);
    await promises.chmod(path, 0o700);
  },
  async list(path) {
    const entries = await promises.readdir(path, { withFileTypes: true });
    return entries.map((entry) => ({
      name: entry.name,
      kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : entry.isSymbolicLink() ? 'symlink' : 'other',
    }));
  },
  async open(path, purpose) {
    const handle = await promises.open(path, openFlags[purpose], 0o600);
    try {
      if (!(await handle.stat()).isFile()) {
        throw Object.assign(new Error(`${path} is not a regular file`), { code: 'EINVAL' });
      }
      if (purpose === 'create' || purpose === 'replace') await handle.chmod(0o600);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return new RealFile(handle);
  },
  rename: (from, to) => promises.rename(from, to),
  unlink: (path) => promises.unlink(path),
  async syncDirectory(path) {
    const handle = await promises.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async measure(path) {
    const { size, blocks } = await promises.lstat(path);
    return { bytes: size, storedBytes: blocks * statBlockBytes };
  },
  async freeBytes(path) {
    const { bavail, bsize } = await promises.statfs(path);
    return bavail * bsize;
  },
};

/** One directory after the other: a umask may take from those above what their user needs to go on below them. */
async function makePrivate(path: string, makesParents: boolean): Promise<void> {
  try {
    await promises.mkdir(path, 0o700);
  } catch (error) {
    const { code } = toPlainError(error);
    if (code === 'EEXIST' && (await promises.stat(path)).isDirectory()) return;
    if (code !== 'ENOENT' || !makesParents) throw error;
    await makePrivate(dirname(path), true);
    return makePrivate(path, false);
  }
  await promises.chmod(path, 0o700);
}

/** What stat(2) counts blocks in, whatever the file system's own are. */
const statBlockBytes = 512;

class RealFile implements OpenFile {
  readonly #handle: promises.FileHandle;

  constructor(handle: promises.FileHandle) {
    this.#handle = handle;
  }

  async write(buffer: Uint8Array, offset: number, length: number, position: number): Promise<void> {
    for (let done = 0; done < length; ) {
      const { bytesWritten } = await this.#handle.write(buffer, offset + done, length - done, position + done);
      if (bytesWritten === 0) throw Object.assign(new Error('the file takes no more bytes'), { code: 'ENOSPC' });
      done += bytesWritten;
    }
  }

  async read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#handle.read(buffer, offset + done, length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  truncate(length: number): Promise<void> {
    return this.#handle.truncate(length);
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
