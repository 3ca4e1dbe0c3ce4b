/**
 * A stream's requests in one lane: how many are under way, which wait to be sent again, and the breaker that their failures open.
 * Lane worker; used by the stream's delivery, which knows what is in them.
 *
 * ```
 *   free ─ begin ▶ building ─ send ▶ in flight ─ answered ────────▶ judged by the delivery, then free
 *     ▲                                 │  ▲  └── refused for good ▶ taken apart by the delivery, then free
 *     │                          failed │  │ backoff over, breaker closed, budget left; or first behind a probe
 *     │                                 ▼  │
 *     └───────── past the deadline ─── held
 * ```
 * A half-open breaker first sends a probe without records, which Kinesis answers with a complaint as soon as it can be reached and
 * lets us in; one request follows it, and decides. So an outage, however long, sees no event again and again.
 *
 * Memory is bounded by the number of batches: while all are in flight or held, {@link mayBegin} says no.
 */
import type { Batch } from '../batch/batch.ts';
import { Breaker, type BreakerOptions, BreakerState } from '../breaker/breaker.ts';
import type { PutRecordsAnswer, RecordAnswer } from '../edges/put-protocol.ts';
import type { DeliveryContext } from './context.ts';
import { classifyFailure, type Failure } from './outcome.ts';
import { backoffMs } from './retry.ts';
import { RetryBudget } from './retry-budget.ts';

/** An open breaker probes this often at the least: with the probe and the draining of a backlog, all is well within 5 s. */
const probeMsMax = 2_000;

/** Whole requests that are sent again. In an outage the breaker lets far fewer pass. */
const requestRetries = { part: 0.1, floorPerSecond: 2, windowMs: 10_000 };

export interface RequestsParts {
  readonly ctx: DeliveryContext;
  readonly contentType: string;
  readonly batches: Batch[];
  /** Judge the records, then {@link Requests.release} the batch. */
  readonly onAnswered: (batch: Batch, records: readonly RecordAnswer[]) => void;
  /** Kinesis will never take this request. */
  readonly onRefused: (batch: Batch) => void;
  /** Kinesis knows no stream of this name. */
  readonly onMissing: () => void;
  /** Whether what is held may not wait any longer; then the batch was dealt with. */
  readonly onOverdue: (batch: Batch, nowMs: number) => boolean;
}

export class Requests {
  readonly #parts: RequestsParts;
  readonly #free: Batch[];
  readonly #slots: number;
  readonly #breaker: Breaker;
  readonly #budget = new RetryBudget(requestRetries);
  readonly #inFlight = new Set<Batch>();
  /** Batches whose request failed as a whole, with the time when they may go again. */
  readonly #held: { batch: Batch; dueMs: number }[] = [];
  #failures = 0;
  /** Half-open: what has become of its probe. */
  #probe: 'due' | 'asked' | 'answered' = 'due';
  /** Why nothing may be sent although Kinesis would take it; empty: it may. */
  #stopped = '';

  constructor(parts: RequestsParts) {
    this.#parts = parts;
    this.#free = parts.batches;
    this.#slots = parts.batches.length;
    this.#breaker = new Breaker(this.#waits(), (from, to, cause) => parts.ctx.breakerMoved(from, to, cause));
  }

  /** The context's options have changed. */
  retune(): void {
    this.#breaker.retune(this.#waits());
  }

  #waits(): BreakerOptions {
    const { random, options } = this.#parts.ctx;
    const { halfOpenAfterMs: waitMs } = options;
    return { waitMs, waitMsMax: Math.max(waitMs, probeMsMax), share: () => random.share() };
  }

  /** Whether a batch can be begun. A half-open breaker lets one pass behind its probe. */
  mayBegin(): boolean {
    return (
      this.#free.length > 0 && this.#mayPass && (this.#breaker.state === BreakerState.closed || this.#held.length === 0)
    );
  }

  /** Whether the breaker lets a request through: half-open, one at a time. */
  get #mayPass(): boolean {
    const { state } = this.#breaker;
    if (state === BreakerState.closed) return true;
    return state === BreakerState.halfOpen && this.#probe === 'answered' && this.#inFlight.size === 0;
  }

  /** A cleared batch; only while {@link mayBegin}. */
  begin(): Batch {
    const batch = this.#free.pop() as Batch;
    batch.clear();
    return batch;
  }

  get isOpen(): boolean {
    return this.#breaker.state === BreakerState.open;
  }

  /** Batches that are neither free nor being built: their events' fate is not known yet. */
  get outstanding(): number {
    return this.#inFlight.size + this.#held.length;
  }

  /** All batches are free but for `building` of them. */
  isIdle(building: number): boolean {
    return this.#free.length + building === this.#slots;
  }

  /** Sends a batch, or holds it until the breaker lets it pass. */
  send(batch: Batch): void {
    const { ctx, contentType } = this.#parts;
    if (!this.#mayPass) {
      this.#held.push({ batch, dueMs: 0 });
      return ctx.progress();
    }
    if (batch.attempts === 0) this.#budget.sent(1, ctx.clock.nowMs());
    else ctx.sentAgain();
    this.#inFlight.add(batch);
    const startUs = ctx.clock.nowUs();
    batch.sentMs = startUs / 1000;
    const body = { body: batch.body(ctx.arena.buffer), sha256: batch.sha256, contentType };
    ctx.kinesis.putRecords(body).then(
      (answer) => this.#answered(batch, answer, startUs),
      (error: unknown) => this.#failed(batch, error),
    );
  }

  release(batch: Batch): void {
    this.#free.push(batch);
    this.#parts.ctx.progress();
  }

  /** Sends held batches again that are due; half-open, a probe and then one of them. Returns when it wants to be called again. */
  tick(nowMs: number): number {
    const breaker = this.#breaker;
    if (this.#stopped === '' && breaker.tryProbe(nowMs, 'the wait is over')) this.#probe = 'due';
    if (breaker.state === BreakerState.halfOpen && this.#probe === 'due' && this.#inFlight.size === 0) this.#ask();
    let nextMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#held.length; i++) {
      const { batch, dueMs } = this.#held[i] as { batch: Batch; dueMs: number };
      if (this.#parts.onOverdue(batch, nowMs)) {
        this.#held.splice(i--, 1);
        continue;
      }
      const decides = this.#mayPass && breaker.state === BreakerState.halfOpen;
      const due = decides || (this.#mayPass && dueMs <= nowMs);
      const isFree = batch.attempts === 0;
      // What decides goes in any case, and is counted.
      if (due && (isFree || this.#budget.mayRetry(1, nowMs) || decides)) {
        this.#held.splice(i--, 1);
        this.send(batch);
      } else if (breaker.state === BreakerState.closed) {
        nextMs = Math.min(nextMs, isFree ? dueMs : Math.max(dueMs, this.#budget.nextMs(nowMs)));
      }
    }
    if (breaker.state !== BreakerState.open) return nextMs;
    return nowMs + Math.max(1, this.#stopped === '' ? breaker.waitLeftMs(nowMs) : probeMsMax);
  }

  /** Nothing may be sent, for a reason that Kinesis does not know; '' ends it. */
  stopFor(cause: string, nowMs: number): void {
    if (cause === this.#stopped) return;
    this.#stopped = cause;
    if (cause !== '') this.#breaker.trip(nowMs, cause);
    this.#parts.ctx.progress();
  }

  /** Gives up all batches whose fate is not known: their events are somebody else's now. */
  abandon(): void {
    for (const batch of this.#inFlight) batch.abandoned = true;
    for (const { batch } of this.#held.splice(0)) this.release(batch);
  }

  #ask(): void {
    const { ctx } = this.#parts;
    this.#probe = 'asked';
    const settle = (failure?: Failure): void => {
      const isThere = failure === undefined || judges(failure);
      ctx.probed(isThere ? undefined : failure);
      this.#probe = 'answered';
      if (!isThere) this.#breaker.fail(ctx.clock.nowMs(), failure.code);
      ctx.progress();
    };
    ctx.kinesis.probe().then(
      () => settle(),
      (error: unknown) => settle(classifyFailure(error)),
    );
  }

  #answered(batch: Batch, { Records: records }: PutRecordsAnswer, startUs: number): void {
    if (!Array.isArray(records) || records.length !== batch.records) {
      this.#failed(batch, new Error(`the answer judges ${records?.length ?? 'no'} of ${batch.records} records`));
      return;
    }
    this.#inFlight.delete(batch);
    this.#parts.ctx.answered(batch, startUs);
    this.#failures = 0;
    this.#breaker.succeed('a request was answered');
    for (const held of this.#held) held.dueMs = 0;
    if (batch.abandoned) this.release(batch);
    else this.#parts.onAnswered(batch, records);
  }

  #failed(batch: Batch, error: unknown): void {
    const { ctx, onRefused, onMissing } = this.#parts;
    const nowMs = ctx.clock.nowMs();
    const failure = classifyFailure(error);
    this.#inFlight.delete(batch);
    batch.attempts++;
    ctx.requestFailed(failure);
    this.#blame(failure, nowMs);
    if (failure.code === 'ResourceNotFoundException') onMissing();
    if (batch.abandoned) this.release(batch);
    else if (failure.action === 'refused') onRefused(batch);
    else this.#held.push({ batch, dueMs: nowMs + backoffMs(ctx.random, batch.attempts) });
    ctx.progress();
  }

  #blame(failure: Failure, nowMs: number): void {
    const { action, code } = failure;
    if (judges(failure)) return this.#breaker.succeed(code);
    this.#failures++;
    this.#breaker.fail(nowMs, code);
    if (action === 'stop' || this.#failures >= this.#parts.ctx.options.failures) this.#breaker.trip(nowMs, code);
  }
}

/** Whether a failure shows that Kinesis is there, lets us in, and judges what it is sent. */
function judges({ action }: Failure): boolean {
  return action === 'refused' || action === 'slow';
}
