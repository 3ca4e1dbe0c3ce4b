/**
 * A DLQ with a journal on a real directory, for the tests of the journal; and a disk whose syncs of segments fail to order. Only
 * tests import it.
 */
import type { DurableLog, DurableLogs } from '../../src/dlq/durable-logs.ts';
import { Appended } from '../../src/dlq/series.ts';
import { type Files, type OpenFile, realFiles } from '../../src/edges/files.ts';
import { until } from '../daemon/running.ts';
import type { Event, Queue } from './queue.ts';

/** A ring as far as the journal looks at it: each event takes 8 bytes. */
class TestRing {
  entered = 0;
  givenBack = 0;
  position(): number {
    return 8 * this.entered;
  }
  passed(position: number): boolean {
    return 8 * this.givenBack >= position;
  }
}

/** A queue with a journal, one ring for each of its two streams. */
export class Journalled {
  readonly queue: Queue;
  readonly logs: DurableLogs;
  readonly rings: readonly [TestRing, TestRing];
  /** What was said of the journal. */
  readonly durable: number[] = [];
  readonly lost: number[] = [];

  constructor(queue: Queue, maxBytes?: number) {
    this.queue = queue;
    this.rings = [new TestRing(), new TestRing()];
    const of = (list: number[]) => (log: DurableLog, sequence: number) =>
      void (log === 'journal' && list.push(sequence));
    this.logs = queue.openJournal(
      this.rings,
      { durable: of(this.durable), lost: of(this.lost), journalSynced: () => {} },
      maxBytes === undefined ? {} : { maxBytes },
    );
  }

  /** Puts one event into its ring and the journal. */
  take(event: Event): Appended {
    const appended = this.queue.offerJournal(event);
    if (appended === Appended.ok) this.rings[event.stream as 0 | 1].entered++;
    return appended;
  }

  /** Takes and commits these; resolves when they are on disk. */
  async write(...events: Event[]): Promise<void> {
    for (const event of events) if (this.take(event) !== Appended.ok) throw new Error('the journal takes no more');
    const { journal } = this.logs;
    journal.commit();
    await until(
      async () => this.durable.at(-1),
      (sequence) => sequence === journal.lastSequence,
    );
  }

  /** The ring has given back its oldest `events`, and the marks say so. */
  async giveBack(ring: 0 | 1, events: number): Promise<void> {
    this.rings[ring].givenBack += events;
    const { journal } = this.logs;
    const { marksWritten } = journal.status();
    await until(
      async () => (journal.trim(), journal.status()),
      (status) => status.marksWritten > marksWritten,
    );
  }
}

/** The real file system, whose syncs of the journal, or of what is named otherwise, fail as often as they are told to. */
export class FailingSyncs {
  failures = 0;
  /** Writes that were their own sync. */
  writesThrough = 0;
  readonly #name: RegExp;
  readonly files: Files = {
    ...realFiles,
    open: async (path, purpose) => {
      const file = await realFiles.open(path, purpose);
      return this.#name.test(path) ? this.#guard(file, purpose === 'through') : file;
    },
  };

  constructor(name = /journal.*seg$/) {
    this.#name = name;
  }

  /** `isThrough`: each write is its own sync. */
  #guard(file: OpenFile, isThrough: boolean): OpenFile {
    return {
      write: async (...words) => {
        if (isThrough) this.#strike();
        await file.write(...words);
        if (isThrough) this.writesThrough++;
      },
      read: (...words) => file.read(...words),
      size: () => file.size(),
      truncate: (length) => file.truncate(length),
      close: () => file.close(),
      sync: async () => {
        this.#strike();
        await file.sync();
      },
    };
  }

  #strike(): void {
    if (this.failures === 0) return;
    this.failures--;
    throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
  }
}
