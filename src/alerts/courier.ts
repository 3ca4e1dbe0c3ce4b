/**
 * Brings notices of alerts to one place outside, a command or a webhook, without ever holding up who has them. Main thread; the
 * clock and the delivery itself are handed in.
 *
 * One delivery is under way at a time, and begins no sooner than an interval after the one before: what comes meanwhile waits, and goes
 * together. What fails goes again, later each time; after the last try it is given up. What was given up, or found no room to wait, is
 * counted, and the next delivery that succeeds tells how much that was.
 */
import type { After } from '../edges/clock.ts';

/** Notices that wait; beyond, the oldest are given up. Some 500 bytes each. */
export const noticesWaitingMax = 1_000;
/** Notices of one delivery. */
export const noticesTogetherMax = 100;
/** Longest that a failed delivery waits for its next try. */
const retryMsMax = 60_000;

export interface CourierParts {
  /** Settles within a time of its own. */
  readonly deliver: (notices: readonly object[], lost: number) => Promise<void>;
  readonly nowMs: () => number;
  readonly after: After;
  /** Least time between the beginnings of two deliveries. */
  readonly intervalMs: number;
  /** How often one is tried in all. */
  readonly tries: number;
  /** A delivery failed, and the one before had not. */
  readonly onFailing: (error: unknown) => void;
  /** One succeeded, and the one before had failed; `lost`: notices that were given up since. */
  readonly onWell: (lost: number) => void;
}

export class Courier {
  readonly #parts: CourierParts;
  #waiting: object[] = [];
  #lost = 0;
  #tried = 0;
  #isFailing = false;
  #nextMs = 0;
  #state: 'idle' | 'waiting' | 'delivering' | 'closed' = 'idle';
  #cancel = (): void => {};

  constructor(parts: CourierParts) {
    this.#parts = parts;
  }

  offer(notice: object): void {
    if (this.#state === 'closed') return;
    this.#waiting.push(notice);
    this.#trim();
    this.#goOn();
  }

  /** What waits is not delivered any more. */
  close(): void {
    this.#cancel();
    this.#state = 'closed';
  }

  #goOn(): void {
    if (this.#state !== 'idle' || this.#waiting.length === 0) return;
    const { nowMs, after } = this.#parts;
    this.#state = 'waiting';
    // Even what is due goes in a turn of its own: what changes in the same evaluation goes together.
    this.#cancel = after(Math.max(0, this.#nextMs - nowMs()), () => this.#deliver());
  }

  #deliver(): void {
    const { deliver, nowMs, intervalMs } = this.#parts;
    const notices = this.#waiting.splice(0, noticesTogetherMax);
    const lost = this.#lost;
    this.#state = 'delivering';
    this.#nextMs = nowMs() + intervalMs;
    deliver(notices, lost).then(
      () => this.#succeeded(lost),
      (error: unknown) => this.#failed(notices, error),
    );
  }

  #succeeded(told: number): void {
    if (this.#isFailing) this.#parts.onWell(told);
    this.#isFailing = false;
    this.#tried = 0;
    this.#lost -= told;
    this.#end();
  }

  #failed(notices: readonly object[], error: unknown): void {
    const { nowMs, intervalMs, tries, onFailing } = this.#parts;
    if (this.#state === 'closed') return;
    if (!this.#isFailing) onFailing(error);
    this.#isFailing = true;
    this.#tried += 1;
    if (this.#tried < tries) {
      this.#waiting.unshift(...notices);
      this.#trim();
      const retryMs = Math.min(retryMsMax, 1_000 * 2 ** (this.#tried - 1));
      this.#nextMs = nowMs() + Math.max(intervalMs, retryMs);
    } else {
      this.#lost += notices.length;
      this.#tried = 0;
    }
    this.#end();
  }

  #end(): void {
    if (this.#state !== 'closed') this.#state = 'idle';
    this.#goOn();
  }

  #trim(): void {
    const tooMany = this.#waiting.length - noticesWaitingMax;
    if (tooMany <= 0) return;
    this.#waiting.splice(0, tooMany);
    this.#lost += tooMany;
  }
}
