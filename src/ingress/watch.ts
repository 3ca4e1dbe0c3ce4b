/**
 * What became of one sender's events, by number, at ack level `stream` or `disk`. Main thread; made by Deliveries or DiskAcks for a connection or a
 * request, filled by its intake and by the rings' watches, read by whoever answers the sender.
 *
 * ```
 *   1 ........ done | done+1: pending, done+2: delivered, ... judged |     a window of fates: one byte each, in a circle
 *   the sender may     answers go on when done+1 has its fate               at most `watchedEventsMax`: then the sender
 *   be told of these                                                        is not read from until `done` has moved
 * ```
 * Fates come in any order, and are counted as they come; `next` steps over them in the order of their numbers.
 */
import { assert } from '../base/assert.ts';
import { watchedEventsMax } from '../base/limits.ts';

export const Fate = {
  /** In a ring, or on its way to Kinesis. */
  pending: 0,
  /** Kinesis has it. */
  delivered: 1,
  /** The DLQ has it, and brings it back by itself. */
  onDisk: 2,
  /** Kinesis refuses it for good: a dead letter. */
  rejected: 3,
  /** Not accepted, or on disk from the start: the sender was told at once. */
  told: 4,
  /** Of level `disk`: it is on disk. */
  durable: 5,
  /** Of level `disk`: it is not known to be on disk, though accepted. */
  stalled: 6,
} as const;
export type Fate = (typeof Fate)[keyof typeof Fate];

/** A record in Kinesis. */
export interface RecordPlace {
  readonly shardId: string;
  readonly sequenceNumber: string;
}

const initialEvents = 1_024;

export class Watch {
  /** Events numbered so far, and the number up to which {@link next} has stepped. */
  judged = 0;
  done = 0;
  /** Events by fate, also beyond `done`. */
  delivered = 0;
  onDisk = 0;
  rejected = 0;
  durable = 0;
  stalled = 0;
  /** Of the event that {@link next} stepped over: where Kinesis has it (undefined: not known), and its place in that record. */
  record: RecordPlace | undefined;
  subSequence = 0;
  /** Events up to this number want a receipt. */
  readonly receiptsMax: number;
  /** Told when fates have come, once per message of a lane. */
  readonly onDue: () => void;
  closed = false;
  /** Set while this watch is in the list of those to be told. */
  touched = false;
  #settled = 0;
  /** Refused events behind a full window. */
  #behind = 0;
  #fates = new Uint8Array(initialEvents);
  #records: (RecordPlace | undefined)[] = [];
  #subSequences = new Uint32Array(0);
  #resume: (() => void) | undefined;

  constructor(receiptsMax: number, onDue: () => void) {
    this.receiptsMax = receiptsMax;
    this.onDue = onDue;
    if (receiptsMax > 0) this.#subSequences = new Uint32Array(initialEvents);
  }

  /** Events whose fate is not known yet. */
  get pending(): number {
    return this.judged - this.#settled;
  }

  /** No further event may be numbered now. */
  get full(): boolean {
    return this.judged - this.done >= watchedEventsMax || this.#behind > 0;
  }

  /** Gives the next number to an event. Anything but `pending` is its fate. */
  judge(fate: Fate): void {
    if (this.full) {
      // What is refused cannot be held up. It is only counted: nothing is accepted behind it until the window is empty.
      assert(fate === Fate.told, 'a sender is held up when its window is full');
      this.judged++;
      this.#settled++;
      this.#behind++;
      return;
    }
    if (this.judged - this.done === this.#fates.length) this.#grow();
    this.judged++;
    const slot = this.judged & (this.#fates.length - 1);
    this.#fates[slot] = Fate.pending;
    if (this.judged <= this.receiptsMax) this.#records[slot] = undefined;
    if (fate !== Fate.pending) this.settle(this.judged, fate);
  }

  /** The fate of a pending event. `number` may be cut to its 32 low bits. */
  settle(number: number, fate: Fate): void {
    const slot = number & (this.#fates.length - 1);
    assert(this.#fates[slot] === Fate.pending, 'an event has one fate');
    this.#fates[slot] = fate;
    this.#settled++;
    if (fate === Fate.delivered) this.delivered++;
    else if (fate === Fate.onDisk) this.onDisk++;
    else if (fate === Fate.rejected) this.rejected++;
    else if (fate === Fate.durable) this.durable++;
    else if (fate === Fate.stalled) this.stalled++;
  }

  /** Where Kinesis has a pending event that wants a receipt. */
  place(number: number, record: RecordPlace, subSequence: number): void {
    const slot = number & (this.#fates.length - 1);
    this.#records[slot] = record;
    this.#subSequences[slot] = subSequence;
  }

  /** What {@link next} would return. */
  get nextFate(): Fate {
    if (this.done === this.judged) return Fate.pending;
    if (this.done === this.judged - this.#behind) return Fate.told;
    return this.#fates[(this.done + 1) & (this.#fates.length - 1)] as Fate;
  }

  /** Steps over event `done` + 1 and returns its fate; `pending`: it stays. Over refused ones it may step all at once. */
  next(): Fate {
    if (this.done === this.judged) return Fate.pending;
    if (this.done === this.judged - this.#behind) {
      this.done = this.judged;
      this.#behind = 0;
      this.record = undefined;
      this.#makeRoom();
      return Fate.told;
    }
    const slot = (this.done + 1) & (this.#fates.length - 1);
    const fate = this.#fates[slot] as Fate;
    if (fate === Fate.pending) return fate;
    this.done++;
    if (this.receiptsMax > 0) {
      this.record = this.#records[slot];
      this.#records[slot] = undefined;
      this.subSequence = this.#subSequences[slot] as number;
    }
    this.#makeRoom();
    return fate;
  }

  /** Runs `resume` once when half of a full window is free. */
  whenRoom(resume: () => void): void {
    this.#resume = resume;
  }

  /** Nobody reads the fates any more. */
  close(): void {
    this.closed = true;
    this.#resume = undefined;
  }

  #makeRoom(): void {
    if (this.#resume === undefined || this.#behind > 0 || this.judged - this.done > watchedEventsMax / 2) return;
    const resume = this.#resume;
    this.#resume = undefined;
    resume();
  }

  #grow(): void {
    const before = this.#fates;
    const size = 2 * before.length;
    const fates = new Uint8Array(size);
    const subSequences = new Uint32Array(this.receiptsMax > 0 ? size : 0);
    const records: (RecordPlace | undefined)[] = [];
    for (let number = this.done + 1; number <= this.judged; number++) {
      const from = number & (before.length - 1);
      const to = number & (size - 1);
      fates[to] = before[from] as number;
      if (this.receiptsMax === 0) continue;
      subSequences[to] = this.#subSequences[from] as number;
      records[to] = this.#records[from];
    }
    this.#fates = fates;
    this.#subSequences = subSequences;
    this.#records = records;
  }
}
