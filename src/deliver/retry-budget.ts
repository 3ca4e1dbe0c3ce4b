/**
 * Keeps retries to a part of what is sent for the first time, so that a failing destination is not met with more load than a
 * healthy one. Lane worker; pure: time is given. The delivery of a stream tells it what it sends and asks before it sends again.
 *
 * Each first sending earns {@link RetryBudgetOptions.part} of a retry. Earnings and what was spent of them count for a sliding
 * window, kept as slots of a twentieth of it, and are then forgotten: a busy day does not pay for a storm at night. Beside them a
 * floor lets one through each second or so, so that a stream that sends nothing else still finds its destination well again.
 *
 * ```
 *   window   |<---------- 20 slots ---------->|
 *   sent     | 120 | 100 |   0 | .... | 110 | 5     what fits into part x sent - spent is paid from there, the rest by the floor,
 *   spent    |   3 |   0 |   9 | .... |   1 | 0     which has a second's worth at most, and goes into debt by one asking: many
 *              ^ forgotten next                     records that failed together may go together, and are paid off by waiting
 * ```
 * So, whenever it says yes, what was retried in the window that ends then is at most the part of what was first sent in it, the
 * floor for as long, and the records of one asking.
 */
import { assert } from '../base/assert.ts';

export interface RetryBudgetOptions {
  /** Retries for each first sending, such as 0.1. */
  readonly part: number;
  /** Retries a second that cost nothing. */
  readonly floorPerSecond: number;
  readonly windowMs: number;
}

const slots = 20;

export class RetryBudget {
  readonly #part: number;
  readonly #floorPerSecond: number;
  readonly #slotMs: number;
  readonly #sent = new Float64Array(slots);
  readonly #spent = new Float64Array(slots);
  /** Number of the slot that is filled now, counted from time 0. */
  #slot = Number.NEGATIVE_INFINITY;
  /** Of the whole window: part of what was sent, less what was spent. Negative when what earned it was forgotten first. */
  #left = 0;
  /** Free retries; negative: a debt. */
  #floor: number;
  #floorMs = Number.NEGATIVE_INFINITY;

  constructor({ part, floorPerSecond, windowMs }: RetryBudgetOptions) {
    assert(part >= 0 && part <= 1, 'retries are a part of what is sent');
    assert(floorPerSecond > 0, 'without a floor a quiet stream would never heal');
    assert(windowMs >= slots, 'a slot has a millisecond');
    this.#part = part;
    this.#floorPerSecond = floorPerSecond;
    this.#slotMs = windowMs / slots;
    this.#floor = this.#floorMost;
  }

  /** So many records go for the first time. */
  sent(records: number, nowMs: number): void {
    this.#advance(nowMs);
    const at = this.#slot % slots;
    this.#sent[at] = (this.#sent[at] as number) + records;
    this.#left += this.#part * records;
  }

  /** Whether so many records may go again now, together. After a yes they count as gone. */
  mayRetry(records: number, nowMs: number): boolean {
    assert(records > 0, 'something is to go again');
    this.#advance(nowMs);
    const paid = Math.min(records, Math.max(0, this.#left));
    if (paid < records && this.#floor < 1) return false;
    const at = this.#slot % slots;
    this.#spent[at] = (this.#spent[at] as number) + paid;
    this.#left -= paid;
    this.#floor -= records - paid;
    return true;
  }

  /** When one record may go again at the earliest, if nothing is sent until then; `nowMs` when one may go now. */
  nextMs(nowMs: number): number {
    this.#advance(nowMs);
    if (this.#left >= 1 || this.#floor >= 1) return nowMs;
    const floorMs = nowMs + Math.ceil(((1 - this.#floor) / this.#floorPerSecond) * 1_000);
    let left = this.#left;
    for (let age = slots - 1; age >= 0; age--) {
      const slot = this.#slot - age;
      left += this.#forgets(slot);
      if (left >= 1) return Math.min(floorMs, Math.ceil((slot + slots) * this.#slotMs));
    }
    return floorMs;
  }

  /** At least one: a floor of less than one a second saves up for it. */
  get #floorMost(): number {
    return Math.max(1, this.#floorPerSecond);
  }

  /** What {@link #left} changes by when a slot of the window is forgotten. */
  #forgets(slot: number): number {
    const at = ((slot % slots) + slots) % slots;
    return (this.#spent[at] as number) - this.#part * (this.#sent[at] as number);
  }

  /** Brings floor and window to now. */
  #advance(nowMs: number): void {
    if (nowMs <= this.#floorMs) return;
    // The first time there is nothing to add: the floor is full.
    const seconds = this.#floorMs === Number.NEGATIVE_INFINITY ? 0 : (nowMs - this.#floorMs) / 1_000;
    this.#floor = Math.min(this.#floorMost, this.#floor + seconds * this.#floorPerSecond);
    this.#floorMs = nowMs;
    const slot = Math.floor(nowMs / this.#slotMs);
    assert(slot >= 0, 'time is counted from 0');
    if (slot === this.#slot) return;
    if (slot - this.#slot >= slots) {
      this.#sent.fill(0);
      this.#spent.fill(0);
    } else {
      for (let next = this.#slot + 1; next <= slot; next++) {
        this.#sent[next % slots] = 0;
        this.#spent[next % slots] = 0;
      }
    }
    this.#slot = slot;
    // Summed anew, as adding and taking away would gather rounding errors.
    this.#left = 0;
    for (let at = 0; at < slots; at++) this.#left -= this.#forgets(at);
  }
}
