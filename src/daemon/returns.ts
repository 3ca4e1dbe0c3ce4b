/**
 * Moves what the lanes set aside from the rings to the DLQ. Main thread; told of ring entries by the lanes' messages.
 *
 * An entry waits in its ring, marked `setAside`, until the DLQ has taken it; then it is marked `settled`, and its lane gives
 * it back. So nothing is in two places, nothing is nowhere, and what waits is bounded by the rings themselves. What the DLQ
 * has no room for goes back to its lane, which tries on; only dead letters, for which trying is vain, wait for room.
 */
import { Kind } from '../dlq/layout.ts';
import { Reason } from '../dlq/reasons.ts';
import { Appended } from '../dlq/series.ts';
import { MainCounter, type MainCounters } from '../observe/counters.ts';
import type { Arena } from '../ring/arena.ts';
import {
  attemptsShift,
  EntryState,
  entry,
  flagHashKey,
  flagReplayed,
  reasonShift,
  SetAside,
  stateMask,
  streamMask,
  streamShift,
} from '../ring/layout.ts';

/** What of the DLQ is needed here. */
export interface ReturnsDlq {
  append(
    kind: Kind,
    stream: number,
    reason: Reason,
    attempts: number,
    firstSeenUs: number,
    keyOffset: number,
    keyLength: number,
    ehkOffset: number,
    dataOffset: number,
    dataLength: number,
  ): Appended;
}

/** The DLQ's reasons by those of the ring. */
const reasons: Readonly<Record<number, Reason>> = {
  [SetAside.expired]: Reason.expired,
  [SetAside.rejected]: Reason.rejected,
  [SetAside.hotShard]: Reason.saturated,
  [SetAside.parked]: Reason.ordered,
};

/** How long to wait before the DLQ is asked again when it takes nothing. */
const retryMs = 20;

/** Entries of one message of a lane; all were set aside for the same reason. */
interface Group {
  readonly lane: number;
  readonly stream: number;
  readonly offsets: Uint32Array;
  next: number;
}

export interface ReturnsParts {
  readonly arena: Arena;
  readonly dlq: ReturnsDlq;
  readonly counters: MainCounters;
  /** The DLQ has entries of the lane's ring: it may give them back. */
  readonly settled: (lane: number) => void;
  /** The DLQ has no room for these, they are marked `pending` again: the lane must try on. */
  readonly again: (lane: number, offsets: Uint32Array) => void;
  /** The stream keeps the order of its keys. */
  readonly keepsOrder: (stream: number) => boolean;
  /** Of such a stream: an event that came from the DLQ came back, and is there still. */
  readonly cameBack: (stream: number, offset: number, bytes: number) => void;
  /** The DLQ has the ring entry at `offset`, which its lane has not given back: a dead letter, or to be replayed. */
  readonly moved: (offset: number, isDead: boolean) => void;
  /** So many events of the stream became dead letters. */
  readonly buried: (lane: number, stream: number, events: number) => void;
}

export class Returns {
  readonly #parts: ReturnsParts;
  /**
   * Dead letters do not wait behind spills: the DLQ keeps room for them when it has none for spills. What must keep its order
   * waits for room, and holds nothing else up.
   */
  #waiting: { spills: Group[]; ordered: Group[]; deads: Group[] } = { spills: [], ordered: [], deads: [] };
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ReturnsParts) {
    this.#parts = parts;
  }

  /** Moves these entries of one stream, all set aside for one reason. Returns the stream when they go to where it is replayed from. */
  take(lane: number, offsets: Uint32Array): number | undefined {
    const first = offsets[0] as number;
    const stream = this.#streamOf(first);
    const group = { lane, stream, offsets, next: 0 };
    const isDead = this.#isDead(first);
    if (isDead) this.#waiting.deads.push(group);
    else if (this.#parts.keepsOrder(stream)) this.#waiting.ordered.push(group);
    else this.#waiting.spills.push(group);
    this.#work();
    return isDead ? undefined : stream;
  }

  /** Entries of a stream that keeps order wait for the DLQ. */
  isMoving(stream: number): boolean {
    return this.#waiting.ordered.some((group) => group.stream === stream);
  }

  /** A lane was lost: its successor reports again what is still marked. */
  forget(lane: number): void {
    const others = (group: Group): boolean => group.lane !== lane;
    const { spills, ordered, deads } = this.#waiting;
    this.#waiting = { spills: spills.filter(others), ordered: ordered.filter(others), deads: deads.filter(others) };
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting = { spills: [], ordered: [], deads: [] };
  }

  #work(): void {
    if (this.#timer !== undefined) return;
    const touched = new Set<number>();
    const areDeadsMoved = this.#moveAll(this.#waiting.deads, touched);
    const areOrderedMoved = this.#moveAll(this.#waiting.ordered, touched);
    const areSpillsMoved = this.#moveAll(this.#waiting.spills, touched);
    for (const lane of touched) this.#parts.settled(lane);
    if (areDeadsMoved && areOrderedMoved && areSpillsMoved) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#work();
    }, retryMs);
  }

  /** False: some must wait for the DLQ. */
  #moveAll(groups: Group[], touched: Set<number>): boolean {
    for (let group = groups[0]; group !== undefined; group = groups[0]) {
      const { lane, offsets, stream } = group;
      const dead = new Map<number, number>();
      let result: Appended = Appended.ok;
      while (group.next < offsets.length) {
        const offset = offsets[group.next] as number;
        const isDead = this.#isDead(offset);
        result = this.move(offset);
        if (result !== Appended.ok) break;
        group.next++;
        touched.add(lane);
        if (isDead) dead.set(this.#streamOf(offset), (dead.get(this.#streamOf(offset)) ?? 0) + 1);
      }
      for (const [ofStream, events] of dead) this.#parts.buried(lane, ofStream, events);
      const isDeadRefused = group.next < offsets.length && this.#isDead(offsets[group.next] as number);
      const mustWait = result === Appended.full && this.#parts.keepsOrder(stream);
      if (result === Appended.busy || mustWait || isDeadRefused) return false;
      if (result === Appended.full) this.#tryOn(lane, offsets.slice(group.next));
      groups.shift();
    }
    return true;
  }

  /**
   * An expired event that the DLQ has no room for stays where it is, and its lane tries on. Were it to wait here, its ring
   * could not give back anything behind it, replay would find no room, and the DLQ would stay full for ever.
   */
  #tryOn(lane: number, offsets: Uint32Array): void {
    const { words } = this.#parts.arena;
    const waiting = offsets.filter((offset) => this.#isSetAside(offset));
    for (const offset of waiting) {
      const stateWord = (offset + entry.state) >>> 2;
      // Pairs with the lane's load of the state in advance(): the entry is not done after all. Its attempts stay counted.
      Atomics.store(words, stateWord, ((words[stateWord] as number) & ~0xffff) | EntryState.pending);
    }
    if (waiting.length > 0) this.#parts.again(lane, waiting);
  }

  #isSetAside(offset: number): boolean {
    return (Atomics.load(this.#parts.arena.words, (offset + entry.state) >>> 2) & stateMask) === EntryState.setAside;
  }

  #isDead(offset: number): boolean {
    const word = Atomics.load(this.#parts.arena.words, (offset + entry.state) >>> 2);
    return (word & stateMask) === EntryState.setAside && ((word >>> reasonShift) & 0xff) === SetAside.rejected;
  }

  #streamOf(offset: number): number {
    return ((this.#parts.arena.words[(offset + entry.key) >>> 2] as number) >>> streamShift) & streamMask;
  }

  /** Moves one entry if it is (still) set aside; otherwise than `ok` when the DLQ does not take it now. */
  move(offset: number): Appended {
    if (!this.#isSetAside(offset)) return Appended.ok;
    const word = Atomics.load(this.#parts.arena.words, (offset + entry.state) >>> 2);
    const reason = reasons[(word >>> reasonShift) & 0xff] as Reason;
    return this.settle(offset, reason === Reason.rejected ? Kind.dead : Kind.spill, reason);
  }

  /**
   * Puts the entry at `offset` into the DLQ and marks it settled; otherwise than `ok` nothing has changed. Where order is kept,
   * what came from the DLQ has its place there still: appended, it would stand behind what is younger.
   */
  settle(offset: number, kind: Kind, reason: Reason): Appended {
    const { words, floats } = this.#parts.arena;
    const stateWord = (offset + entry.state) >>> 2;
    const attempts = (words[stateWord] as number) >>> attemptsShift;
    const keyWord = words[(offset + entry.key) >>> 2] as number;
    const stream = this.#streamOf(offset);
    const keyLength = keyWord & 0xffff;
    const ehkOffset = (keyWord & flagHashKey) === 0 ? 0 : offset + entry.payload;
    const keyOffset = offset + entry.payload + (ehkOffset === 0 ? 0 : 16);
    const dataOffset = keyOffset + keyLength;
    const dataLength = offset + entry.payload + (words[(offset + entry.length) >>> 2] as number) - dataOffset;
    if (kind === Kind.spill && (keyWord & flagReplayed) !== 0 && this.#parts.keepsOrder(stream)) {
      this.#parts.cameBack(stream, offset, keyLength + dataLength);
      Atomics.store(words, stateWord, EntryState.settled);
      return Appended.ok;
    }
    const firstSeenUs = floats[(offset + entry.firstSeenUs) >>> 3] as number;
    const appended = this.#parts.dlq.append(
      kind,
      stream,
      reason,
      attempts,
      firstSeenUs,
      keyOffset,
      keyLength,
      ehkOffset,
      dataOffset,
      dataLength,
    );
    if (appended !== Appended.ok) return appended;
    this.#parts.counters.add(stream, kind === Kind.dead ? MainCounter.dead : MainCounter.returned, 1);
    this.#parts.moved(offset, kind === Kind.dead);
    // Pairs with the lane's Atomics.load in advance(): the entry's bytes are copied, its memory may go.
    Atomics.store(words, stateWord, EntryState.settled);
    return Appended.ok;
  }
}
