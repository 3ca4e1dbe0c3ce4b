/**
 * Whose events wait until a log of the DLQ is on disk up to them, in the order in which the log took them. Main thread; owned by
 * DiskAcks, one per log. What one sender brought in one turn is one group, so nothing is allocated per event.
 */
import type { Fate, Watch } from './watch.ts';

/** Events `first` .. `first + count - 1` of a sender; the log has them up to `sequence`. */
interface Group {
  readonly watch: Watch;
  readonly first: number;
  count: number;
  sequence: number;
  readonly sinceMs: number;
}

/** Settled groups that may stand before the others until they are cut off. */
const settledMax = 1_024;

export class DurableWaits {
  /** Events in groups that wait. */
  events = 0;
  #groups: Group[] = [];
  /** Index of the oldest one that waits. */
  #oldest = 0;
  #last: Group | undefined;

  /** Event `number` of `watch` is in the log under `sequence`, which is above all before. */
  add(watch: Watch, number: number, sequence: number, nowMs: () => number): void {
    this.events++;
    const last = this.#last;
    if (last !== undefined && last.watch === watch && last.first + last.count === number) {
      last.count++;
      last.sequence = sequence;
      return;
    }
    this.#last = { watch, first: number, count: 1, sequence, sinceMs: nowMs() };
    this.#groups.push(this.#last);
  }

  /** What comes next begins a group of its own: it may have to wait longer. */
  endGroup(): void {
    this.#last = undefined;
  }

  /** The log's entries up to `sequence` have this fate, and so the groups that end there. */
  settle(sequence: number, fate: Fate): void {
    this.#settleWhile((group) => group.sequence <= sequence, fate);
  }

  /** Groups that have waited since before `untilMs` wait no longer; false: there are none. */
  giveUp(untilMs: number, fate: Fate): boolean {
    return this.#settleWhile(({ sinceMs }) => sinceMs <= untilMs, fate);
  }

  #settleWhile(isSettled: (group: Group) => boolean, fate: Fate): boolean {
    const touched: Watch[] = [];
    const before = this.#oldest;
    for (let group = this.#groups[this.#oldest]; group !== undefined; group = this.#groups[this.#oldest]) {
      if (!isSettled(group)) break;
      this.#oldest++;
      this.events -= group.count;
      if (group === this.#last) this.#last = undefined;
      const { watch, first, count } = group;
      if (watch.closed) continue;
      for (let number = first; number < first + count; number++) watch.settle(number, fate);
      if (watch.touched) continue;
      watch.touched = true;
      touched.push(watch);
    }
    const isAny = this.#oldest > before;
    this.#cut();
    for (const watch of touched) {
      watch.touched = false;
      if (!watch.closed) watch.onDue();
    }
    return isAny;
  }

  #cut(): void {
    if (this.#oldest < this.#groups.length && this.#oldest < settledMax) return;
    this.#groups = this.#groups.slice(this.#oldest);
    this.#oldest = 0;
  }
}
