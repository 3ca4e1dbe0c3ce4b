/**
 * One stream's way out of one lane: aggregates, builds batches, judges the answers, decides what goes again and when. Lane worker;
 * driven by the lane loop, which gives it ring entries and tells it the time.
 *
 * ```
 *   add(entry) ─▶ aggregator ─▶ building batch ─▶ requests ─ answered ┬ taken ─────────────▶ events marked delivered
 *      │ outlet shut  ▲                              │                ├ on another shard ──▶ verdict held until the next survey
 *      ▼              │                              │                └ failed ────────────▶ again, after a backoff
 *   outlets ──────────┤ opened                       ├ refused for good ▶ again in halves; one alone: dead letter
 *   retry queue ──────┘ due                          └ past the deadline ▶ set aside, to be replayed from the DLQ
 * ```
 * **Order.** With `ordering = "key"`, at most one record of an outlet (a shard, or a range of keys) is under way, what failed goes
 * first, and nothing is re-sorted by a new map before all answers are in; see outlets.ts. Such events do not expire: they leave the
 * ring in its order, delivered or, by {@link StreamDelivery.park}, all together to the DLQ.
 *
 * Long because every branch of its drawing moves the same few fields, and apart they would need them all.
 */
import { shardBytesPerSecond, shardRecordsPerSecond } from '../base/limits.ts';
import type { Aggregate } from '../batch/aggregate.ts';
import { Aggregator } from '../batch/aggregator.ts';
import type { Batch } from '../batch/batch.ts';
import { formatHashKey } from '../batch/hash-key.ts';
import { aggregatePartitionKey } from '../batch/kpl.ts';
import { type RecordSink, taken } from '../batch/record-sink.ts';
import { ShardRanges } from '../batch/shard-ranges.ts';
import type { Wire } from '../batch/wire.ts';
import type { RecordAnswer } from '../edges/put-protocol.ts';
import { entry, flagHashKey, flagReplayed, SetAside } from '../ring/layout.ts';
import type { DeliveryContext, DeliveryTuning } from './context.ts';
import { ShardLimiter } from './limiter.ts';
import { isThrottled } from './outcome.ts';
import { Outlets } from './outlets.ts';
import { Parking } from './parking.ts';
import { Requests } from './requests.ts';
import { backoffMs, type RetryGroup, RetryQueue } from './retry.ts';
import { RetryBudget } from './retry-budget.ts';
import { type Findings, Survey } from './survey.ts';
import { HeldVerdicts } from './verdicts.ts';

/** Time before events that are past their deadline, and for which there is no room elsewhere, are tried again. */
const tryOnMs = 1_000;

/** Events that are brought from outlets or retries in one turn: some milliseconds of work. */
const turnEventsMax = 8_192;

/**
 * Longest that events from the DLQ linger: they come in crowds, and replay brings as many as it may have on their way. With the
 * linger of live events it would wait most of the time for what it sent, and use a quarter of what the destination takes; each
 * request costs 1 ms of CPU time, so it is not shorter. Live events that share their batch leave with them.
 */
const replayedLingerMsMax = 25;

/** Records that are sent again because Kinesis refused them alone. */
const recordRetries = { part: 0.1, floorPerSecond: 20, windowMs: 10_000 };

/** Share of the ring at which events that wait for a hot shard leave it for the DLQ, so that the others get through. */
const crowdedShare = 0.75;

/** Order kept without aggregates: keys of one of these ranges wait for each other. */
const keyRanges = ShardRanges.evenly(0x4000_0000, 1_024);

export class StreamDelivery implements RecordSink {
  readonly #ctx: DeliveryContext;
  readonly #ordered: boolean;
  readonly #wire: Wire;
  readonly #aggregator: Aggregator;
  readonly #requests: Requests;
  readonly #survey: Survey;
  readonly #budget = new RetryBudget(recordRetries);
  readonly #outlets: Outlets;
  readonly #retries = new RetryQueue();
  readonly #verdicts = new HeldVerdicts();
  readonly #parking: Parking;
  #ranges: ShardRanges | undefined;
  #building: Batch | undefined;
  #group: RetryGroup | undefined;
  #groupNext = 0;
  /** When the oldest event came that is in an aggregate or in the building batch; Infinity: none. */
  #openedMs = Number.POSITIVE_INFINITY;
  /** When that is to leave at the latest. */
  #flushMs = Number.POSITIVE_INFINITY;
  #remapDue = false;
  /** So many requests were answered. */
  #answers = 0;
  /** Outlets have more to give than there was room or time for. */
  #feedLeft = false;
  /** Order kept: events of the next request, while a request is sought that Kinesis refuses because of one of them. */
  #narrow = Number.POSITIVE_INFINITY;
  draining = false;

  constructor(ctx: DeliveryContext, wire: Wire, batches: Batch[]) {
    this.#ctx = ctx;
    this.#wire = wire;
    this.#ordered = ctx.options.ordering === 'key';
    const limiter = new ShardLimiter(
      { bytesPerSecond: shardBytesPerSecond, recordsPerSecond: shardRecordsPerSecond },
      ctx.random,
    );
    this.#outlets = new Outlets(this.#ordered, this.#budget, limiter);
    this.#aggregator = new Aggregator(ctx.arena, ctx.area, ctx.options.aggregateBytes, ctx.md5, this.#outlets, this);
    this.#survey = new Survey(ctx, (findings) => this.#surveyed(findings));
    this.#parking = new Parking(
      ctx.consumer,
      (offsets) => ctx.setAside(offsets, SetAside.parked),
      () => ctx.parked(),
    );
    this.#requests = new Requests({
      ctx,
      contentType: wire.contentType,
      batches,
      onAnswered: (batch, records) => this.#answered(batch, records),
      onRefused: (batch) => this.#refused(batch),
      onMissing: () => this.#survey.doubt(),
      onOverdue: (batch, nowMs) => this.#overdue(batch, nowMs),
    });
    this.#survey.refresh();
  }

  /** Takes over what may change while it delivers; what lingers is judged by it from the next tick on. */
  retune(tuning: DeliveryTuning): void {
    this.#ctx.options = { ...this.#ctx.options, ...tuning };
    this.#requests.retune();
  }

  /** Whether the next event can be taken now. While not, the caller leaves events in the ring and asks again after a {@link tick}. */
  hasRoom(): boolean {
    // Once it has told that the ring is empty, what comes next comes after the end of the parking.
    if (this.#parking.isParked) return !this.#parking.isTold;
    if (this.#parking.isBegun || this.#group !== undefined || this.#remapDue || this.#feedLeft) return false;
    if (this.#narrow !== Number.POSITIVE_INFINITY || !this.#roomForRecord()) return false;
    return this.#survey.asked || !(this.#ctx.options.aggregation || this.#ordered);
  }

  /** Takes the ring entry at `offset`; only while {@link hasRoom}. */
  add(offset: number, nowMs: number): void {
    if (this.#parking.isParked) return this.#parking.add(offset);
    const shard = this.#aggregator.add(offset, false);
    if (shard !== taken) this.#outlets.hold(shard, offset);
    else this.#linger(offset, nowMs);
  }

  /** An event has come into an aggregate or the building batch. */
  #linger(offset: number, nowMs: number): void {
    if (this.#openedMs === Number.POSITIVE_INFINITY) this.#openedMs = nowMs;
    const { arena, options } = this.#ctx;
    const isReplayed = ((arena.words[(offset + entry.key) >>> 2] as number) & flagReplayed) !== 0;
    const flushMs = nowMs + (isReplayed ? Math.min(options.lingerMs, replayedLingerMsMax) : options.lingerMs);
    if (flushMs < this.#flushMs) this.#flushMs = flushMs;
  }

  /** Events have a deadline. Where order is kept they do not: they leave the ring in its order. */
  get mayExpire(): boolean {
    return !this.#ordered;
  }

  /** Whether the deadline of the ring entry at `offset` has passed. */
  isOverdue(offset: number, nowMs: number): boolean {
    return this.#ctx.expired(offset, nowMs);
  }

  /** Sets ring entries aside that were never {@link add}ed: their deadline has passed. */
  giveUp(offsets: Uint32Array): void {
    this.#ctx.setAside(offsets, SetAside.expired);
  }

  /** Takes back ring entries that were set aside and that the DLQ has no room for: they are tried again, at a slow pace. */
  tryOn(offsets: Uint32Array): void {
    this.#retries.push({ dueMs: this.#ctx.clock.nowMs() + tryOnMs, offsets, alone: false, counted: true });
    this.#ctx.progress();
  }

  /** Order kept: everything of this stream that is in the ring goes to the DLQ, in the ring's order, until {@link unpark}. */
  park(): void {
    this.#parking.begin(this.#ctx.clock.nowMs());
    this.#ctx.progress();
  }

  unpark(): void {
    this.#parking.end();
    this.#ctx.progress();
  }

  /** Nothing of this stream is in this thread's hands any more. */
  get idle(): boolean {
    if (this.#parking.isBegun) return this.#parking.isTold;
    if (!this.#requests.isIdle(this.#building?.records === 0 ? 1 : 0) || this.#group !== undefined) return false;
    if (this.#aggregator.openCount > 0 || this.#verdicts.count > 0 || this.#outlets.waitingCount > 0) return false;
    return this.#retries.nextDueMs() === Number.POSITIVE_INFINITY;
  }

  /** Does what is due: resends, retries, lingering batches. Returns when it wants to be called again (ms, or Infinity). */
  tick(nowMs: number): number {
    this.#outlets.nowMs = nowMs;
    if (this.#parking.isBegun && !this.#parking.isParked) {
      const isJudged = this.#requests.outstanding === 0 && this.#verdicts.count === 0;
      // Before requests are sent again, which would be given up at once.
      if (this.#parking.mayTake(isJudged, nowMs)) this.#giveUp();
    }
    const requestsMs = this.#requests.tick(nowMs);
    if (this.#parking.isBegun) {
      return Math.min(requestsMs, this.#parking.tick(nowMs));
    }
    if (this.#remapDue) this.#remap();
    this.#retryDue(nowMs);
    this.#feed(nowMs);
    this.#relieve(nowMs);
    if (this.#dueMs <= nowMs) this.#flush();
    return Math.min(requestsMs, this.#nextMs(nowMs));
  }

  /** When time alone lets something go on. What waits for room, for a new map or for the guilty event has an answer lead on. */
  #nextMs(nowMs: number): number {
    const hasRoom = this.#building !== undefined || this.#requests.mayBegin();
    if (this.#requests.isOpen || !hasRoom || this.#remapDue || this.#group !== undefined)
      return Number.POSITIVE_INFINITY;
    const retryMs = this.#retries.nextDueMs();
    const isSought = this.#narrow !== Number.POSITIVE_INFINITY && this.#requests.outstanding > 0;
    return Math.min(
      this.#retries.nextIsCounted() ? retryMs : Math.max(retryMs, this.#budget.nextMs(nowMs)),
      isSought ? Number.POSITIVE_INFINITY : this.#outlets.nextOpenMs(),
      this.#dueMs,
    );
  }

  /** When what was built so far leaves. */
  get #dueMs(): number {
    return this.draining ? this.#openedMs : this.#flushMs;
  }

  close(): void {
    this.#survey.close();
    this.#ctx.kinesis.destroy();
  }

  /** RecordSink: an aggregate is complete. */
  aggregated(aggregate: Aggregate): void {
    const batch = this.#building as Batch;
    const { recordOffset, recordLength, hashKey, shard } = aggregate;
    this.#wire.record(batch, recordOffset, recordLength, aggregatePartitionKey, formatHashKey(hashKey, 0));
    batch.payloadBytes += recordLength + 1;
    batch.enterAggregate(aggregate);
    this.#outlets.charge(shard, recordLength + 1);
  }

  /** RecordSink: one event goes as a record of its own. */
  single(offset: number, hashKeys: Uint32Array, hashKeyIndex: number, shard: number): void {
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
    batch.enterSingle(offset, shard);
    if (shard >= 0) this.#outlets.charge(shard, dataLength + keyLength);
  }

  /** Makes sure that one more record of any size can be taken; sends the building batch when it is full. */
  #roomForRecord(): boolean {
    const { aggregateBytes, recordBytesMax } = this.#ctx.options;
    if (this.#building !== undefined) {
      if (this.#fits(recordBytesMax)) return true;
      // The rare record that is larger than an aggregate may begin the next batch, if there is one.
      if (this.#fits(aggregateBytes) && this.#requests.mayBegin()) return true;
      this.#dispatch();
    }
    if (!this.#requests.mayBegin()) return false;
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

  #begin(): void {
    const batch = this.#requests.begin();
    batch.ranges = this.#ranges;
    this.#wire.begin(batch);
    this.#building = batch;
  }

  /** Closes every aggregate and sends what was built. False when it had to stop for want of a free batch. */
  #flush(): boolean {
    while (this.#aggregator.openCount > 0) {
      if (!this.#roomForRecord()) return false;
      this.#aggregator.flushOne();
    }
    this.#dispatch();
    this.#openedMs = this.#flushMs = Number.POSITIVE_INFINITY;
    return true;
  }

  /** Sends the building batch, if there is anything in it. */
  #dispatch(): void {
    this.#aggregator.finish();
    const batch = this.#building;
    if (batch === undefined || batch.records === 0) return;
    this.#building = undefined;
    this.#wire.end(batch);
    batch.seal(this.#ctx.arena.buffer);
    const nowMs = this.#ctx.clock.nowMs();
    this.#ctx.lingered(Math.max(0, nowMs - Math.min(this.#openedMs, nowMs)) * 1000, batch.events);
    this.#budget.sent(batch.records, nowMs);
    this.#requests.send(batch);
  }

  #answered(batch: Batch, records: readonly RecordAnswer[]): void {
    const isDoubtful = this.#isDoubtful(batch, records);
    const doubted: string[] = [];
    this.#answers++;
    const nowMs = this.#ctx.clock.nowMs();
    const current = batch.ranges !== undefined && batch.ranges === this.#ranges;
    let [failed, throttledCount] = [0, 0];
    for (let i = 0; i < batch.records; i++) {
      const { ErrorCode: error, ShardId: shardId = '', SequenceNumber: sequence = '' } = records[i] as RecordAnswer;
      const outlet = batch.shards[i] as number;
      if (error !== undefined && error !== null) {
        failed++;
        if (isThrottled(error)) throttledCount++;
        const throttled = current && isThrottled(error);
        if (throttled) this.#outlets.throttled(outlet, batch.sentMs);
        this.#again(batch.eventsOf(i), outlet, nowMs, throttled);
        continue;
      }
      if (current) this.#outlets.taken(outlet);
      if (isDoubtful && batch.aggregated[i] === 1) {
        const about = { round: this.#survey.rounds, answer: this.#answers };
        this.#verdicts.hold({ shardId, sequenceNumber: sequence, offsets: batch.eventsOf(i), outlet, ...about });
        doubted.push(shardId);
        continue;
      }
      this.#ctx.delivered(batch.offsets, batch.firstEvent(i), batch.ends[i] as number, shardId, sequence);
      if (this.#ordered) this.#outlets.done(outlet);
    }
    if (failed > 0) this.#ctx.recordsFailed(failed, throttledCount);
    if (failed === 0 && this.#narrow !== Number.POSITIVE_INFINITY) this.#widen();
    if (isDoubtful) this.#survey.refresh(doubted);
    this.#requests.release(batch);
  }

  /**
   * Whether a shard took what was not made for it, or may be one of another stream. Then the map is old, or records are not placed
   * by key any more: what that means for all aggregates of the answer only the next survey can tell.
   */
  #isDoubtful({ ranges, shards, records: count }: Batch, records: readonly RecordAnswer[]): boolean {
    if (ranges === undefined || ranges === keyRanges) return false;
    if (!this.#survey.isOfStream(ranges)) return true;
    for (let i = 0; i < count; i++) {
      const { ShardId: shardId, ErrorCode: error } = records[i] as RecordAnswer;
      if ((error === undefined || error === null) && ranges.shardIds[shards[i] as number] !== shardId) return true;
    }
    return false;
  }

  #surveyed({ cause, changed, answered }: Findings): void {
    const { placesByKey, ranges, recordBytesMax } = this.#survey;
    if (changed) this.#ctx.surveyed(cause, ranges?.shardIds.length ?? 0, placesByKey, recordBytesMax);
    if (answered) {
      this.#verdicts.judge(
        this.#survey,
        (offset, range) => this.#aggregator.isInside(offset, range),
        ({ offsets, outlet, shardId, sequenceNumber }, delivered) => {
          if (!delivered) return this.#again(offsets, outlet, this.#ctx.clock.nowMs());
          this.#ctx.delivered(offsets, 0, offsets.length, shardId, sequenceNumber);
          if (this.#ordered) this.#outlets.done(outlet);
        },
      );
    }
    if (changed) this.#remapDue = true;
    this.#ctx.progress();
  }

  /** Goes over to what the survey found: what is open or waits is sorted anew, in the ring's order. */
  #remap(): void {
    const { aggregation } = this.#ctx.options;
    this.#aggregator.finish();
    const waiting = [...this.#aggregator.takeBack(), ...this.#outlets.takeAll()];
    this.#dispatch();
    if (this.#group !== undefined) {
      waiting.push(this.#group.offsets.subarray(this.#groupNext));
      this.#group = undefined;
    }
    if (waiting.length > 0) {
      const offsets = this.#ctx.consumer.inOrder(waiting);
      this.#group = { dueMs: 0, offsets, alone: false, counted: true };
      this.#groupNext = 0;
    }
    // What is held waits for the end of this, and the new map for what is held.
    if (this.#survey.placesByKey !== false) this.#requests.stopFor('', this.#ctx.clock.nowMs());
    // An empty building batch may be kept, but under the new map.
    if (this.#ordered && (this.#requests.outstanding > 0 || this.#verdicts.count > 0)) return;
    this.#remapDue = false;
    const { aggregates, placesByKey, ranges } = this.#survey;
    const shares = aggregation && aggregates;
    this.#ranges = this.#ordered && !shares ? keyRanges : placesByKey === false ? undefined : ranges;
    this.#outlets.reshape(this.#ranges?.shardIds ?? []);
    this.#aggregator.setRanges(this.#ranges, shares);
    if (this.#building !== undefined) this.#building.ranges = this.#ranges;
    if (!this.#ordered || placesByKey !== false) return;
    this.#requests.stopFor('the stream spreads its records and keeps no order', this.#ctx.clock.nowMs());
  }

  /** Puts due groups through the aggregator again: they meet the shard map of now. */
  #retryDue(nowMs: number): void {
    let left = turnEventsMax;
    while (!this.#remapDue) {
      if (this.#group === undefined) {
        if (this.#requests.isOpen || this.#retries.nextDueMs() > nowMs) return;
        if (!this.#retries.nextIsCounted() && !this.#budget.mayRetry(1, nowMs)) {
          if (this.#expireNext(nowMs)) continue;
          return;
        }
        this.#group = this.#retries.popDue(nowMs) as RetryGroup;
        this.#groupNext = 0;
      }
      const group = this.#group;
      if (group.alone && this.#groupNext === 0 && !this.#flush()) return;
      while (this.#groupNext < group.offsets.length) {
        if (!this.#roomForRecord()) return;
        if (left-- === 0) return this.#ctx.progress();
        const offset = group.offsets[this.#groupNext++] as number;
        const shard = this.#aggregator.add(offset, false);
        if (shard !== taken) this.#outlets.hold(shard, offset);
        else this.#linger(offset, nowMs);
      }
      if (group.alone && !this.#flush()) return;
      this.#group = undefined;
    }
  }

  /** What the budget keeps waiting past its deadline is set aside; false: the next retry has time left. */
  #expireNext(nowMs: number): boolean {
    const group = this.#retries.peek();
    if (group === undefined || !this.#ctx.expired(group.offsets[0] as number, nowMs)) return false;
    this.#retries.popDue(nowMs);
    this.#ctx.setAside(group.offsets, SetAside.expired);
    return true;
  }

  /** Brings events from outlets that have opened. They have waited enough: they go without lingering. */
  #feed(nowMs: number): void {
    const sought = this.#narrow !== Number.POSITIVE_INFINITY;
    if (sought && this.#requests.outstanding > 0) return;
    if (sought && this.#outlets.waitingCount === 0) this.#narrow = Number.POSITIVE_INFINITY;
    let left = Math.min(turnEventsMax, this.#narrow);
    this.#feedLeft = false;
    while (!this.#remapDue && !this.#requests.isOpen && this.#group === undefined) {
      const outlet = this.#outlets.ready();
      if (outlet < 0) break;
      while ((this.#outlets.waiting[outlet] as number) > 0) {
        if (left === 0 || !this.#roomForRecord()) {
          this.#feedLeft = true;
          break;
        }
        const offset = this.#outlets.next(outlet);
        if (this.#aggregator.add(offset, true) !== taken) {
          this.#outlets.putBack(outlet, offset);
          break;
        }
        left--;
        this.#openedMs = Math.min(this.#openedMs, nowMs);
        this.#flushMs = nowMs;
      }
      if (this.#feedLeft) break;
    }
    if (this.#feedLeft && left === 0 && !sought) this.#ctx.progress();
  }

  /** Events that wait for a shard leave the ring when their time is over, or when they crowd out those of other shards. */
  #relieve(nowMs: number): void {
    if (this.#ordered) return;
    const late = this.#outlets.takeLate((offset) => this.#ctx.expired(offset, nowMs));
    if (late.length > 0) this.#ctx.setAside(late, SetAside.expired);
    const isOverdue = (offsets: Uint32Array): boolean => this.#ctx.expired(offsets[0] as number, nowMs);
    for (const verdict of this.#verdicts.takeOverdue((held) => isOverdue(held.offsets))) {
      this.#ctx.setAside(verdict.offsets, SetAside.expired);
    }
    if (this.#ctx.consumer.usedShare() < crowdedShare) return;
    const crowding = this.#outlets.takeFullest();
    if (crowding.length > 0) this.#ctx.setAside(crowding, SetAside.hotShard);
  }

  /**
   * Events of a record that was not taken: again after a backoff, or set aside when past their deadline. What its shard throttled
   * costs no budget: the limiter paces it by what the shard takes, and a burst would be paid off by a floor of a few a second.
   */
  #again(offsets: Uint32Array, outlet: number, nowMs: number, throttled = false): void {
    const ctx = this.#ctx;
    let attempts = 1;
    for (const offset of offsets) attempts = Math.max(attempts, ctx.consumer.countAttempt(offset));
    const dueMs = nowMs + backoffMs(ctx.random, attempts);
    if (this.#ordered) this.#outlets.failed(outlet, offsets, dueMs);
    else if (ctx.expired(offsets[0] as number, nowMs)) ctx.setAside(offsets, SetAside.expired);
    else this.#retries.push({ dueMs, offsets, alone: false, counted: throttled });
  }

  /** A held batch that is past its deadline leaves the ring. */
  #overdue(batch: Batch, nowMs: number): boolean {
    if (this.#ordered || !this.#ctx.expired(batch.offsets[0] as number, nowMs)) return false;
    this.#ctx.setAside(batch.offsets.slice(0, batch.events), SetAside.expired);
    this.#requests.release(batch);
    return true;
  }

  /** Kinesis refuses the request for good: halves it until the guilty event stands alone, which becomes a dead letter. */
  #refused(batch: Batch): void {
    const offsets = batch.offsets.slice(0, batch.events);
    for (const offset of offsets) this.#ctx.consumer.countAttempt(offset);
    if (offsets.length === 1) {
      this.#ctx.setAside(offsets, SetAside.rejected);
      if (this.#ordered) this.#outlets.done(batch.shards[0] as number);
      this.#narrow = Number.POSITIVE_INFINITY;
    } else if (this.#ordered) {
      for (let i = 0; i < batch.records; i++) this.#outlets.failed(batch.shards[i] as number, batch.eventsOf(i), 0);
      this.#narrow = offsets.length >>> 1;
    } else {
      const half = offsets.length >>> 1;
      for (const part of [offsets.slice(0, half), offsets.slice(half)]) {
        this.#retries.push({ dueMs: 0, offsets: part, alone: true, counted: true });
      }
    }
    this.#requests.release(batch);
  }

  #widen(): void {
    this.#narrow = 2 * this.#narrow > turnEventsMax ? Number.POSITIVE_INFINITY : 2 * this.#narrow;
  }

  /** Parking: forgets everything that is in this thread's hands; the ring has it all. */
  #giveUp(): void {
    this.#requests.abandon();
    this.#aggregator.discard();
    this.#outlets.takeAll();
    this.#outlets.reshape(this.#ranges?.shardIds ?? []);
    this.#verdicts.clear();
    this.#retries.clear();
    this.#group = undefined;
    this.#feedLeft = false;
    this.#narrow = Number.POSITIVE_INFINITY;
    this.#openedMs = this.#flushMs = Number.POSITIVE_INFINITY;
    if (this.#building !== undefined) this.#requests.release(this.#building);
    this.#building = undefined;
    this.#parking.take();
  }
}
