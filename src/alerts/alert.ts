/**
 * One alert: when it fires and when it clears. Main thread; pure on the time that it is given; the engine steps it with each value.
 *
 * ```
 *            beyond the threshold for `forMs`                         beyond threshold ───┐
 *   quiet ───────────────────────────────────▶ active                 between: as it is   │ hysteresis
 *     ▲                                          │                    at or within clear ─┘
 *     └── at or within `clear` for `clearForMs` ─┘
 * ```
 * Between two changes of its state lie at least `clearForMs`, whatever the values do: what comes back at once after it was cleared
 * fires when that time is over.
 */
import { measureOf } from './measures.ts';
import { type AlertRule, isAsBad } from './rules.ts';

export type AlertChange = 'fired' | 'cleared';

export class Alert {
  readonly rule: AlertRule;
  /** The stream that it watches; undefined: all together, or the daemon. */
  readonly stream: string | undefined;
  #isActive = false;
  /** Since when it has been so that the state is to change; undefined: it is not so. */
  #turningMs: number | undefined;
  #changedMs: number | undefined;
  #heldMs = 0;
  #value: number | undefined;

  constructor(rule: AlertRule, stream: string | undefined) {
    this.rule = rule;
    this.stream = stream;
  }

  get isActive(): boolean {
    return this.#isActive;
  }

  /** As of the last step; undefined: there was none. */
  get value(): number | undefined {
    return this.#value;
  }

  /** When the state last changed; undefined: it never has. */
  get changedMs(): number | undefined {
    return this.#changedMs;
  }

  /** For how long all had been bad, or well, when the state last changed; ms. */
  get heldMs(): number {
    return this.#heldMs;
  }

  /** `value` undefined: there is none, which is as good as can be. Returns what has changed, if anything has. */
  step(value: number | undefined, nowMs: number): AlertChange | undefined {
    const { clearForMs, forMs } = this.rule;
    this.#value = value;
    if (this.#isActive ? !this.#isWell(value) : !this.#isBad(value)) {
      this.#turningMs = undefined;
      return undefined;
    }
    this.#turningMs ??= nowMs;
    if (nowMs - this.#turningMs < (this.#isActive ? clearForMs : forMs)) return undefined;
    if (this.#changedMs !== undefined && nowMs - this.#changedMs < clearForMs) return undefined;
    this.#isActive = !this.#isActive;
    this.#changedMs = nowMs;
    this.#heldMs = nowMs - this.#turningMs;
    this.#turningMs = undefined;
    return this.#isActive ? 'fired' : 'cleared';
  }

  #isBad(value: number | undefined): boolean {
    const measure = measureOf(this.rule.measure);
    return value !== undefined && isAsBad(measure, value, this.rule.threshold) && value !== this.rule.threshold;
  }

  #isWell(value: number | undefined): boolean {
    return value === undefined || isAsBad(measureOf(this.rule.measure), this.rule.clear, value);
  }
}
