/**
 * When a stream's ring in a lane is saturated, and how much of it may be filled meanwhile: the rule that drives its breaker. Pure;
 * main thread, asked after each commit and on a timer.
 *
 * ```
 *   ring full ── 1.0 ┐
 *   open_at  ── 0.9 ─┼─ at or above, or the oldest event waits for open_after, or the newest will:  closed, halfOpen ▶ open
 *                    │
 *   close_at ── 0.6 ─┼─ at or below, the oldest younger, nothing turned away, for 5 s:   open ▶ halfOpen
 *                    ├─ ... for 0.3 s, and at most half of the allowance is used:         open ▶ halfOpen
 *              0.0 ──┘  and still so after the settling time:                             halfOpen ▶ closed
 * ```
 * Between the marks nothing changes.
 *
 * An open ring is not shut: it is filled up to the _allowance_, which its lane empties in three quarters of open_after, and the rest
 * is turned away. So the lane has work at any overload, what enters waits for a bounded time, and that nothing is turned away any
 * more is the sign that the overload is over. A breaker that shut its ring would see it drain, open it, and see it fill, again and
 * again, for as long as senders are faster than the lane.
 *
 * What its lane emptied when events were last turned away is remembered: the next overload is seen by how long what the ring holds
 * will take, before the oldest event is old. Ten times the load would bring ten times open_after meanwhile.
 *
 * A load of just about what the lane takes has lulls. That is why a ring that is not nearly empty must be quiet for longer, and why
 * one that opens again within {@link noiseMs} of its closing must be so in any case.
 */
import { Breaker, BreakerState, type OnTransition } from './breaker.ts';
import { DrainRate } from './drain-rate.ts';

export interface SaturationOptions {
  readonly capacityBytes: number;
  /** Shares of the capacity. */
  readonly openAt: number;
  readonly closeAt: number;
  /** Age of the oldest event in the ring that opens the breaker. */
  readonly openAfterMs: number;
}

/** How long nothing must have been turned away before an open ring that is nearly empty counts as drained. */
export const quietMs = 300;
/**
 * How long it takes to believe that a lane has become slower: a moment in which it emptied little must not leave it with little to do,
 * of which it would empty even less.
 */
const slowerMs = 5_000;
/** How long it is remembered what a lane can do. */
export const rememberMs = 600_000;
/** Share of the allowance that is used at most when a ring is nearly empty. */
export const emptyShare = 1 / 2;
/** How long a half-open ring must stay below the low mark before its breaker closes. */
export const settleMs = 200;
/** The same for a ring that is not, or that opens so soon after it has closed: that is part of the same overload. */
export const noiseMs = 5_000;

/** Share of open_after in which the allowance is emptied. */
const allowanceShare = 3 / 4;
/** With this factor the allowance still lasts for less than open_after. */
const crowdedShare = 5 / 4;
/**
 * The allowance is at least so much, and so much of a small ring: a lane that got little to do has emptied little, and must not get
 * ever less.
 */
const allowanceBytesLeast = 1024 ** 2;
const allowanceShareLeast = 1 / 8;
/** And at most this share of the high mark. */
const allowanceMost = 15 / 16;

export class SaturationBreaker {
  readonly #breaker: Breaker;
  /** Of the open ring; and of the closed one, which is what was asked of its lane. */
  readonly #rate = new DrainRate();
  readonly #usual = new DrainRate();
  #options: SaturationOptions;
  #halfOpenSinceMs = 0;
  #closedMs = Number.NEGATIVE_INFINITY;
  /** Since when the ring is below the low mark and nothing was turned away; Infinity: it is not. */
  #quietSinceMs = Number.POSITIVE_INFINITY;
  /** Since when it also is nearly empty. */
  #emptySinceMs = Number.POSITIVE_INFINITY;
  #isNoise = false;
  /** What the lane emptied when events were last turned away, or more, bytes a millisecond, and when that was; 0: not known. */
  #known = 0;
  #knownMs = 0;
  /** Opened for what it knew, and nothing was turned away since. */
  #isGuess = false;
  #admits = true;
  #admitsFew = true;
  #isCrowded = false;

  constructor(options: SaturationOptions, onTransition: OnTransition) {
    this.#options = options;
    // The quiet time is what an open breaker waits for, not its own clock.
    this.#breaker = new Breaker({ waitMs: 1, waitMsMax: 1 }, onTransition);
  }

  /** Other marks, of the same ring; a state that they contradict changes at the next update. */
  retune(options: SaturationOptions): void {
    this.#options = options;
  }

  get state(): BreakerState {
    return this.#breaker.state;
  }

  get isOpen(): boolean {
    return this.#breaker.state === BreakerState.open;
  }

  /** Whether events may enter the ring; of an open one, as far as its allowance goes. */
  get admits(): boolean {
    return this.#admits;
  }

  /** Of an open ring beyond its allowance: whether senders that ask for little may still use it. */
  get admitsFew(): boolean {
    return this.#admitsFew;
  }

  /** An open ring holds more than a fourth more of its allowance. */
  get isCrowded(): boolean {
    return this.#isCrowded;
  }

  /** What the lane empties while the ring is never empty; 0: not known. */
  get drainBytesPerMs(): number {
    return this.#rate.bytesPerMs;
  }

  /** The ring took no more. Below the low mark that is the size of one event, and no saturation. */
  full(usedBytes: number, nowMs: number): void {
    const { closeAt, capacityBytes } = this.#options;
    if (usedBytes > closeAt * capacityBytes) this.#saturated(nowMs, 'ring_full');
  }

  /**
   * How the ring stands: bytes that it holds, age of the oldest event, `tail` (position of the oldest byte, wrapped to 32 bits), and
   * whether events were turned away since the last update because of this breaker.
   */
  update(usedBytes: number, oldestMs: number, tail: number, turnedAway: boolean, nowMs: number): void {
    const { capacityBytes, openAt, closeAt, openAfterMs } = this.#options;
    const lowBytes = closeAt * capacityBytes;
    if (usedBytes >= openAt * capacityBytes) this.#saturated(nowMs, 'ring_bytes');
    else if (oldestMs >= openAfterMs) this.#saturated(nowMs, 'oldest_event');
    else if (!this.isOpen && this.#willWait(usedBytes, nowMs)) this.#saturated(nowMs, 'expected_wait');
    else if (usedBytes > lowBytes || turnedAway) this.#quietSinceMs = Number.POSITIVE_INFINITY;
    else this.#quiet(usedBytes, nowMs);
    if (!this.isOpen) {
      this.#usual.saw(tail, nowMs);
      this.#admits = this.#admitsFew = true;
      this.#isCrowded = false;
      return;
    }
    this.#rate.saw(tail, nowMs);
    if (turnedAway) this.#isGuess = false;
    if (turnedAway || this.#rate.bytesPerMs > this.#known) this.#remember(nowMs);
    // While it is not known how fast the lane is, or when it stands, age must do.
    const isLate = this.#rate.bytesPerMs === 0 && oldestMs >= openAfterMs;
    const allowanceBytes = isLate ? -1 : this.#allowanceBytes();
    this.#admits = usedBytes <= allowanceBytes;
    this.#admitsFew = this.#rate.bytesPerMs > 0 && usedBytes < openAt * capacityBytes;
    this.#isCrowded = usedBytes > crowdedShare * allowanceBytes;
  }

  #remember(nowMs: number): void {
    const { bytesPerMs } = this.#rate;
    if (bytesPerMs === 0) return;
    const share = Math.min(1, (nowMs - this.#knownMs) / slowerMs);
    this.#known = Math.max(bytesPerMs, this.#known + share * (bytesPerMs - this.#known));
    this.#knownMs = nowMs;
  }

  /** Whether the lane needs more than open_after for what the ring holds. */
  #willWait(usedBytes: number, nowMs: number): boolean {
    if (this.#known === 0 || nowMs - this.#knownMs > rememberMs) return false;
    const bytesPerMs = Math.max(this.#known, this.#usual.bytesPerMs);
    return usedBytes > Math.max(bytesPerMs * this.#options.openAfterMs, this.#leastBytes);
  }

  get #leastBytes(): number {
    return Math.min(allowanceBytesLeast, this.#options.capacityBytes * allowanceShareLeast);
  }

  #allowanceBytes(): number {
    const { capacityBytes, openAt, closeAt, openAfterMs } = this.#options;
    const bytesPerMs = this.#known;
    if (bytesPerMs === 0) return closeAt * capacityBytes;
    const emptied = bytesPerMs * openAfterMs * allowanceShare;
    return Math.max(Math.min(emptied, openAt * capacityBytes * allowanceMost), this.#leastBytes);
  }

  #saturated(nowMs: number, cause: string): void {
    this.#quietSinceMs = Number.POSITIVE_INFINITY;
    if (this.isOpen) return;
    this.#isNoise = this.state === BreakerState.halfOpen || nowMs - this.#closedMs < noiseMs;
    this.#rate.restart();
    this.#isGuess = cause === 'expected_wait';
    this.#usual.restart();
    this.#admits = this.#admitsFew = false;
    if (this.state === BreakerState.closed) this.#breaker.trip(nowMs, cause);
    else this.#breaker.fail(nowMs, cause);
  }

  /** Below the low mark, the oldest event young, and nobody wanted more. */
  #quiet(usedBytes: number, nowMs: number): void {
    const breaker = this.#breaker;
    if (this.#quietSinceMs === Number.POSITIVE_INFINITY) {
      this.#quietSinceMs = nowMs;
      this.#emptySinceMs = Number.POSITIVE_INFINITY;
    }
    if (usedBytes > emptyShare * this.#allowanceBytes()) this.#emptySinceMs = Number.POSITIVE_INFINITY;
    else this.#emptySinceMs = Math.min(this.#emptySinceMs, nowMs);
    if (this.isOpen) {
      const isDrained = !this.#isNoise && nowMs - this.#emptySinceMs >= quietMs;
      if (!isDrained && nowMs - this.#quietSinceMs < noiseMs) return;
      if (breaker.tryProbe(nowMs, 'drained')) this.#halfOpenSinceMs = nowMs;
    } else if (breaker.state === BreakerState.halfOpen && nowMs - this.#halfOpenSinceMs >= settleMs) {
      breaker.succeed('stays drained');
      // It has taken all that came: the lane can do more than it could then.
      if (this.#isGuess) this.#known = 0;
      this.#closedMs = nowMs;
    }
  }
}
