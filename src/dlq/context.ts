/**
 * What all parts of one open DLQ share: its options, memory, space, and the counters that hand out numbers. Main thread.
 */
import { join } from 'node:path';
import { toPlainError } from '../base/errors.ts';
import type { BlockPool } from './blocks.ts';
import type { DlqEvent, DlqOptions } from './options.ts';
import type { Space } from './space.ts';

/** Segments that one directory can ever have: a thousand a second for thirty years. */
const numbersMax = 1e12;

export class DlqContext {
  readonly options: DlqOptions;
  readonly pool: BlockPool;
  readonly space: Space;
  /** Marks this run's segments and entries. */
  readonly tag: number;
  /** Sequence of the last entry of spills and dead letters (of the journal's own context: of the journal): orders all entries, over all runs. */
  lastSequence = 0;
  /** Spills and dead letters must stay below: from here on sequences are the journal's. */
  sequenceEnd = Number.POSITIVE_INFINITY;
  /** What is acknowledged as being on disk must be there, whatever `fsync` says: set once such an acknowledgement was asked for. */
  mustSync = false;
  /** Number of the last segment of either series; 0 before the first. Numbers are never used twice in a directory. */
  lastSegmentNumber = 0;

  readonly #parent: DlqContext | undefined;

  /** `parent`: the context whose directory, run tag and segment numbers it shares. */
  constructor(options: DlqOptions, pool: BlockPool, space: Space, parent?: DlqContext) {
    this.options = options;
    this.pool = pool;
    this.space = space;
    this.#parent = parent;
    this.tag = parent === undefined ? options.randomWord() | 0 : parent.tag;
  }

  /** How written entries get to the disk; `demand`: when somebody waits for them, and before the next segment. */
  get syncs(): 'each' | 'interval' | 'demand' | 'none' {
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

  path(name: string): string {
    return join(this.options.directory, name);
  }

  report(event: DlqEvent): void {
    this.options.onEvent(event);
  }

  delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.options.clock.after(ms, resolve);
    });
  }

  /** Does what is welcome but not needed; a failure is told in one line and changes nothing else. */
  async attempt(what: string, action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      this.report({ change: 'attempt_failed', what, ...errorFields(error) });
      return false;
    }
  }
}

export function errorFields(error: unknown): { readonly code: string; readonly message: string } {
  const { code, message } = toPlainError(error);
  return { code, message };
}
