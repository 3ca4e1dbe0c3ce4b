/**
 * Tells senders of ack level `disk` when their events are on disk. Main thread; made by the daemon's wiring. Senders of the other
 * levels never meet it.
 *
 * ```
 *   sender ─▶ WatchedIntake ─▶ admission ─▶ ring and journal          Waits: whose events stand in the log up to which sequence
 *                │                  └─ or ─▶ DLQ, a stream's spills       │
 *              Watch ◀───────── durable(log, sequence) ◀─────────────── GroupCommit ◀─ fdatasync
 * ```
 * When the disk stalls, who has waited for `timeoutMs` is told `disk_stalled`: the event may be delivered all the same, and may be
 * lost if the host dies. Until the disk moves again others are refused at once, with nothing taken. An event that is refused
 * because the journal has no room stands in no ring either.
 */
import type { DurableLog, DurableLogs } from '../dlq/durable-logs.ts';
import { Appended } from '../dlq/series.ts';
import type { Admission, EntryWatch } from './admission.ts';
import { DurableWaits } from './durable-waits.ts';
import { Verdict } from './intake.ts';
import { Fate, Watch } from './watch.ts';
import { WatchedIntake, type WatchOptions } from './watched-intake.ts';

/** How often it is looked for senders that have waited too long, as a share of what they may. */
const looksPerTimeout = 20;

export interface DiskAcksParts {
  readonly admission: Admission;
  /** Opened after this, which it tells. */
  readonly logs: () => DurableLogs;
  readonly streams: number;
  readonly timeoutMs: number;
  readonly nowMs: () => number;
  /** The disk holds senders up, or does not any more. */
  readonly onStall: (isStalled: boolean) => void;
}

export class DiskAcks {
  readonly #parts: DiskAcksParts;
  readonly #waits: ReadonlyMap<DurableLog, DurableWaits>;
  /** Logs that took something since the last commit. */
  #due: DurableLog[] = [];
  /** Logs whose oldest wait took too long, and that have not moved since. */
  readonly #stalled = new Set<DurableLog>();
  readonly #blocked = new Set<() => void>();
  #isJournalAwaited = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: DiskAcksParts) {
    this.#parts = parts;
    const logs: DurableLog[] = ['journal', ...Array.from({ length: parts.streams }, (_, stream) => stream)];
    this.#waits = new Map(logs.map((log) => [log, new DurableWaits()]));
    parts.admission.onCommit = () => this.#commit();
  }

  /** The daemon's intake for one sender whose acks mean: on disk. */
  watch(options: WatchOptions): WatchedIntake {
    this.#parts.logs().mustSync();
    const watch = new Watch(0, options.onDue);
    return new WatchedIntake(this.#parts.admission, watch, this.#entryWatch(watch), options.tellsSpills);
  }

  /** All that the log has taken up to `sequence` is on disk. */
  durable(log: DurableLog, sequence: number): void {
    if (this.#stalled.delete(log)) this.#tellStall();
    this.#waitsOf(log).settle(sequence, Fate.durable);
  }

  /** What of the log up to `sequence` is not on disk yet is not known to get there. */
  lost(log: DurableLog, sequence: number): void {
    if (this.#stalled.delete(log)) this.#tellStall();
    this.#waitsOf(log).settle(sequence, Fate.stalled);
  }

  /** Events whose senders wait for the disk. */
  get waiting(): number {
    let events = 0;
    for (const waits of this.#waits.values()) events += waits.events;
    return events;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #entryWatch(watch: Watch): EntryWatch {
    const { journal } = this.#parts.logs();
    return {
      flags: 0,
      mayEnter: () => true,
      verdictOn: (stream) => {
        return this.#stalled.has('journal') || this.#stalled.has(stream) ? Verdict.diskStalled : Verdict.ring;
      },
      entered: (ring, _position, stream, keyOffset, keyLength, dataOffset, dataLength, ehkOffset, timeUs) => {
        const appended = journal.append(
          ring, stream, timeUs, keyOffset, keyLength, ehkOffset, dataOffset, dataLength,
        ); // biome-ignore format: one line of arguments
        if (appended === Appended.busy) return Verdict.blocked;
        if (appended === Appended.full) return Verdict.journalFull;
        this.#wait('journal', watch, watch.judged + 1);
        return Verdict.ring;
      },
      spilled: (stream) => this.#wait(stream, watch, watch.judged),
      whenRoom: (stream, resume) => {
        const once = (): void => {
          if (this.#blocked.delete(once)) resume();
        };
        this.#blocked.add(once);
        this.#parts.admission.whenRoom(stream, once);
        if (this.#isJournalAwaited) return;
        this.#isJournalAwaited = true;
        journal.whenWritable(() => {
          this.#isJournalAwaited = false;
          this.#resume();
        });
      },
    };
  }

  #wait(log: DurableLog, watch: Watch, number: number): void {
    const { logs, nowMs } = this.#parts;
    if (!this.#due.includes(log)) this.#due.push(log);
    this.#waitsOf(log).add(watch, number, logs().lastSequence(log), nowMs);
    this.#parts.admission.isCommitDue = true;
    this.#timer ??= setInterval(() => this.#look(), Math.max(1, this.#parts.timeoutMs / looksPerTimeout));
  }

  #commit(): void {
    const due = this.#due;
    this.#due = [];
    for (const log of due) {
      this.#waitsOf(log).endGroup();
      this.#parts.logs().commit(log);
    }
  }

  /** Tells those who have waited too long. */
  #look(): void {
    const untilMs = this.#parts.nowMs() - this.#parts.timeoutMs;
    let isWaiting = false;
    for (const [log, waits] of this.#waits) {
      if (waits.giveUp(untilMs, Fate.stalled) && !this.#stalled.has(log)) {
        this.#stalled.add(log);
        this.#tellStall();
      }
      isWaiting ||= waits.events > 0;
    }
    if (this.#stalled.size > 0) this.#resume();
    if (isWaiting || this.#stalled.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tellStall(): void {
    const { size } = this.#stalled;
    if (size <= 1) this.#parts.onStall(size === 1);
  }

  #resume(): void {
    const blocked = Array.from(this.#blocked);
    for (const resume of blocked) resume();
  }

  #waitsOf(log: DurableLog): DurableWaits {
    return this.#waits.get(log) as DurableWaits;
  }
}
