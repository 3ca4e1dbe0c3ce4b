/**
 * The intake as a sender of ack level `stream` or `disk` sees it: numbers its events and learns what becomes of each. Main thread; one
 * per connection or request, made by Deliveries or DiskAcks, between its framer and admission.
 */
import type { Admission, EntryWatch } from './admission.ts';
import type { Sender } from './fair-shares.ts';
import { firstRefusal, type Intake, Verdict } from './intake.ts';
import { Fate, type Watch } from './watch.ts';

/** Ack levels at which senders hear later of what became of their events. */
export type WatchedLevel = 'disk' | 'stream';

export interface WatchOptions {
  /** Events, from the first on, that get a receipt: shard and sequence number. */
  readonly receiptsMax: number;
  /** Told when more of the sender's events have their fate. */
  readonly onDue: () => void;
  /** An event that is set aside at once is answered with the verdict `onDisk`, like a refusal, instead of `spilled`. */
  readonly tellsSpills: boolean;
}

/** Gives a sender an intake that tells what becomes of its events, as its ack level has it. */
export type WatchSender = (level: WatchedLevel, options: WatchOptions) => WatchedIntake;

export class WatchedIntake implements Intake {
  readonly watch: Watch;
  readonly #admission: Admission;
  readonly #entryWatch: EntryWatch;
  readonly #tellsSpills: boolean;

  constructor(admission: Admission, watch: Watch, entryWatch: EntryWatch, tellsSpills: boolean) {
    this.watch = watch;
    this.#admission = admission;
    this.#entryWatch = entryWatch;
    this.#tellsSpills = tellsSpills;
  }

  offer(
    stream: number,
    keyOffset: number,
    keyLength: number,
    dataOffset: number,
    dataLength: number,
    ehkOffset: number,
    timeUs: number,
  ): Verdict {
    const { watch } = this;
    if (watch.full) return Verdict.blocked;
    const advance = this.#entryWatch.verdictOn?.(stream) ?? Verdict.ring;
    if (advance !== Verdict.ring) {
      this.refuse(stream, advance);
      return advance;
    }
    const verdict = this.#admission.offerWatched(
      this.#entryWatch,
      stream,
      keyOffset,
      keyLength,
      dataOffset,
      dataLength,
      ehkOffset,
      timeUs,
    );
    if (verdict === Verdict.ring) watch.judge(Fate.pending);
    else if (verdict >= firstRefusal) watch.judge(Fate.told);
    else if (verdict === Verdict.spilled && this.#entryWatch.spilled !== undefined) {
      watch.judge(Fate.pending);
      this.#entryWatch.spilled(stream);
    } else if (verdict === Verdict.spilled) {
      watch.judge(this.#tellsSpills ? Fate.told : Fate.onDisk);
      if (this.#tellsSpills) return Verdict.onDisk;
    }
    return verdict;
  }

  refuse(stream: number, verdict: Verdict): void {
    this.#admission.refuse(stream, verdict);
    // Bytes that are no frame have no number.
    if (verdict !== Verdict.badFrame) this.watch.judge(Fate.told);
  }

  whenRoom(stream: number, resume: () => void): void {
    if (this.watch.full) this.watch.whenRoom(resume);
    else if (this.#entryWatch.whenRoom !== undefined) this.#entryWatch.whenRoom(stream, resume);
    else this.#admission.whenRoom(stream, resume);
  }

  streamIndex(name: string): number | undefined {
    return this.#admission.streamIndex(name);
  }
  eventBytesMax(stream: number): number {
    return this.#admission.eventBytesMax(stream);
  }
  randomKey(): number {
    return this.#admission.randomKey();
  }
  commit(): void {
    this.#admission.commit();
  }
  feeds(sender: Sender): void {
    this.#admission.feeds(sender);
  }
  retryAfterMs(stream: number): number {
    return this.#admission.retryAfterMs(stream);
  }
}
