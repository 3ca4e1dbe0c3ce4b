/**
 * A disk in memory that fails when it is told to, and can be cut off its power: for tests that run the real DLQ over every fault
 * in milliseconds. Test processes only; it stands where src/edges/files.ts does.
 *
 * It is harder than most file systems: a name is durable only after its directory's sync, what was not synced comes out of a
 * power cut in any combination of sectors, and what a failed sync was to save is lost for good. Every call counts one
 * step; a fault strikes at the step that it is ordered for.
 *
 * Long because the calls of both interfaces share names, steps and the fault.
 */
import type { DirectoryEntry, Files, OpenFile, OpenPurpose } from '../../src/edges/files.ts';
import type { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { ModelFile, type PowerCut } from './model-file.ts';

export const faultKinds = ['EIO', 'ENOSPC', 'EINTR', 'short', 'crash'] as const;

export interface DiskFault {
  /** `short`: a write that brings half of its bytes and then finds the disk full. `crash`: the process ends before the call. */
  readonly kind: (typeof faultKinds)[number];
  /** Number of the call, from 1 on; a `short` one strikes at the first write from there on. */
  readonly step: number;
  /** All calls from there on fail. */
  readonly isLasting: boolean;
  /** Only these calls fail, as the trace has them; absent: all do. */
  readonly calls?: readonly string[];
}

/** What a disk holds when it is mounted: files by their paths. */
export type Image = ReadonlyMap<string, Uint8Array>;

const ordered = 'ordered by the test';

type NameChange =
  | { readonly change: 'link'; readonly path: string; readonly file: ModelFile }
  | { readonly change: 'unlink'; readonly path: string }
  | { readonly change: 'rename'; readonly from: string; readonly to: string };

export class ModelDisk implements Files {
  /** Calls so far. */
  steps = 0;
  /** How often the ordered fault struck. */
  fired = 0;
  /** The process is gone: no call ever returns. */
  isCrashed = false;
  fault: DiskFault | undefined;
  /** Told of each call before it is made: what the disk holds is what a crash at this moment leaves. */
  onStep: ((step: number) => void) | undefined;
  /** Files that cannot be read: wherever they are renamed to, their bytes stay bad. */
  readonly #badFiles = new Set<ModelFile>();
  /** By call, what it was: to aim faults at. */
  readonly trace: string[] = [];
  readonly #random: RandomSequence;
  readonly #names = new Map<string, ModelFile>();
  readonly #durableNames: Map<string, ModelFile>;
  #nameChanges: NameChange[] = [];

  constructor(image: Image, random: RandomSequence) {
    this.#random = random;
    for (const [path, bytes] of image) this.#names.set(path, new ModelFile(bytes));
    this.#durableNames = new Map(this.#names);
  }

  /** From now on no byte of this file can be read. What is left of it after the process ends is as it was. */
  spoil(path: string): void {
    const file = this.#names.get(path);
    if (file !== undefined) this.#badFiles.add(file);
  }

  /** What a killed process leaves: the kernel has all that was written. */
  afterKill(): Image {
    return new Map([...this.#names].map(([path, file]) => [path, file.current]));
  }

  /** What a power cut leaves. */
  afterPowerCut(how: PowerCut, random: RandomSequence): Image {
    const names = new Map(this.#durableNames);
    for (const change of keptChanges(this.#nameChanges, how, random)) apply(names, change);
    return new Map([...names].map(([path, file]) => [path, file.afterPowerCut(how, random)]));
  }

  get hasPending(): boolean {
    return this.#nameChanges.length > 0 || [...this.#names.values()].some((file) => file.hasPending);
  }

  async makeDirectory(): Promise<void> {
    await this.#step('mkdir');
  }

  async list(path: string): Promise<DirectoryEntry[]> {
    await this.#step('list');
    const within = [...this.#names.keys()].filter((name) => name.startsWith(`${path}/`));
    return within.map((name) => ({ name: name.slice(path.length + 1), kind: 'file' }));
  }

  async open(path: string, purpose: OpenPurpose): Promise<OpenFile> {
    await this.#step(`open ${purpose}`);
    let file = this.#names.get(path);
    if (purpose === 'create' && file !== undefined) throw failure('EEXIST');
    if ((purpose === 'read' || purpose === 'edit') && file === undefined) throw failure('ENOENT');
    if (file === undefined) {
      file = new ModelFile();
      this.#change({ change: 'link', path, file });
    } else if (purpose === 'replace') file.cut(0);
    return this.#handle(file, purpose === 'through');
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step('rename');
    if (!this.#names.has(from)) throw failure('ENOENT');
    this.#change({ change: 'rename', from, to });
  }

  async unlink(path: string): Promise<void> {
    await this.#step('unlink');
    if (!this.#names.has(path)) throw failure('ENOENT');
    this.#change({ change: 'unlink', path });
  }

  async syncDirectory(): Promise<void> {
    try {
      await this.#step('syncdir');
    } catch (error) {
      for (const change of this.#nameChanges.filter(() => this.#random.next() < 0.5)) apply(this.#durableNames, change);
      throw error;
    }
    for (const change of this.#nameChanges) apply(this.#durableNames, change);
    this.#nameChanges = [];
  }

  async measure(path: string): Promise<{ readonly bytes: number; readonly storedBytes: number }> {
    await this.#step('stat');
    const file = this.#names.get(path);
    if (file === undefined) throw failure('ENOENT');
    return { bytes: file.length, storedBytes: file.length };
  }

  async freeBytes(): Promise<number> {
    await this.#step('statfs');
    return 2 ** 40;
  }

  #handle(file: ModelFile, isThrough: boolean): OpenFile {
    file.isOpen++;
    return {
      write: async (buffer, offset, length, position) => {
        if (isThrough) return this.#writeThrough(file, buffer.subarray(offset, offset + length), position);
        const isShort = await this.#step('write');
        file.write(buffer.subarray(offset, offset + (isShort ? length >>> 1 : length)), position);
        if (isShort) throw failure('ENOSPC');
      },
      read: async (buffer, offset, length, position) => {
        await this.#step('read');
        if (this.#badFiles.has(file)) throw failure('EIO');
        return file.read(buffer, offset, length, position);
      },
      size: async () => {
        await this.#step('stat');
        return file.length;
      },
      truncate: async (length) => {
        await this.#step('truncate');
        file.cut(length);
      },
      sync: async () => {
        try {
          await this.#step('fdatasync');
        } catch (error) {
          file.failSync(this.#random);
          throw error;
        }
        file.sync();
      },
      close: async () => {
        await this.#step('close');
        file.isOpen--;
      },
    };
  }

  /** Where it fails, some of it may be on disk, or none. */
  async #writeThrough(file: ModelFile, bytes: Uint8Array, position: number): Promise<void> {
    let isShort: true | undefined;
    try {
      isShort = await this.#step('write through');
    } catch (error) {
      file.write(bytes, position);
      file.failSync(this.#random);
      throw error;
    }
    file.write(isShort ? bytes.subarray(0, bytes.length >>> 1) : bytes, position);
    file.syncLast();
    if (isShort) throw failure('ENOSPC');
  }

  /** Counts a call and lets the fault strike; resolves to true when the write is to be short. */
  async #step(call: string): Promise<true | undefined> {
    if (this.isCrashed) return never();
    this.steps++;
    this.trace.push(call);
    this.onStep?.(this.steps);
    const { fault } = this;
    if (fault === undefined || this.steps < fault.step) return undefined;
    if (fault.calls !== undefined && !fault.calls.includes(call)) return undefined;
    const isDue = fault.isLasting || (isFirstOfKind(fault) ? this.fired === 0 : this.steps === fault.step);
    if (!isDue || (fault.kind === 'short' && !call.startsWith('write'))) return undefined;
    this.fired++;
    if (fault.kind === 'short') return true;
    if (fault.kind !== 'crash') throw failure(fault.kind);
    this.isCrashed = true;
    return never();
  }

  #change(change: NameChange): void {
    apply(this.#names, change);
    this.#nameChanges.push(change);
  }
}

function apply(names: Map<string, ModelFile>, change: NameChange): void {
  if (change.change === 'link') names.set(change.path, change.file);
  else if (change.change === 'unlink') names.delete(change.path);
  else {
    const file = names.get(change.from);
    // Its making was not kept, and so there is nothing to rename.
    if (file === undefined) return;
    names.delete(change.from);
    names.set(change.to, file);
  }
}

function keptChanges(changes: readonly NameChange[], how: PowerCut, random: RandomSequence): readonly NameChange[] {
  const at = random.below(changes.length + 1);
  if (how === 'nothing') return [];
  if (how === 'prefix') return changes.slice(0, at);
  if (how === 'suffix') return changes.slice(at);
  return changes.filter(() => random.next() < 0.5);
}

/** It waits for a call that it can strike. */
function isFirstOfKind({ kind, calls }: DiskFault): boolean {
  return kind === 'short' || calls !== undefined;
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: ${ordered}`), { code });
}

/** Whether an error is one that the disk was told to give. */
export function isOrdered(error: unknown): boolean {
  return error instanceof Error && error.message.includes(ordered);
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
