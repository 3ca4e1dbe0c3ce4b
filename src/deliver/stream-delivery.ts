/**
 * One stream's way out of one lane: aggregates, builds batches, keeps several requests in flight, judges the answers. Lane
 * worker; driven by the lane loop, which gives it ring entries and tells it the time.
 *
 * ```
 *   add(entry) → aggregator → building batch → in flight ─ all taken ──────────────▶ events marked delivered, batch free
 *                    ▲                             │  ├── some records failed ─────▶ their events again, after a backoff
 *                    └── retry queue ◀─────────────┤  ├── request failed ──────────▶ held: the same body again, after a backoff
 *                                                  │  └── request refused for good ▶ events again in halves; one alone: dead letter
 *                                                  └──── past the deadline ────────▶ set aside, to be replayed from the DLQ
 * ```
 * Memory is bounded by the number of batches: while all are in flight or held, {@link hasRoom} says no, the ring fills, and the
 * lane's breaker sees it.
 *
 * Long because every branch of its drawing moves the same few fields, and apart they would need them all.
 */
import type { Aggregate } from '../batch/aggregate.ts';
import { Aggregator, type RecordSink } from '../batch/aggregator.ts';
import type { Batch } from '../batch/batch.ts';
import { formatHashKey } from '../batch/hash-key.ts';
import { aggregatePartitionKey } from '../batch/kpl.ts';
import type { Wire } from '../batch/wire.ts';
import { Breaker, BreakerState } from '../breaker/breaker.ts';
import type { PutRecordsAnswer } from '../edges/put-protocol.ts';
import { entry, flagHashKey } from '../ring/layout.ts';
import type { DeliveryContext } from './context.ts';
import { blamesDestination, classifyFailure } from './outcome.ts';
import { backoffMs, type RetryGroup, RetryQueue } from './retry.ts';
import { ShardMap } from './shard-map.ts';

/** Time before events that are past their deadline, and for which there is no room elsewhere, are tried again. */
const tryOnMs = 1_000;

export class StreamDelivery implements RecordSink {
  readonly #ctx: DeliveryContext;
  readonly #wire: Wire;
  readonly #aggregator: Aggregator;
  readonly #free: Batch[];
  readonly #slots: number;
  readonly #map: ShardMap;
  readonly #breaker: Breaker;
  readonly #retries = new RetryQueue();
  /** Batches whose request failed as a whole, with the time when they may go again. */
  readonly #held: { batch: Batch; dueMs: number }[] = [];
  #building: Batch | undefined;
  #group: RetryGroup | undefined;
  #groupNext = 0;
  #inFlight = 0;
  #failures = 0;
  /** When the oldest event came that is in an aggregate or in the building batch; Infinity: none. */
  #openedMs = Number.POSITIVE_INFINITY;
  #mapPending = false;
  draining = false;

  constructor(ctx: DeliveryContext, wire: Wire, batches: Batch[]) {
    this.#ctx = ctx;
    this.#wire = wire;
    this.#free = batches;
    this.#slots = batches.length;
    this.#aggregator = new Aggregator(ctx.arena, ctx.area, ctx.options.aggregateBytes, ctx.md5, this);
    this.#map = new ShardMap(ctx.kinesis, ctx.random, (cause) => this.#mapChanged(cause));
    const { halfOpenAfterMs } = ctx.options;
    this.#breaker = new Breaker(
      { waitMs: halfOpenAfterMs, waitMsMax: Math.max(halfOpenAfterMs, 5_000) },
      (from, to, cause) => ctx.breakerMoved(from, to, cause),
    );
    if (ctx.options.aggregation) this.#map.refresh();
  }

  /** Whether the next event can be taken now. While not, the caller leaves events in the ring and asks again after a {@link tick}. */
  hasRoom(): boolean {
    if (this.#group !== undefined || !this.#roomForRecord()) return false;
    return this.#map.asked || !this.#ctx.options.aggregation;
  }

  /** Takes the ring entry at `offset`; only while {@link hasRoom}. */
  add(offset: number, nowMs: number): void {
    if (this.#openedMs === Number.POSITIVE_INFINITY) this.#openedMs = nowMs;
    this.#aggregator.add(offset);
  }

  /** Takes back ring entries that were set aside and that the DLQ has no room for: they are tried again, at a slow pace. */
  tryOn(offsets: Uint32Array): void {
    this.#retries.push({ dueMs: this.#ctx.clock.nowMs() + tryOnMs, offsets, alone: false });
    this.#ctx.progress();
  }

  /** Nothing of this stream is in this thread's hands any more. */
  get idle(): boolean {
    const unused = this.#free.length + (this.#building?.records === 0 ? 1 : 0);
    if (unused < this.#slots || this.#group !== undefined || this.#aggregator.openCount > 0) return false;
    return this.#retries.nextDueMs() === Number.POSITIVE_INFINITY;
  }

  /** Does what is due: resends, retries, lingering batches. Returns when it wants to be called again (ms, or Infinity). */
  tick(nowMs: number): number {
    this.#resendHeld(nowMs);
    this.#retryDue(nowMs);
    const lingerMs = this.draining ? 0 : this.#ctx.options.lingerMs;
    if (this.#mapPending || this.#openedMs + lingerMs <= nowMs) this.#flush();
    const held = this.#held.reduce((least, { dueMs }) => Math.min(least, dueMs), Number.POSITIVE_INFINITY);
    const probe = this.#breaker.state === BreakerState.open ? nowMs + Math.max(1, this.#breaker.waitLeftMs(nowMs)) : 0;
    return Math.min(
      Math.max(held, probe),
      this.#retries.nextDueMs(),
      this.#openedMs + lingerMs,
      probe || Number.POSITIVE_INFINITY,
    );
  }

  close(): void {
    this.#map.close();
    this.#ctx.kinesis.destroy();
  }

  /** RecordSink: an aggregate is complete. */
  aggregated(aggregate: Aggregate): void {
    const batch = this.#building as Batch;
    const { recordOffset, recordLength, hashKey } = aggregate;
    this.#wire.record(batch, recordOffset, recordLength, aggregatePartitionKey, formatHashKey(hashKey, 0));
    batch.payloadBytes += recordLength + 1;
    batch.enterAggregate(aggregate);
  }

  /** RecordSink: one event goes as a record of its own. */
  single(offset: number, hashKeys: Uint32Array, hashKeyIndex: number): void {
    const { words, buffer } = this.#ctx.arena;
    const keyWord = words[(offset + entry.key) >>> 2] as number;
    const keyLength = keyWord & 0xffff;
    const keyOffset = offset + entry.payload + ((keyWord & flagHashKey) === 0 ? 0 : 16);
    const dataOffset = keyOffset + keyLength;
    const dataLength = offset + entry.payload + (words[(offset + entry.length) >>> 2] as number) - dataOffset;
    const key = buffer.toString('utf8', keyOffset, dataOffset);
    if (!this.#fits(keyLength + dataLength)) {
      this.#dispatch();
      this.#begin();
    }
    const batch = this.#building as Batch;
    this.#wire.record(batch, dataOffset, dataLength, key, formatHashKey(hashKeys, hashKeyIndex));
    batch.payloadBytes += dataLength + keyLength;
    batch.enterSingle(offset, -1);
  }

  /** Makes sure that one more record of any size can be taken; sends the building batch when it is full. */
  #roomForRecord(): boolean {
    const { aggregateBytes, recordBytesMax } = this.#ctx.options;
    if (this.#building !== undefined) {
      if (this.#fits(recordBytesMax)) return true;
      // The rare record that is larger than an aggregate may begin the next batch, if there is one.
      if (this.#fits(aggregateBytes) && this.#mayBegin()) return true;
      this.#dispatch();
    }
    if (!this.#mayBegin()) return false;
    this.#begin();
    return true;
  }

  /** Whether the building batch takes a record of so many bytes beside those that the aggregator has pending. */
  #fits(bytes: number): boolean {
    const { records, payloadBytes } = this.#building as Batch;
    const { batchBytes, batchRecords } = this.#ctx.options;
    const { pendingBytes, pendingRecords } = this.#aggregator;
    return records + pendingRecords < batchRecords && payloadBytes + pendingBytes + bytes <= batchBytes;
  }

  #mayBegin(): boolean {
    if (this.#free.length === 0 || this.#breaker.state === BreakerState.open) return false;
    return this.#breaker.state === BreakerState.closed || this.#inFlight === 0;
  }

  #begin(): void {
    const next = this.#free.pop() as Batch;
    next.clear();
    this.#wire.begin(next);
    this.#building = next;
  }

  /** Closes every aggregate and sends what was built. False when it had to stop for want of a free batch. */
  #flush(): boolean {
    while (this.#aggregator.openCount > 0) {
      if (!this.#roomForRecord()) return false;
      this.#aggregator.flushOne();
    }
    this.#aggregator.finish();
    if (this.#mapPending) {
      this.#aggregator.setRanges(this.#map.ranges);
      this.#mapPending = false;
    }
    if (this.#building !== undefined && this.#building.records > 0) this.#dispatch();
    this.#openedMs = Number.POSITIVE_INFINITY;
    return true;
  }

  #dispatch(): void {
    this.#aggregator.finish();
    const batch = this.#building as Batch;
    this.#building = undefined;
    this.#wire.end(batch);
    batch.seal(this.#ctx.arena.buffer);
    const nowMs = this.#ctx.clock.nowMs();
    this.#ctx.lingered(Math.max(0, nowMs - Math.min(this.#openedMs, nowMs)) * 1000, batch.events);
    this.#send(batch);
  }

  #send(batch: Batch): void {
    const ctx = this.#ctx;
    this.#inFlight++;
    const startUs = ctx.clock.nowUs();
    const body = { body: batch.body(ctx.arena.buffer), sha256: batch.sha256, contentType: this.#wire.contentType };
    ctx.kinesis.putRecords(body).then(
      (answer) => this.#answered(batch, answer, startUs),
      (error: unknown) => this.#failed(batch, error),
    );
  }

  #answered(batch: Batch, answer: PutRecordsAnswer, startUs: number): void {
    const records = answer.Records;
    if (!Array.isArray(records) || records.length !== batch.records) {
      this.#failed(batch, new Error(`the answer judges ${records?.length ?? 'no'} of ${batch.records} records`));
      return;
    }
    const ctx = this.#ctx;
    this.#inFlight--;
    ctx.answered(batch, startUs);
    this.#failures = 0;
    this.#breaker.succeed('a request was answered');
    for (const held of this.#held) held.dueMs = 0;
    let failed = 0;
    let strayed = false;
    for (let i = 0; i < batch.records; i++) {
      const { ErrorCode: error, ShardId: shardId } = records[i] as { ErrorCode?: string | null; ShardId?: string };
      const from = batch.firstEvent(i);
      const to = batch.ends[i] as number;
      if (error === undefined || error === null) {
        ctx.delivered(batch.offsets, from, to);
        const aimed = batch.shards[i] as number;
        if (aimed >= 0 && this.#map.ranges?.shardIds[aimed] !== shardId) strayed = true;
      } else {
        failed++;
        this.#again(batch.offsets.slice(from, to), false);
      }
    }
    if (failed > 0) ctx.recordsFailed(failed);
    if (strayed) this.#map.refresh();
    this.#release(batch);
  }

  #failed(batch: Batch, error: unknown): void {
    const ctx = this.#ctx;
    const nowMs = ctx.clock.nowMs();
    const failure = classifyFailure(error);
    this.#inFlight--;
    batch.attempts++;
    ctx.requestFailed(failure);
    if (failure.action === 'refused') {
      this.#splitRefused(batch);
      return;
    }
    if (blamesDestination(failure)) {
      this.#failures++;
      this.#breaker.fail(nowMs, failure.code);
      if (this.#failures >= ctx.options.failures) this.#breaker.trip(nowMs, failure.code);
    }
    this.#held.push({ batch, dueMs: nowMs + backoffMs(ctx.random, batch.attempts) });
    ctx.progress();
  }

  /** Sends held batches again that are due; sets aside those past the deadline. With an open breaker, one as a probe. */
  #resendHeld(nowMs: number): void {
    const breaker = this.#breaker;
    if (breaker.state === BreakerState.open) breaker.tryProbe(nowMs, 'the wait is over');
    for (let i = 0; i < this.#held.length; i++) {
      const { batch, dueMs } = this.#held[i] as { batch: Batch; dueMs: number };
      if (this.#ctx.expired(batch.offsets[0] as number, nowMs)) {
        this.#held.splice(i--, 1);
        this.#ctx.setAside(batch.offsets.slice(0, batch.events), 'expired');
        this.#release(batch);
        continue;
      }
      const probing = breaker.state === BreakerState.halfOpen && this.#inFlight === 0;
      if (!probing && (breaker.state !== BreakerState.closed || dueMs > nowMs)) continue;
      this.#held.splice(i--, 1);
      this.#send(batch);
    }
  }

  /** Puts due groups through the aggregator again: they meet the shard map of now. */
  #retryDue(nowMs: number): void {
    for (;;) {
      if (this.#group === undefined) {
        if (this.#breaker.state === BreakerState.open) return;
        const group = this.#retries.popDue(nowMs);
        if (group === undefined) return;
        this.#group = group;
        this.#groupNext = 0;
      }
      const group = this.#group;
      if (group.alone && this.#groupNext === 0 && !this.#flush()) return;
      while (this.#groupNext < group.offsets.length) {
        if (!this.#roomForRecord()) return;
        this.add(group.offsets[this.#groupNext++] as number, nowMs);
      }
      if (group.alone && !this.#flush()) return;
      this.#group = undefined;
    }
  }

  /** Events of a failed record: again after a backoff, or set aside when past their deadline. */
  #again(offsets: Uint32Array, alone: boolean): void {
    const ctx = this.#ctx;
    const nowMs = ctx.clock.nowMs();
    let attempts = 1;
    for (const offset of offsets) attempts = Math.max(attempts, ctx.consumer.countAttempt(offset));
    if (ctx.expired(offsets[0] as number, nowMs)) {
      ctx.setAside(offsets, 'expired');
      return;
    }
    this.#retries.push({ dueMs: nowMs + (alone ? 0 : backoffMs(ctx.random, attempts)), offsets, alone });
  }

  /** Kinesis refuses the request for good: halves it until the guilty event stands alone, which becomes a dead letter. */
  #splitRefused(batch: Batch): void {
    const offsets = batch.offsets.slice(0, batch.events);
    this.#release(batch);
    if (offsets.length === 1) {
      this.#ctx.setAside(offsets, 'rejected');
      return;
    }
    const half = offsets.length >>> 1;
    this.#again(offsets.slice(0, half), true);
    this.#again(offsets.slice(half), true);
    this.#ctx.progress();
  }

  #release(batch: Batch): void {
    this.#free.push(batch);
    this.#ctx.progress();
  }

  #mapChanged(cause: string): void {
    this.#ctx.shardMap(cause, this.#map.ranges?.shardIds.length ?? 0);
    this.#mapPending = true;
    this.#ctx.progress();
  }
}
