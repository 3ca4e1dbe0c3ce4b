/**
 * The circuit breaker's state machine. Pure: it is given the time and never reads it. Main thread (one per ring, against local
 * saturation) and lane worker (one per stream, against a failing destination).
 *
 * ```
 *              trip                       wait over                     success
 *   closed ──────────▶ open ──────────────────────────▶ halfOpen ───────────────────▶ closed
 *                       ▲                                   │
 *                       └───────────── failure ─────────────┘   (waits longer each time, up to waitMsMax)
 * ```
 *
 * - closed: everything passes.
 * - open: nothing passes until `waitMs` have gone by since the last opening or failed probe.
 * - halfOpen: one probe passes; its outcome decides. For a saturation breaker the probe is "the ring has drained below the low
 *   mark and stayed there", so that it does not flap around the high mark.
 */
import { assert } from '../base/assert.ts';

export const BreakerState = { closed: 0, open: 1, halfOpen: 2 } as const;
export type BreakerState = (typeof BreakerState)[keyof typeof BreakerState];
export const breakerStateNames = ['closed', 'open', 'half_open'] as const;

export interface BreakerOptions {
  /** How long an opened breaker stays open before it lets a probe pass. */
  readonly waitMs: number;
  /** Each failed probe doubles the wait up to this. */
  readonly waitMsMax: number;
  /** A random number in [0, 1): shortens each wait by up to half, so that many hosts do not probe together. Absent: none is. */
  readonly share?: () => number;
}

/** Called once per transition, after the state has changed. */
export type OnTransition = (from: BreakerState, to: BreakerState, cause: string) => void;

export class Breaker {
  #state: BreakerState = BreakerState.closed;
  /** The present wait, and what it would be without jitter. */
  #waitMs: number;
  #cap: number;
  #sinceMs = 0;
  #options: BreakerOptions;
  readonly #onTransition: OnTransition;

  constructor(options: BreakerOptions, onTransition: OnTransition) {
    this.#options = checked(options);
    this.#onTransition = onTransition;
    this.#waitMs = options.waitMs;
    this.#cap = options.waitMs;
  }

  /** Other waits, from the next one on. */
  retune(options: BreakerOptions): void {
    this.#options = checked(options);
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Milliseconds until a probe may pass; 0 when one may now or the breaker is closed. */
  waitLeftMs(nowMs: number): number {
    if (this.#state !== BreakerState.open) return 0;
    return Math.max(0, this.#sinceMs + this.#waitMs - nowMs);
  }

  /** Opens a closed breaker. No effect in the other states. */
  trip(nowMs: number, cause: string): void {
    if (this.#state !== BreakerState.closed) return;
    this.#cap = this.#options.waitMs;
    this.#beginWait(nowMs);
    this.#move(BreakerState.open, cause);
  }

  /** Lets a probe pass when the wait is over: open becomes halfOpen. Returns whether it did. */
  tryProbe(nowMs: number, cause: string): boolean {
    if (this.#state !== BreakerState.open || this.waitLeftMs(nowMs) > 0) return false;
    this.#move(BreakerState.halfOpen, cause);
    return true;
  }

  /** The probe succeeded: halfOpen becomes closed. No effect in the other states. */
  succeed(cause: string): void {
    if (this.#state === BreakerState.halfOpen) this.#move(BreakerState.closed, cause);
  }

  /** The probe failed: halfOpen becomes open again, for twice as long. In open, starts the wait anew. */
  fail(nowMs: number, cause: string): void {
    if (this.#state === BreakerState.closed) return;
    if (this.#state === BreakerState.open) return this.#beginWait(nowMs);
    this.#cap = Math.min(2 * this.#cap, this.#options.waitMsMax);
    this.#beginWait(nowMs);
    this.#move(BreakerState.open, cause);
  }

  #beginWait(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#waitMs = this.#cap * (1 - (this.#options.share?.() ?? 0) / 2);
  }

  #move(to: BreakerState, cause: string): void {
    const from = this.#state;
    this.#state = to;
    this.#onTransition(from, to, cause);
  }
}

function checked(options: BreakerOptions): BreakerOptions {
  assert(options.waitMs > 0 && options.waitMsMax >= options.waitMs, 'the waits are ordered');
  return options;
}
