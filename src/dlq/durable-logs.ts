/**
 * What senders can wait for to be on disk: the journal, and each stream's spills. Main thread; opened by the daemon once the DLQ is
 * open, used by DiskAcks.
 */
import type { DlqContext } from './context.ts';
import { type CommitWatch, GroupCommit } from './group-commit.ts';
import { Journal, type JournalOptions } from './journal.ts';
import type { Series } from './series.ts';
import type { StreamNames } from './streams.ts';

/** Whose entries somebody can wait for: the journal's, or a stream's spills. */
export type DurableLog = 'journal' | number;

/** Told how far the logs are on disk that {@link DurableLogs.commit} was called for, by sequence. */
export interface DurableWatch {
  durable(log: DurableLog, sequence: number): void;
  lost(log: DurableLog, sequence: number): void;
  journalSynced(tookMs: number): void;
}

export class DurableLogs {
  readonly journal: Journal;
  readonly #context: DlqContext;
  /** By stream. */
  readonly #spills: readonly Series[];
  readonly #commits: readonly GroupCommit[];

  /** `flush` makes all that the DLQ has taken durable; false when the disk keeps failing. */
  constructor(
    context: DlqContext,
    options: JournalOptions,
    watch: DurableWatch,
    spills: readonly Series[],
    names: StreamNames,
    flush: () => Promise<boolean>,
  ) {
    const watchOf = (log: DurableLog): CommitWatch => ({
      durable: (sequence) => watch.durable(log, sequence),
      lost: (sequence) => watch.lost(log, sequence),
      synced: (tookMs) => {
        if (log === 'journal') watch.journalSynced(tookMs);
      },
    });
    const { clock } = context.options;
    this.#context = context;
    this.#spills = spills;
    this.journal = new Journal(context, options, names, watchOf('journal'), flush);
    this.#commits = spills.map((series, slot) => new GroupCommit(series, clock, options.commitWindowMs, watchOf(slot)));
  }

  /** Somebody asks for acknowledgements that mean: on disk. From now on they do, whatever the fsync policy is. */
  mustSync(): void {
    this.#context.mustSync = true;
  }

  /** Somebody waits for all that a log has taken; the watch is told. */
  commit(log: DurableLog): void {
    if (log === 'journal') this.journal.commit();
    else this.#commits[log]!.commit();
  }

  /** Sequence of the last entry that a log has taken in this run. */
  lastSequence(log: DurableLog): number {
    return log === 'journal' ? this.journal.lastSequence : this.#spills[log]!.lastSequence;
  }
}
