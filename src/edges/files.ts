/**
 * The file system as the DLQ sees it, and the real one. Main thread; every call is asynchronous (libuv's pool does the work).
 *
 * Nothing else in the daemon touches `node:fs` for its state. The interface is small so that a test can stand between the
 * DLQ and the disk: fail the Nth call, write short, stall a sync, crash between two steps. Errors are the system's own
 * (`code` is ENOSPC, EIO, ...); this file never retries a failed call and never follows a symbolic link in the last element
 * of a path.
 * Long because each way of a file is one call of Node, and they are read side by side.
 */
import {
  close,
  closeSync,
  constants,
  fchmod,
  fdatasync,
  fstatSync,
  fsync,
  ftruncate,
  open,
  promises,
  read,
  write,
} from 'node:fs';
import { dirname } from 'node:path';
import { toPlainError } from '../base/errors.ts';
import { Turns } from './turns.ts';

/** What a directory holds under one name; `other` is a socket, a pipe or a device. */
export interface DirectoryEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
}

/**
 * `create` fails if the name exists; `replace` empties an existing file; `edit` opens an existing one for writing; `through` does so, and
 * a write to it resolves when its bytes are on disk, as if they had been synced: those bytes, not what was written otherwise before.
 */
export type OpenPurpose = 'create' | 'replace' | 'read' | 'edit' | 'through';

/** One open regular file. Positions count bytes from the start of the file. */
export interface OpenFile {
  /** Writes all of `length` bytes of `buffer` from `offset`, however many system calls it takes. */
  write(buffer: Uint8Array, offset: number, length: number, position: number): Promise<void>;
  /** Reads until `length` bytes are there or the file ends; resolves to how many. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /** The file's length in bytes when it was opened. */
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

/**
 * Syncs that run at one time, in the order in which they were asked for. Each takes a thread of libuv's pool, which has four for all
 * files and all look-ups of names: on a disk that stands still, streams that spill would soon have taken them all with their
 * syncs, and what the system would still take into its memory could not be written.
 */
const syncsAtOnce = 2;

const syncTurns = new Turns(syncsAtOnce);

/** A link must not lead elsewhere; a pipe put in place of a file must not block the open. */
const guards = constants.O_NOFOLLOW | constants.O_NONBLOCK;

const openFlags: Readonly<Record<OpenPurpose, number>> = {
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | guards,
  replace: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | guards,
  read: constants.O_RDONLY | guards,
  edit: constants.O_RDWR | guards,
  through: constants.O_RDWR | constants.O_DSYNC | guards,
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
    const file = await openDescriptor(path, openFlags[purpose]);
    try {
      // Of a file that was opened just now the system has this in memory: it asks no disk.
      const stats = fstatSync(file);
      if (!stats.isFile()) throw Object.assign(new Error(`${path} is not a regular file`), { code: 'EINVAL' });
      const isEmptied = purpose === 'create' || purpose === 'replace';
      if (isEmptied) await done((then) => fchmod(file, 0o600, then));
      return new RealFile(file, stats.size, purpose);
    } catch (error) {
      await done((then) => close(file, then));
      throw error;
    }
  },
  rename: (from, to) => promises.rename(from, to),
  unlink: (path) => promises.unlink(path),
  async syncDirectory(path) {
    const directory = await openDescriptor(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await syncTurns.run(() => done((then) => fsync(directory, then)));
    } finally {
      await done((then) => close(directory, then));
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

/**
 * A file by its descriptor, with as few jobs for libuv's pool as can be, since each wakes a thread: to open, read and close ten
 * thousand segments takes 0.6 to 0.9 s of CPU time so, and 1.9 s with Node's file handles.
 */
class RealFile implements OpenFile {
  readonly #file: number;
  readonly #openedBytes: number;
  readonly #purpose: OpenPurpose;
  /** Calls that the system has not answered: until then the descriptor must not become another file's. */
  #underWay = 0;
  #onIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(file: number, openedBytes: number, purpose: OpenPurpose) {
    this.#file = file;
    this.#openedBytes = openedBytes;
    this.#purpose = purpose;
  }

  async write(buffer: Uint8Array, offset: number, length: number, position: number): Promise<void> {
    for (let written = 0; written < length; ) {
      const [from, left, at] = [offset + written, length - written, position + written];
      const call = (): Promise<number> => counted((then) => write(this.#descriptor, buffer, from, left, at, then));
      const bytes = await this.#use(this.#purpose === 'through' ? syncTurns.run(call) : call());
      if (bytes === 0) throw Object.assign(new Error('the file takes no more bytes'), { code: 'ENOSPC' });
      written += bytes;
    }
  }

  async read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    let filled = 0;
    while (filled < length) {
      const [from, left, at] = [offset + filled, length - filled, position + filled];
      const bytes = await this.#use(counted((then) => read(this.#descriptor, buffer, from, left, at, then)));
      if (bytes === 0) break;
      filled += bytes;
    }
    return filled;
  }

  async size(): Promise<number> {
    return this.#openedBytes;
  }

  truncate(length: number): Promise<void> {
    return this.#use(done((then) => ftruncate(this.#descriptor, length, then)));
  }

  sync(): Promise<void> {
    return this.#use(syncTurns.run(() => done((then) => fdatasync(this.#descriptor, then))));
  }

  /** Waits for what is under way. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    // To close what was only read asks no disk, unless nobody else has the file any more: then it is freed there.
    if (this.#purpose === 'read' && fstatSync(this.#file).nlink > 0) closeSync(this.#file);
    else await done((then) => close(this.#file, then));
  }

  get #descriptor(): number {
    if (this.#closing !== undefined) throw Object.assign(new Error('the file was closed'), { code: 'EBADF' });
    return this.#file;
  }

  async #use<T>(call: Promise<T>): Promise<T> {
    this.#underWay += 1;
    try {
      return await call;
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#onIdle?.();
    }
  }
}

type Then = (error: NodeJS.ErrnoException | null) => void;
type ThenWith = (error: NodeJS.ErrnoException | null, value: number) => void;

function done(start: (then: Then) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === null ? resolve() : reject(error)));
  });
}

/** A number of bytes, or of a file. */
function counted(start: (then: ThenWith) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value) : reject(error)));
  });
}

function openDescriptor(path: string, flags: number): Promise<number> {
  return counted((then) => open(path, flags, 0o600, then));
}
