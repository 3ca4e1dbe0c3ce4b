/**
 * Keeps what is sent again a small share of what is sent: an endpoint that fails must not be buried under retries, and many hosts
 * must not come back together. Lane worker; pure. A token bucket: each first sending brings a tenth of a token, each retry costs one,
 * and a slow trickle keeps a quiet stream able to heal.
 *
 * Source of the idea: the retry quota of the AWS SDKs ("standard" retry mode) and Finagle's RetryBudget.
 */

export interface RetryBudgetOptions {
  /** Retries for each first sending. */
  readonly share: number;
  /** Retries per second without any traffic. */
  readonly trickle: number;
  /** Most retries at once after long good times, and how many there are at the start. */
  readonly burst: number;
}

export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  #tokens: number;
  #filledMs = 0;

  constructor(options: RetryBudgetOptions) {
    this.#options = options;
    this.#tokens = options.burst;
  }

  /** So many were sent for the first time. */
  sent(count: number): void {
    this.#tokens = Math.min(this.#options.burst, this.#tokens + count * this.#options.share);
  }

  /** Whether one more may be sent again now; if so it is counted. */
  mayRetry(nowMs: number): boolean {
    this.#trickle(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Counts a retry that goes in any case: a breaker's probe. */
  spend(): void {
    this.#tokens = Math.max(-this.#options.burst, this.#tokens - 1);
  }

  /** When one may be sent again at the latest. */
  nextMs(nowMs: number): number {
    this.#trickle(nowMs);
    return this.#tokens >= 1 ? nowMs : nowMs + (1000 * (1 - this.#tokens)) / this.#options.trickle;
  }

  #trickle(nowMs: number): void {
    const { trickle, burst } = this.#options;
    const elapsedMs = this.#filledMs === 0 ? 0 : Math.max(0, nowMs - this.#filledMs);
    this.#filledMs = nowMs;
    this.#tokens = Math.min(burst, this.#tokens + (elapsedMs * trickle) / 1000);
  }
}
