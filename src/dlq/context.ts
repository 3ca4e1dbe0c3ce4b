/**
 * What all parts of one open DLQ share: its options, memory, space, and the counters that hand out numbers. Main thread.
 */
import { join } from 'node:path';
import { toPlainError } from '../base/errors.ts';
import type { BlockPool } from './blocks.ts';
import {
  type DlqEvent,
  type DlqOptions,
  type DropReason,
  type FsyncPolicy,
  readFailuresMax,
  readRetryMs,
} from './options.ts';
import type { Space } from './space.ts';

/** Segments that one directory can ever have: a thousand a second for thirty years. */
const numbersMax = 1e12;

export class DlqContext {
  options: DlqOptions;
  readonly pool: BlockPool;
  readonly space: Space;
  /** Of all series. */
  readonly writers: { readonly failing: boolean }[] = [];
  /** Shown every error of the disk: when it is full, the reserve is released. The opening puts it in place. */
  reserve: { saw(error: unknown): boolean } = { saw: () => false };
  /** Events that are gone undelivered, those of streams that are not configured included. */
  readonly dropped: Record<DropReason, number> = { max_age: 0, drop_oldest: 0, damaged: 0 };
  /** Marks this run's segments and entries. */
  readonly tag: number;
  /** Sequence of the last entry of spills and dead letters (of the journal's own context: of the journal): orders all entries, over all runs. */
  lastSequence = 0;
  /** All that earlier runs left is counted, and its segments belong to their series. */
  isIndexed = false;
  /** Spills and dead letters must stay below: from here on sequences are the journal's. */
  sequenceEnd = Number.POSITIVE_INFINITY;
  /** What is acknowledged as being on disk must be there, whatever `fsync` says: set once such an acknowledgement was asked for. */
  mustSync = false;
  /** Segments that nobody could read and that have kept their names, and why: no checkpoint may pass them. */
  readonly unkept = new Map<string, string>();
  /** Segments were set aside since the directory was last synced for them. */
  areAsidesUnsynced = false;
  /** Number of the last segment of either series; 0 before the first. Numbers are never used twice in a directory. */
  lastSegmentNumber = 0;

  readonly #parent: DlqContext | undefined;
  /** Has the oldest spills dropped where the policy says so. True: room is being made, `pool` tells when to come again. */
  makeRoom: () => boolean = () => false;

  /** `parent`: the context whose directory, run tag and segment numbers it shares. */
  constructor(options: DlqOptions, pool: BlockPool, space: Space, parent?: DlqContext) {
    this.options = options;
    this.pool = pool;
    this.space = space;
    this.#parent = parent;
    if (parent !== undefined) this.reserve = { saw: (error) => parent.reserve.saw(error) };
    this.tag = parent === undefined ? options.randomWord() | 0 : parent.tag;
  }

  /** How written entries get to the disk; `demand`: when somebody waits for them, and before the next segment. */
  get syncs(): FsyncPolicy['kind'] | 'demand' {
    const { kind } = this.options.fsync;
    return kind === 'none' && this.mustSync ? 'demand' : kind;
  }

  /** Keeps a number from being used again. One beyond {@link numbersMax} is not ours, and must not push ours out of range. */
  seeSegmentNumber(number: number): void {
    if (number < numbersMax) this.lastSegmentNumber = Math.max(this.lastSegmentNumber, number);
  }

  takeSegmentNumber(): number {
    if (this.#parent !== undefined) return this.#parent.takeSegmentNumber();
    this.lastSegmentNumber += 1;
    return this.lastSegmentNumber;
  }

  /** With less room than this for spills it is time to make some. */
  get roomBytes(): number {
    return Math.min(this.options.segmentBytes, this.space.spillMaxBytes / 8);
  }

  /** There are no sequences left below those of the journal. */
  get isExhausted(): boolean {
    return this.lastSequence + 1 >= this.sequenceEnd;
  }

  /** Some series cannot write. */
  get isDiskFailing(): boolean {
    return this.writers.some(({ failing }) => failing);
  }

  path(name: string): string {
    return join(this.options.directory, name);
  }

  report(event: DlqEvent): void {
    this.options.onEvent(event);
  }

  /** Books events that are no longer in the queue; `stream` -1: not configured. */
  drop(stream: number, events: number, reason: DropReason): void {
    this.dropped[reason] += events;
    if (stream >= 0) this.options.onDropped(stream, events, reason);
  }

  delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.options.clock.after(ms, resolve);
    });
  }

  /** Reads, and tries again where the disk fails for a moment: what cannot be read is set aside. Rejects with the last error. */
  async insist<T>(read: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await read();
      } catch (error) {
        if (failures === readFailuresMax || isOfTheFile(error)) throw error;
        await this.delay(readRetryMs);
      }
    }
  }

  /** Does what is welcome but not needed; a failure is told in one line and changes nothing else. */
  async attempt(what: string, action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      this.reserve.saw(error);
      this.report({ change: 'attempt_failed', what, ...errorFields(error) });
      return false;
    }
  }
}

/** Asking again would get the same: it is no regular file, or may not be read. */
export function isOfTheFile(error: unknown): boolean {
  return ['EINVAL', 'ELOOP', 'EACCES', 'EPERM', 'ENOENT', 'EISDIR', 'ENXIO'].includes(errorFields(error).code);
}

export function errorFields(error: unknown): { readonly code: string; readonly message: string } {
  const { code, message } = toPlainError(error);
  return { code, message };
}
