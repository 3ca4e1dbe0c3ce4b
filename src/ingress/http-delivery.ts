/**
 * One POST of ack level `stream` or `disk`: waits until each of its events has its fate, or for as long as the listener lets it, and
 * tells what became of them. Main thread; made by the request (http-events.ts), which answers when `wait` calls back.
 */
import { requestReceiptsMax } from '../base/limits.ts';
import { Verdict } from './intake.ts';
import { RefusalList, tellRefusal } from './refusal-list.ts';
import { Fate, type Watch } from './watch.ts';
import type { WatchedIntake, WatchedLevel, WatchSender } from './watched-intake.ts';

/** Where Kinesis has an event; null: it is not known to be there, or not where. */
type Receipt = { readonly shardId: string; readonly sequenceNumber: string; readonly subSequence: number } | null;

export class RequestDelivery {
  readonly intake: WatchedIntake;
  readonly #watch: Watch;
  /** By index of the event. */
  readonly #receipts: Receipt[] = [];
  readonly #undelivered = new RefusalList();
  #timer: NodeJS.Timeout | undefined;
  #onDone: (() => void) | undefined;

  readonly #level: WatchedLevel;
  /** Events that are on disk, before the first that is not known to be. */
  #durable = 0;

  constructor(watchSender: WatchSender, level: WatchedLevel, receipts: boolean) {
    this.#level = level;
    this.intake = watchSender(level, {
      receiptsMax: receipts ? requestReceiptsMax : 0,
      onDue: () => this.step(),
      tellsSpills: false,
    });
    this.#watch = this.intake.watch;
  }

  /** Goes on over the events that have their fate, which makes room for more. After each parse, and when fates come. */
  step(): void {
    const watch = this.#watch;
    for (;;) {
      // The sender goes on from there: what became of those behind it does not matter.
      if (watch.stalled > 0 && watch.nextFate === Fate.stalled) break;
      const fate = watch.next();
      if (fate === Fate.pending) break;
      if (fate === Fate.durable) this.#durable++;
      const index = watch.done - 1;
      if (fate === Fate.onDisk) this.#undelivered.add(index, Verdict.onDisk);
      else if (fate === Fate.rejected) this.#undelivered.add(index, Verdict.rejected);
      else if (fate === Fate.delivered && watch.record !== undefined) {
        this.#receipts[index] = { ...watch.record, subSequence: watch.subSequence };
      }
    }
    if (watch.pending === 0) this.#done();
  }

  /** Calls back once, when every event has its fate or after `timeoutMs`. */
  wait(timeoutMs: number, onDone: () => void): void {
    this.#onDone = onDone;
    this.#timer = setTimeout(() => this.#done(), timeoutMs);
    this.step();
  }

  /** Nobody waits any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#onDone = undefined;
    this.#watch.close();
  }

  /** Whether each event that was accepted is in Kinesis. */
  get isComplete(): boolean {
    const { pending, onDisk, rejected, stalled } = this.#watch;
    return pending === 0 && onDisk === 0 && rejected === 0 && stalled === 0;
  }

  /** Of level `disk`: the sender must not be answered before what it sent is on disk, however its request ends. */
  get holdsAnswers(): boolean {
    return this.#level === 'disk';
  }

  /** Events before the first whose fate is not known. */
  get judged(): number {
    return this.#watch.done;
  }

  /** Members of the answer. */
  tell(): object {
    if (this.#level === 'disk') return this.#tellDurable();
    const { pending, delivered, onDisk, rejected, receiptsMax, judged } = this.#watch;
    const { omitted } = this.#undelivered;
    const runs = this.#undelivered.take().map((run) => tellRefusal(run, 'index', 0));
    return {
      delivered,
      onDisk,
      rejected,
      pending,
      ...(runs.length === 0 ? {} : { undelivered: runs }),
      ...(omitted === 0 ? {} : { undeliveredOmitted: omitted }),
      ...(receiptsMax === 0 ? {} : { receipts: this.#allReceipts() }),
      ...(receiptsMax === 0 || judged <= receiptsMax ? {} : { receiptsOmitted: judged - receiptsMax }),
    };
  }

  /** Only what is on disk counts as accepted; `uncertain` is in the daemon, and may be delivered. */
  #tellDurable(): object {
    const { durable, stalled, pending } = this.#watch;
    const uncertain = durable + stalled + pending - this.#durable;
    return { accepted: this.#durable, durable: this.#durable, ...(uncertain === 0 ? {} : { uncertain }) };
  }

  #allReceipts(): Receipt[] {
    const { judged, receiptsMax } = this.#watch;
    return Array.from({ length: Math.min(judged, receiptsMax) }, (_, index) => this.#receipts[index] ?? null);
  }

  #done(): void {
    const onDone = this.#onDone;
    this.#onDone = undefined;
    clearTimeout(this.#timer);
    onDone?.();
  }
}
