/**
 * When a stream's ring in a lane is saturated: the rule that drives its breaker. Pure; main thread, asked after each commit and on a timer.
 *
 * ```
 *   ring full ── 1.0 ┐
 *   open_at  ── 0.9 ─┼─ at or above, or the oldest event waits for open_after: closed ▶ open; halfOpen ▶ open
 *                    │
 *   close_at ── 0.6 ─┼─ at or below, and the oldest is younger:                open ▶ halfOpen (after the wait)
 *              0.0 ──┘  and still so after the settling time:                  halfOpen ▶ closed
 * ```
 * Between the marks nothing changes: that, the wait and the settling time keep it from flapping.
 */
import { Breaker, BreakerState, type OnTransition } from './breaker.ts';

export interface SaturationOptions {
  readonly capacityBytes: number;
  /** Shares of the capacity. */
  readonly openAt: number;
  readonly closeAt: number;
  /** Age of the oldest event in the ring that opens the breaker. */
  readonly openAfterMs: number;
  /** Least time open. */
  readonly waitMs: number;
}

/** How long a half-open lane must stay below the low mark before it counts as drained. */
export const settleMs = 200;

export class SaturationBreaker {
  readonly #breaker: Breaker;
  #options: SaturationOptions;
  #halfOpenSinceMs = 0;

  constructor(options: SaturationOptions, onTransition: OnTransition) {
    this.#options = options;
    this.#breaker = new Breaker(waits(options), onTransition);
  }

  /** Other marks and waits, of the same ring; a state that they contradict changes at the next update. */
  retune(options: SaturationOptions): void {
    this.#options = options;
    this.#breaker.retune(waits(options));
  }

  /** Whether events must not enter the ring. In the half-open state they may: whether it then stays drained is the probe. */
  get diverts(): boolean {
    return this.#breaker.state === BreakerState.open;
  }

  get state(): BreakerState {
    return this.#breaker.state;
  }

  /** The ring took no more. */
  full(nowMs: number): void {
    this.#breaker.trip(nowMs, 'ring_full');
    this.#breaker.fail(nowMs, 'ring_full');
  }

  update(usedBytes: number, oldestMs: number, nowMs: number): void {
    const { capacityBytes, openAt, closeAt, openAfterMs } = this.#options;
    const high = usedBytes >= openAt * capacityBytes;
    const old = oldestMs >= openAfterMs;
    const breaker = this.#breaker;
    if (high || old) {
      const cause = high ? 'ring_bytes' : 'oldest_event';
      if (breaker.state === BreakerState.closed) breaker.trip(nowMs, cause);
      else if (breaker.state === BreakerState.halfOpen) breaker.fail(nowMs, cause);
      return;
    }
    if (usedBytes > closeAt * capacityBytes) return;
    if (breaker.tryProbe(nowMs, 'drained')) this.#halfOpenSinceMs = nowMs;
    else if (breaker.state === BreakerState.halfOpen && nowMs - this.#halfOpenSinceMs >= settleMs)
      breaker.succeed('stays drained');
  }
}

function waits({ waitMs }: SaturationOptions): { readonly waitMs: number; readonly waitMsMax: number } {
  return { waitMs, waitMsMax: 8 * waitMs };
}
