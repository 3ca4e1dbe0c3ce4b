/**
 * The real file system, under a process that is to die at one of its calls, or whose disk lies to it. Used by doomed-life.ts alone,
 * in its own process; calls are named by what is done to what: `rename checkpoint`, `write journal`, `unlink spill`.
 *
 * It kills its process with SIGKILL: before the Nth call of a name, after it, or in the middle of a write, of which the first half is
 * there then. And it tells when a checkpoint, or a journal's marks, are on disk, and up to where they say that all is done.
 */
import { basename } from 'node:path';
import { type Files, type OpenFile, realFiles } from '../../src/edges/files.ts';

export interface Failpoint {
  readonly call: string;
  readonly at: 'before' | 'half' | 'after';
  /** 1: the first call of that name. */
  readonly nth: number;
}

/** A failpoint, whichever of the calls of that name it is. */
export type Step = readonly [call: Failpoint['call'], at: Failpoint['at']];

/** What the disk says that it has done, and has not: for controls, which must find what comes of it. */
export type Lie = 'sync' | 'directory sync' | 'unlink' | 'checkpoint';

export interface DoomedOptions {
  readonly failpoint?: Failpoint | undefined;
  readonly lie?: Lie | undefined;
  /** A checkpoint counts when its name is on disk, too, not only when it has it. */
  readonly syncsNames: boolean;
  /** Told before the process dies at the failpoint. */
  readonly strikes: () => void;
  /** Positions by streams' names. */
  readonly checkpointed: (positions: ReadonlyMap<string, number>) => void;
  readonly marked: (positions: ReadonlyMap<string, number>) => void;
}

/** What a file is, by its name. */
function kindOf(path: string): string {
  const name = basename(path);
  if (name.includes('quarantine')) return 'quarantine';
  return /^(spill|dead|journal)-\d+\.seg$/.exec(name)?.[1] ?? /(marks|checkpoint|reserve)/.exec(name)?.[1] ?? 'other';
}

/** The records of a checkpoint, or of a slot of marks, as FORMAT.md draws them. */
function recordsIn(bytes: Buffer): Map<string, number> {
  const positions = new Map<string, number>();
  let at = 32;
  for (let left = bytes.readUInt32LE(24); left > 0; left--) {
    const length = bytes.readUInt32LE(at + 8);
    positions.set(bytes.toString('utf8', at + 12, at + 12 + length), bytes.readDoubleLE(at));
    at += Math.ceil((12 + length) / 8) * 8;
  }
  return positions;
}

export function doomedFiles(options: DoomedOptions): Files {
  const { lie, checkpointed } = options;
  const disk = new DoomedDisk(options);
  /** The checkpoint that was written last, and the one that has its name and is not told yet. */
  let written: ReadonlyMap<string, number> = new Map();
  let renamed: ReadonlyMap<string, number> | undefined;
  return {
    ...realFiles,
    open: async (path, purpose) => {
      if (purpose === 'read') return realFiles.open(path, purpose);
      const isThere = purpose === 'edit' || purpose === 'through';
      const file = await disk.call(`${isThere ? 'edit' : 'create'} ${kindOf(path)}`, () =>
        realFiles.open(path, purpose === 'through' && options.lie === 'sync' ? 'edit' : purpose),
      );
      return disk.wrap(file, kindOf(path), (positions) => {
        written = positions;
      });
    },
    rename: async (from, to) => {
      const positions = written;
      const isCheckpoint = kindOf(to) === 'checkpoint';
      await disk.call(`rename ${kindOf(to)}`, async () => {
        if (!(isCheckpoint && lie === 'checkpoint')) await realFiles.rename(from, to);
      });
      if (!isCheckpoint) return;
      if (options.syncsNames) renamed = positions;
      else checkpointed(positions);
    },
    unlink: (path) =>
      disk.call(`unlink ${kindOf(path)}`, async () => {
        if (lie !== 'unlink') await realFiles.unlink(path);
      }),
    syncDirectory: async (path) => {
      const positions = renamed;
      renamed = undefined;
      const name = positions === undefined ? 'sync names' : 'sync checkpoint names';
      await disk.call(name, async () => {
        if (lie !== 'sync' && lie !== 'directory sync') await realFiles.syncDirectory(path);
        if (positions !== undefined) checkpointed(positions);
      });
    },
  };
}

class DoomedDisk {
  readonly #options: DoomedOptions;
  #calls = 0;

  constructor(options: DoomedOptions) {
    this.#options = options;
  }

  /** One call; the process may not come back from it. */
  async call<T>(name: string, act: () => Promise<T>): Promise<T> {
    const at = this.#isDue(name);
    if (at === 'before') this.die();
    const result = await act();
    if (at === 'after') this.die();
    return result;
  }

  /** `checkpoint`: told of one that was written. */
  wrap(file: OpenFile, kind: string, checkpoint: (positions: ReadonlyMap<string, number>) => void): OpenFile {
    return {
      read: (...words) => file.read(...words),
      size: () => file.size(),
      write: async (buffer, offset, length, position) => {
        const at = this.#isDue(`write ${kind}`);
        if (at === 'before') this.die();
        if (at === 'half') {
          await file.write(buffer, offset, length >>> 1, position);
          this.die();
        }
        await file.write(buffer, offset, length, position);
        const records = (): Map<string, number> => recordsIn(Buffer.from(buffer.subarray(offset, offset + length)));
        if (kind === 'checkpoint') checkpoint(records());
        if (kind === 'marks') this.#options.marked(records());
        if (at === 'after') this.die();
      },
      truncate: (length) => this.call(`truncate ${kind}`, () => file.truncate(length)),
      sync: () =>
        this.call(`sync ${kind}`, async () => {
          if (this.#options.lie !== 'sync') await file.sync();
        }),
      close: () => this.call(`close ${kind}`, () => file.close()),
    };
  }

  #isDue(name: string): Failpoint['at'] | undefined {
    const { failpoint } = this.#options;
    if (failpoint?.call !== name || ++this.#calls !== failpoint.nth) return undefined;
    return failpoint.at;
  }

  die(): never {
    this.#options.strikes();
    process.kill(process.pid, 'SIGKILL');
    // The signal comes before the call returns; nothing may go on if it did not.
    for (;;);
  }
}
