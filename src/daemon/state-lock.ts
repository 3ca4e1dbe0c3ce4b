/**
 * Keeps a second daemon off a state directory: the file `lock` in it names the process that has it. Main thread; taken before the
 * DLQ is opened, given back when it is closed.
 *
 * ```
 *   lock:  PID START\n          START: when that process began, so that another one with its id is not taken for it
 * ```
 * A lock whose process is gone is taken over: nobody has to clean up after a crash. Two daemons that find such a lock in the same
 * moment are told apart when they look a second time, before they accept events.
 */
import { join } from 'node:path';
import { SpillwayError, toPlainError } from '../base/errors.ts';
import type { Files, OpenFile } from '../edges/files.ts';
import { startOf } from '../edges/processes.ts';

const lockBytesMax = 64;

export class StateLock {
  readonly #files: Files;
  readonly #directory: string;
  readonly #text: string;

  private constructor(files: Files, directory: string, text: string) {
    this.#files = files;
    this.#directory = directory;
    this.#text = text;
  }

  /** Rejects with code `state_dir` when another process has the directory, and with the system's error when it cannot be used. */
  static async take(files: Files, directory: string): Promise<StateLock> {
    const lock = new StateLock(files, directory, `${process.pid} ${await startOf(process.pid)}\n`);
    await files.makeDirectory(directory);
    while (!(await lock.#create())) {
      const text = await lock.#read();
      const owner = await ownerOf(text);
      if (owner !== undefined) throw taken(directory, owner);
      // Whoever took it over in the meantime has another text: then the next look says whose it is.
      if (text === (await lock.#read())) await lock.#remove();
    }
    return lock;
  }

  /** The living process that has `directory`, if there is one. Changes nothing; rejects with the system's error. */
  static async owner(files: Files, directory: string): Promise<number | undefined> {
    return ownerOf(await new StateLock(files, directory, '').#read());
  }

  /** Rejects when another daemon took the directory over in the same moment as this one. */
  async confirm(): Promise<void> {
    const text = await this.#read();
    if (text !== this.#text) throw taken(this.#directory, (await ownerOf(text)) ?? 0);
  }

  async giveBack(): Promise<void> {
    if ((await this.#read()) === this.#text) await this.#remove();
  }

  get #path(): string {
    return join(this.#directory, 'lock');
  }

  /** False: there is one. */
  async #create(): Promise<boolean> {
    let file: OpenFile;
    try {
      file = await this.#files.open(this.#path, 'create');
    } catch (error) {
      if (toPlainError(error).code === 'EEXIST') return false;
      throw error;
    }
    try {
      const bytes = Buffer.from(this.#text);
      await file.write(bytes, 0, bytes.length, 0);
    } finally {
      await file.close();
    }
    return true;
  }

  /** Undefined: there is none. */
  async #read(): Promise<string | undefined> {
    try {
      const file = await this.#files.open(this.#path, 'read');
      try {
        const bytes = Buffer.alloc(lockBytesMax);
        return bytes.toString('latin1', 0, await file.read(bytes, 0, bytes.length, 0));
      } finally {
        await file.close();
      }
    } catch (error) {
      if (toPlainError(error).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #remove(): Promise<void> {
    await this.#files.unlink(this.#path).catch((error: unknown) => {
      if (toPlainError(error).code !== 'ENOENT') throw error;
    });
  }
}

/** The living process that a lock names, if there is one. */
async function ownerOf(text: string | undefined): Promise<number | undefined> {
  const [, pid, start] = /^(\d+) (\S+)\n$/.exec(text ?? '') ?? [];
  if (pid === undefined) return undefined;
  return (await startOf(Number(pid))) === start ? Number(pid) : undefined;
}

function taken(directory: string, pid: number): SpillwayError {
  return new SpillwayError(
    'state_dir',
    `daemon.state_dir ${directory} belongs to the running process ${pid}: stop that one, or give this daemon a directory of its own`,
  );
}
