/**
 * Brings what somebody waits for to the disk: many entries by one fdatasync. Main thread; one for each series whose entries are
 * acknowledged when they are on disk, whatever `dlq.fsync` says.
 *
 * ```
 *   commit ─▶ end of this turn (or of the window) ─▶ writer idle? ─ yes ─▶ push, write, fdatasync ─▶ durable ─┐
 *                     ▲                                  └─ no: what comes meanwhile gathers for the next     │
 *                     └────────────────────────────── more has come ◀─────────────────────────────────────────┘
 * ```
 * So nobody waits for company longer than one sync takes, and the slower the disk, the more share a sync.
 */
import { Kind } from './layout.ts';
import type { DlqClock } from './options.ts';
import type { Series } from './series.ts';
import type { WriterWatch } from './writer.ts';

/** Told how far a series is on disk. Sequences are those of its entries. */
export interface CommitWatch {
  durable(sequence: number): void;
  /** What of the entries up to `sequence` is not durable yet never will be known to be. */
  lost(sequence: number): void;
  synced(tookMs: number): void;
}

export class GroupCommit implements WriterWatch {
  readonly #series: Series;
  readonly #clock: DlqClock;
  readonly #windowMs: number;
  readonly #watch: CommitWatch;
  /** Somebody waits for the entries up to the first, and those up to the second are on disk or lost. */
  #wanted = 0;
  #settled = 0;
  #isScheduled = false;

  constructor(series: Series, clock: DlqClock, windowMs: number, watch: CommitWatch) {
    this.#series = series;
    this.#clock = clock;
    this.#windowMs = windowMs;
    this.#watch = watch;
    series.writer.watch = this;
  }

  /** Somebody waits for all that the series has taken. */
  commit(): void {
    this.#wanted = this.#series.lastSequence;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const go = (): void => {
      this.#isScheduled = false;
      this.#go();
    };
    // At the end of the turn: what other connections bring in this one shares the sync.
    if (this.#windowMs === 0) setImmediate(go);
    else this.#clock.after(this.#windowMs, go);
  }

  durable(sequence: number): void {
    this.#settled = Math.max(this.#settled, sequence);
    this.#watch.durable(sequence);
    if (!this.#isScheduled) this.#go();
  }

  lost(sequence: number): void {
    this.#settled = Math.max(this.#settled, sequence);
    this.#watch.lost(sequence);
  }

  synced(tookMs: number): void {
    this.#watch.synced(tookMs);
  }

  idle(): void {
    if (!this.#isScheduled) this.#go();
  }

  #go(): void {
    const { writer } = this.#series;
    if (this.#wanted <= this.#settled) return;
    // What comes meanwhile gathers for the next commit. Spills may never let the disk rest: of them, what is on its way is synced.
    if (writer.isIdle) this.#series.push();
    else if (this.#series.kind === Kind.journal) return;
    writer.syncSoon();
  }
}
