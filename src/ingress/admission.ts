/**
 * The gate: decides of each event whether it goes into a ring, into the DLQ, or back to its sender. Main thread; every
 * listener offers to it. The hot path writes one ring entry and three counters, and allocates nothing.
 *
 * ```
 *   offer ─ key and size right? ─ no ─▶ refusal with a code
 *                │ yes
 *         ring's and stream's breakers closed? ─ no ─┐        overflow policy of the stream
 *                │ yes; or the ring's is open, and the  │
 *                │ event within its allowance or share  │
 *                │                                   ├─ spill  ▶ DLQ (its blocks full: block; its disk full: refuse)
 *         room in the ring? ─ no (breaker opens) ────┤  refuse ▶ refusal, retryable
 *                │ yes                               └─ block  ▶ the listener stops reading
 *              entry
 * ```
 *
 * Long because the events' arguments are passed as plain numbers through each step, for want of allocation.
 */
import { isUtf8 } from 'node:buffer';
import { BreakerState } from '../breaker/breaker.ts';
import type { SaturationBreaker } from '../breaker/saturation.ts';
import type { Clock } from '../edges/clock.ts';
import { MainCounter, type MainCounters } from '../observe/counters.ts';
import type { Arena } from '../ring/arena.ts';
import { attemptsMax, attemptsShift, EntryState, entry, flagHashKey, streamShift } from '../ring/layout.ts';
import type { RingProducer } from '../ring/producer.ts';
import { FairShares, Sender } from './fair-shares.ts';
import { type Intake, randomKeyLength, refusals, Verdict, verdictsMax } from './intake.ts';
import { charactersOf } from './json-text.ts';

/** Most UTF-8 bytes that 256 characters can have. */
const keyBytesMax = 1024;
const keyCharactersMax = 256;

/** How often blocked listeners are asked whether there is room again. */
const roomPollMs = 5;

export interface AdmissionStream {
  readonly overflow: 'spill' | 'refuse' | 'block';
  readonly eventBytesMax: number;
}

/** One stream's ring in one lane, and what says whether it may be filled. */
export interface AdmissionRing {
  readonly ring: RingProducer;
  readonly saturation: SaturationBreaker;
  /** Index in `arena.words` of the breaker state that the lane shows of the stream. */
  readonly breakerWord: number;
}

/** What admission asks of a stream that keeps the order of its keys through spill and replay. */
export interface StreamOrder {
  /** `hold`: senders wait; `behind`: into the DLQ, behind what is there. */
  readonly route: 'ring' | 'hold' | 'behind';
  /** An event cannot enter its ring. False: the DLQ has no room for what would have to go there with it. */
  spillWanted(): boolean;
}

/** Where overflow goes: the DLQ, as admission sees it. */
export interface Overflow {
  spill(
    stream: number,
    cause: 'saturated' | 'stream_open' | 'ordered',
    firstSeenUs: number,
    keyOffset: number,
    keyLength: number,
    ehkOffset: number,
    dataOffset: number,
    dataLength: number,
  ): 'ok' | 'busy' | 'full';
  readonly writable: boolean;
}

/** Told where a watched event went; knows whether it may. */
export interface EntryWatch {
  /** Further flags of the next event's entry. */
  readonly flags: number;
  mayEnter(ring: number): boolean;
  /**
   * The event is in `ring` (as in {@link AdmissionParts.rings}), and its entry ends before `position`; the rest as of `offer`.
   * Otherwise than `Verdict.ring`: it must not be, and is taken back.
   */
  entered(
    ring: number,
    position: number,
    stream: number,
    keyOffset: number,
    keyLength: number,
    dataOffset: number,
    dataLength: number,
    ehkOffset: number,
    timeUs: number,
  ): Verdict;
  /** Given where the sender cannot be served now: a refusal, before anything is looked at. */
  verdictOn?(stream: number): Verdict;
  /** Given where it wants to know: the event that was judged last went into the DLQ. */
  spilled?(stream: number): void;
  /** Given where it blocks for reasons of its own. */
  whenRoom?(stream: number, resume: () => void): void;
}

export interface AdmissionParts {
  readonly arena: Arena;
  readonly clock: Clock;
  /** Milliseconds since the epoch that `enteredMs` of entries counts from. */
  readonly startedMs: number;
  readonly counters: MainCounters;
  readonly streams: ReadonlyMap<string, number>;
  readonly policies: readonly AdmissionStream[];
  readonly lanes: number;
  /** By lane, then by stream. */
  readonly rings: readonly AdmissionRing[];
  readonly overflow: Overflow;
  /** By stream; none of a stream that keeps no order. */
  readonly orders: readonly (StreamOrder | undefined)[];
  readonly randomKeys: { readonly offset: number; readonly length: number };
  /** A random number in [0, 1): spreads the senders that come again. */
  readonly share: () => number;
  /** Told per commit how long the oldest event of it took from its read to its publication. */
  readonly published: (tookUs: number, events: number) => void;
}

/** Whether events may enter a ring. */
const Way = {
  free: 0,
  /** The stream's breaker is in the way, or order. */
  away: 1,
  /** More full than any sender may make it. */
  shut: 3,
  /** Full up to its allowance: senders that ask for little may. */
  few: 2,
} as const;

/** When refused senders should come again, before jitter: a destination is away; a ring is full for a moment; it nearly is. */
const retryAfterMsUnavailable = 1_000;
const retryAfterMsSaturated = 500;
const retryAfterMsLeast = 200;

export class Admission implements Intake {
  /** Set by who wants {@link onCommit} to be called once, behind the next commit. */
  isCommitDue = false;
  onCommit: (() => void) | undefined;
  readonly #parts: AdmissionParts;
  readonly #arena: Arena;
  readonly #lanes: number;
  readonly #rings: readonly AdmissionRing[];
  /** By ring. */
  readonly #ways: Uint8Array;
  /** By ring: 1 while a breaker advises against it. */
  readonly #open: Uint8Array;
  /** By ring: 1 when its saturation has turned an event away since the last refresh. */
  readonly #turnedAway: Uint8Array;
  /** By stream. */
  readonly #fairShares: FairShares[];
  /** A ring's breaker is open: what senders put into rings is counted. */
  #counts = false;
  #sender = new Sender();
  /** By ring: how long its oldest event has been there. */
  readonly #oldestMs: Int32Array;
  readonly #streamCount: number;
  readonly #eventBytesMax: number[];
  /** Events refused since the start, by verdict. */
  readonly #refusedBy = new Float64Array(verdictsMax);
  #waiting: { stream: number; resume: () => void }[] = [];
  #poll: NodeJS.Timeout | undefined;
  #draining = false;
  #nextRandomKey = 0;
  #uncommitted = 0;
  #uncommittedUs = 0;
  #enteredMs = 0;
  /** Of the event that is being offered. */
  #watch: EntryWatch | undefined;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    this.#arena = parts.arena;
    this.#lanes = parts.lanes;
    this.#rings = parts.rings;
    this.#streamCount = parts.policies.length;
    this.#eventBytesMax = parts.policies.map(({ eventBytesMax }) => eventBytesMax);
    this.#ways = new Uint8Array(parts.rings.length);
    this.#turnedAway = new Uint8Array(parts.rings.length);
    this.#fairShares = parts.policies.map(() => new FairShares());
    this.#open = new Uint8Array(parts.rings.length);
    this.#oldestMs = new Int32Array(parts.rings.length);
  }

  streamIndex(name: string): number | undefined {
    return this.#parts.streams.get(name);
  }

  eventBytesMax(stream: number): number {
    return this.#eventBytesMax[stream] as number;
  }

  /** Events refused since the start, of all streams, by the code that their senders were told; with those that none was refused with. */
  refusedByCode(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const [verdict, { code }] of Object.entries(refusals)) {
      // Told of events that were accepted.
      if (Number(verdict) === Verdict.onDisk || Number(verdict) === Verdict.rejected) continue;
      counts[code] = (counts[code] ?? 0) + (this.#refusedBy[Number(verdict)] as number);
    }
    return counts;
  }

  /** Kinesis says what the stream takes: from now on larger events are refused. */
  limit(stream: number, eventBytesMax: number): void {
    this.#eventBytesMax[stream] = eventBytesMax;
  }

  offer(
    stream: number,
    keyOffset: number,
    keyLength: number,
    dataOffset: number,
    dataLength: number,
    ehkOffset: number,
    timeUs: number,
  ): Verdict {
    const route = this.#routeOf(keyOffset, keyLength);
    if (route < 0) return this.#refused(stream, this.#keyFault(keyOffset, keyLength));
    if (keyLength + dataLength > this.eventBytesMax(stream)) return this.#refused(stream, Verdict.eventTooLarge);
    if (this.#draining) return this.#refused(stream, Verdict.draining);
    const index = (this.#lanes === 1 ? 0 : route % this.#lanes) * this.#streamCount + stream;
    const place = this.#rings[index] as AdmissionRing;
    let saturated = place.saturation.isOpen;
    if (this.#mayEnter(index, stream, keyLength + dataLength)) {
      const watch = this.#watch;
      let flags = 0;
      let before = 0;
      if (watch !== undefined) {
        if (!watch.mayEnter(index)) return Verdict.blocked;
        flags = watch.flags;
        before = place.ring.position();
      }
      if (
        this.#enter(place.ring, stream, keyOffset, keyLength, dataOffset, dataLength, ehkOffset, timeUs, flags) !== 0
      ) {
        if (watch !== undefined) {
          const end = place.ring.position();
          const verdict = watch.entered(
            index, end, stream, keyOffset, keyLength, dataOffset, dataLength, ehkOffset, timeUs,
          ); // biome-ignore format: one line of arguments
          if (verdict !== Verdict.ring) {
            place.ring.unclaim(before);
            return verdict === Verdict.blocked ? verdict : this.#refused(stream, verdict);
          }
        }
        const { counters } = this.#parts;
        counters.add(stream, MainCounter.received, 1);
        counters.add(stream, MainCounter.ringed, 1);
        if (this.#counts) this.#fairShares[stream]?.entered(this.#sender, keyLength + dataLength);
        if (this.#uncommitted++ === 0) this.#uncommittedUs = timeUs;
        return Verdict.ring;
      }
      saturated = true;
      this.#turnedAway[index] = 1;
      place.saturation.full(place.ring.usedBytes(), this.#parts.clock.nowMs());
      this.#refresh();
    }
    return this.#overflowed(saturated, stream, keyOffset, keyLength, dataOffset, dataLength, ehkOffset, timeUs);
  }

  /** An event of so many bytes, of the sender at hand. */
  #mayEnter(index: number, stream: number, bytes: number): boolean {
    const way = this.#ways[index];
    if (way === Way.free) return true;
    // That is no sign of a saturated ring, whose breaker would wait for its end.
    if (way === Way.away) return false;
    if (way === Way.few && this.#fairShares[stream]?.covers(this.#sender, bytes) === true) return true;
    this.#turnedAway[index] = 1;
    return false;
  }

  feeds(sender: Sender): void {
    this.#sender = sender;
  }

  /** As {@link offer}; `watch` is told which ring the event enters, if it does. */
  offerWatched(
    watch: EntryWatch,
    stream: number,
    keyOffset: number,
    keyLength: number,
    dataOffset: number,
    dataLength: number,
    ehkOffset: number,
    timeUs: number,
  ): Verdict {
    this.#watch = watch;
    const verdict = this.offer(stream, keyOffset, keyLength, dataOffset, dataLength, ehkOffset, timeUs);
    this.#watch = undefined;
    return verdict;
  }

  /**
   * Puts an event from the DLQ back into a ring: as {@link offer}, but past breakers and policies, which the caller has asked.
   * Where it lies in the ring; 0 when the ring has no room now. The event keeps its attempts, and the time when it was first seen.
   */
  replay(
    stream: number,
    keyOffset: number,
    keyLength: number,
    dataOffset: number,
    dataLength: number,
    ehkOffset: number,
    firstSeenUs: number,
    attempts: number,
    flags: number,
  ): number {
    const route = Math.max(0, this.#routeOf(keyOffset, keyLength));
    const { ring } = this.#rings[(route % this.#lanes) * this.#streamCount + stream] as AdmissionRing;
    const at = this.#enter(ring, stream, keyOffset, keyLength, dataOffset, dataLength, ehkOffset, firstSeenUs, flags);
    if (at === 0) return 0;
    const counted = Math.min(attempts, attemptsMax) << attemptsShift;
    this.#arena.words[(at + entry.state) >>> 2] = EntryState.pending | counted;
    return at;
  }

  refuse(stream: number, verdict: Verdict): void {
    this.#refused(stream < 0 ? this.#streamCount : stream, verdict);
  }

  randomKey(): number {
    const { offset, length } = this.#parts.randomKeys;
    this.#nextRandomKey = (this.#nextRandomKey + randomKeyLength) % length;
    return offset + this.#nextRandomKey;
  }

  commit(): void {
    for (const { ring } of this.#rings) if (ring.publish()) ring.wake();
    if (this.isCommitDue) {
      this.isCommitDue = false;
      this.onCommit?.();
    }
    if (this.#uncommitted > 0) {
      this.#parts.published(this.#parts.clock.nowUs() - this.#uncommittedUs, this.#uncommitted);
      this.#uncommitted = 0;
    }
    this.#refresh();
  }

  /** Asks every breaker anew. After each commit, and by the daemon's timer, so that a silent daemon opens and closes too. */
  refresh(): void {
    this.#refresh();
  }

  /** Spread over half of its mean: senders that were refused together do not come again together. */
  retryAfterMs(stream: number): number {
    const meanMs = this.#isShut(stream)
      ? retryAfterMsUnavailable
      : this.isUnavailable(stream)
        ? retryAfterMsSaturated
        : retryAfterMsLeast;
    return Math.round(meanMs * (0.75 + this.#parts.share() / 2));
  }

  whenRoom(stream: number, resume: () => void): void {
    this.#waiting.push({ stream, resume });
    this.#poll ??= setInterval(() => this.#resume(), roomPollMs);
  }

  /** The DLQ takes events again: whom it blocked goes on now, and need not wait for the next look. */
  roomCame(): void {
    if (this.#waiting.length > 0) this.#resume();
  }

  /** From now on nothing is accepted. */
  drain(): void {
    this.#draining = true;
    this.#resume();
  }

  close(): void {
    clearInterval(this.#poll);
  }

  /** A spread of the key over lanes, or -1 when the key needs a closer look: empty, over-long, or not plain ASCII and broken. */
  #routeOf(keyOffset: number, keyLength: number): number {
    if (keyLength === 0 || keyLength > keyBytesMax) return -1;
    const { bytes, buffer } = this.#arena;
    let hash = 0;
    let seen = 0;
    for (let i = 0; i < keyLength; i++) {
      const byte = bytes[keyOffset + i] as number;
      seen |= byte;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    if (seen >= 0x80 && !isUtf8(buffer.subarray(keyOffset, keyOffset + keyLength))) return -1;
    if (keyLength > keyCharactersMax && this.#characters(keyOffset, keyLength) > keyCharactersMax) return -1;
    return (hash ^ (hash >>> 15)) >>> 0;
  }

  #keyFault(keyOffset: number, keyLength: number): Verdict {
    if (keyLength === 0) return Verdict.emptyKey;
    if (keyLength > keyBytesMax || this.#characters(keyOffset, keyLength) > keyCharactersMax) return Verdict.keyTooLong;
    return Verdict.keyNotUtf8;
  }

  #characters(offset: number, length: number): number {
    return charactersOf(this.#arena.buffer.subarray(offset, offset + length));
  }

  #enter(
    ring: RingProducer,
    stream: number,
    keyOffset: number,
    keyLength: number,
    dataOffset: number,
    dataLength: number,
    ehkOffset: number,
    timeUs: number,
    flags: number,
  ): number {
    const { words, floats, copy } = this.#arena;
    const ehkLength = ehkOffset === 0 ? 0 : 16;
    const at = ring.claim(ehkLength + keyLength + dataLength);
    if (at === 0) return 0;
    const hashKeyFlag = ehkLength === 0 ? 0 : flagHashKey;
    words[(at + entry.key) >>> 2] = keyLength | (stream << streamShift) | hashKeyFlag | flags;
    words[(at + entry.enteredMs) >>> 2] = this.#enteredMs;
    floats[(at + entry.firstSeenUs) >>> 3] = timeUs;
    let to = at + entry.payload;
    if (ehkLength !== 0) {
      copy(to, ehkOffset, ehkLength);
      to += ehkLength;
    }
    if (keyOffset + keyLength === dataOffset) {
      copy(to, keyOffset, keyLength + dataLength);
    } else {
      copy(to, keyOffset, keyLength);
      copy(to + keyLength, dataOffset, dataLength);
    }
    return at;
  }

  #overflowed(
    saturated: boolean,
    stream: number,
    keyOffset: number,
    keyLength: number,
    dataOffset: number,
    dataLength: number,
    ehkOffset: number,
    timeUs: number,
  ): Verdict {
    const { policies, overflow, counters } = this.#parts;
    const { overflow: policy } = policies[stream] as AdmissionStream;
    if (policy === 'block') return Verdict.blocked;
    if (policy === 'refuse') return this.#refused(stream, saturated ? Verdict.saturated : Verdict.streamUnavailable);
    const order = this.#parts.orders[stream];
    if (order !== undefined && !order.spillWanted()) return this.#refused(stream, Verdict.dlqFull);
    if (order !== undefined && order.route !== 'behind') return Verdict.blocked;
    const cause = order !== undefined ? 'ordered' : saturated ? 'saturated' : 'stream_open';
    const result = overflow.spill(stream, cause, timeUs, keyOffset, keyLength, ehkOffset, dataOffset, dataLength);
    if (result === 'busy') return Verdict.blocked;
    if (result === 'full') return this.#refused(stream, Verdict.dlqFull);
    counters.add(stream, MainCounter.received, 1);
    counters.add(stream, MainCounter.spilled, 1);
    return Verdict.spilled;
  }

  #refused(stream: number, verdict: Verdict): Verdict {
    this.#parts.counters.add(stream, MainCounter.received, 1);
    this.#parts.counters.add(stream, MainCounter.refused, 1);
    this.#refusedBy[verdict] = (this.#refusedBy[verdict] as number) + 1;
    if (verdict >= Verdict.saturated && verdict <= Verdict.dlqFull) this.#sender.turnedAway++;
    return verdict;
  }

  #refresh(): void {
    const nowMs = this.#parts.clock.nowMs();
    this.#enteredMs = (nowMs - this.#parts.startedMs) | 0;
    this.#counts = false;
    for (let i = 0; i < this.#rings.length; i++) this.#refreshRing(i, nowMs);
    if (!this.#counts) return;
    for (let stream = 0; stream < this.#streamCount; stream++) {
      this.#tickShares(stream, nowMs);
    }
  }

  #refreshRing(i: number, nowMs: number): void {
    const { words } = this.#arena;
    const { ring, saturation, breakerWord } = this.#rings[i] as AdmissionRing;
    const oldest = ring.oldest();
    const oldestMs = oldest === 0 ? 0 : (this.#enteredMs - (words[(oldest + entry.enteredMs) >>> 2] as number)) | 0;
    saturation.update(ring.usedBytes(), oldestMs, ring.tail(), this.#turnedAway[i] === 1, nowMs);
    this.#turnedAway[i] = 0;
    this.#oldestMs[i] = oldestMs;
    // Pairs with the lane's Atomics.store at each transition; nothing rides on it.
    const isAway = Atomics.load(words, breakerWord) === BreakerState.open;
    const stream = i % this.#streamCount;
    const blocks = (this.#parts.policies[stream] as AdmissionStream).overflow === 'block';
    const route = this.#parts.orders[stream]?.route ?? 'ring';
    if (saturation.isOpen) this.#counts = true;
    this.#open[i] = saturation.isOpen || isAway ? 1 : 0;
    if (route !== 'ring' || (isAway && !blocks)) this.#ways[i] = Way.away;
    else if (saturation.admits || blocks) this.#ways[i] = Way.free;
    else this.#ways[i] = saturation.admitsFew ? Way.few : Way.shut;
  }

  #tickShares(stream: number, nowMs: number): void {
    let drainBytesPerMs = 0;
    let isCrowded = false;
    for (let i = stream; i < this.#rings.length; i += this.#streamCount) {
      const { saturation } = this.#rings[i] as AdmissionRing;
      drainBytesPerMs += saturation.drainBytesPerMs;
      if (saturation.isCrowded) isCrowded = true;
    }
    this.#fairShares[stream]?.tick(drainBytesPerMs, isCrowded, nowMs);
  }

  /** Whether a breaker of the stream is open, whatever that means for its events. */
  isUnavailable(stream: number): boolean {
    for (let i = stream; i < this.#open.length; i += this.#streamCount) if (this.#open[i] === 1) return true;
    return false;
  }

  /** Whether a breaker that its policy heeds is open, or order keeps events of the stream out of its rings. */
  isDiverted(stream: number): boolean {
    const { overflow } = this.#parts.policies[stream] as AdmissionStream;
    const route = this.#parts.orders[stream]?.route ?? 'ring';
    return route !== 'ring' || (overflow !== 'block' && this.isUnavailable(stream));
  }

  /** Whether some ring of the stream takes nothing now. */
  #isShut(stream: number): boolean {
    for (let i = stream; i < this.#ways.length; i += this.#streamCount) {
      if (this.#ways[i] === Way.shut || this.#ways[i] === Way.away) return true;
    }
    return false;
  }

  /** How long the oldest event of the stream has been in a ring, as of the last refresh. */
  oldestMs(stream: number): number {
    let oldestMs = 0;
    for (let i = stream; i < this.#oldestMs.length; i += this.#streamCount) {
      oldestMs = Math.max(oldestMs, this.#oldestMs[i] as number);
    }
    return oldestMs;
  }

  #resume(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      if (this.#draining || this.#hasRoom(waiter.stream)) waiter.resume();
      else this.#waiting.push(waiter);
    }
    if (this.#waiting.length > 0) return;
    clearInterval(this.#poll);
    this.#poll = undefined;
  }

  #hasRoom(stream: number): boolean {
    const { overflow } = this.#parts.policies[stream] as AdmissionStream;
    const route = this.#parts.orders[stream]?.route ?? 'ring';
    if (route === 'hold' || (route === 'behind' && overflow === 'block')) return false;
    if (overflow !== 'block') return this.#parts.overflow.writable || !this.#isShut(stream);
    for (let i = stream; i < this.#rings.length; i += this.#streamCount) {
      const { ring } = this.#rings[i] as AdmissionRing;
      if (ring.usedBytes() + 2 * this.eventBytesMax(stream) >= 0.9 * ring.capacity) return false;
    }
    return true;
  }
}
