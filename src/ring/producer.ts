/**
 * The writing end of a ring. Main thread only; called by admission for every event and by replay.
 *
 * Two phases: `claim` reserves room and gives the entry's offset (or 0: full), the caller writes header and payload in place,
 * and `publish` makes everything claimed so far visible at once. Nothing claimed is visible before, and a claim that was not
 * published yet can be taken back by `abort`. It never waits and never frees: memory comes back when the consumer moves TAIL.
 */
import { assert } from '../base/assert.ts';
import type { Arena } from './arena.ts';
import { checkPlace, control, EntryState, entry, entryBytes, payloadBytesMax, type RingPlace } from './layout.ts';

export class RingProducer {
  readonly capacity: number;
  readonly payloadBytesMax: number;
  readonly #words: Int32Array;
  readonly #headWord: number;
  readonly #tailWord: number;
  readonly #sleepingWord: number;
  readonly #bellWord: number;
  readonly #entriesOffset: number;
  readonly #mask: number;
  /** Position behind the last claimed byte; ahead of HEAD by what is not published. */
  #claimed: number;
  #published: number;
  /** TAIL as last read: never ahead of the real one, so room computed from it is a safe underestimate. */
  #tailSeen: number;

  constructor(arena: Arena, place: RingPlace) {
    checkPlace(place);
    this.capacity = place.capacity;
    this.payloadBytesMax = payloadBytesMax(place.capacity);
    this.#words = arena.words;
    this.#headWord = (place.controlOffset + control.head) >>> 2;
    this.#tailWord = (place.controlOffset + control.tail) >>> 2;
    const bellOffset = place.bellOffset ?? place.controlOffset;
    this.#sleepingWord = (bellOffset + control.sleeping) >>> 2;
    this.#bellWord = (bellOffset + control.head) >>> 2;
    this.#entriesOffset = place.entriesOffset;
    this.#mask = place.capacity - 1;
    this.#claimed = Atomics.load(this.#words, this.#headWord);
    this.#published = this.#claimed;
    this.#tailSeen = Atomics.load(this.#words, this.#tailWord);
  }

  /**
   * Room for an entry with `payloadLength` bytes: the offset of its header in the arena, or 0 when the ring is full now.
   * State and length are written; the caller writes the rest before {@link publish}.
   */
  claim(payloadLength: number): number {
    const size = entryBytes(payloadLength);
    const index = this.#claimed & this.#mask;
    const untilEnd = this.capacity - index;
    const needed = size <= untilEnd ? size : untilEnd + size;
    if (needed > this.capacity - ((this.#claimed - this.#tailSeen) | 0)) {
      // Pairs with the consumer's Atomics.store of TAIL: what lies before it is no longer read.
      this.#tailSeen = Atomics.load(this.#words, this.#tailWord);
      if (needed > this.capacity - ((this.#claimed - this.#tailSeen) | 0)) return 0;
    }
    let offset = this.#entriesOffset + index;
    if (size > untilEnd) {
      this.#words[(offset + entry.state) >>> 2] = EntryState.padding;
      this.#words[(offset + entry.length) >>> 2] = untilEnd;
      offset = this.#entriesOffset;
    }
    this.#words[(offset + entry.state) >>> 2] = EntryState.pending;
    this.#words[(offset + entry.length) >>> 2] = payloadLength;
    this.#claimed = (this.#claimed + needed) | 0;
    return offset;
  }

  /** Makes all claimed entries visible. Returns whether there was anything to publish. */
  publish(): boolean {
    if (this.#claimed === this.#published) return false;
    this.#published = this.#claimed;
    // Pairs with the consumer's Atomics.load of HEAD; headers and payloads written before ride on it.
    Atomics.store(this.#words, this.#headWord, this.#claimed);
    return true;
  }

  /** Wakes the consumer if it sleeps; call after {@link publish}, once per batch. A wake costs some 85 us over both threads. */
  wake(): void {
    // Pairs with the consumer's Atomics.store of SLEEPING = 1. HEAD was stored before: either this load sees the sleeper, or
    // the sleeper's second look at HEAD (after its store) sees what was published. The exchange lets one waker through per
    // sleep; see waiting.ts.
    if (Atomics.load(this.#words, this.#sleepingWord) === 0) return;
    if (Atomics.compareExchange(this.#words, this.#sleepingWord, 1, 0) === 1) {
      Atomics.notify(this.#words, this.#bellWord);
    }
  }

  /** Takes back everything claimed since the last {@link publish}. */
  abort(): void {
    this.#claimed = this.#published;
  }

  /** Takes back what was claimed since {@link position} said `position`; none of it was published. */
  unclaim(position: number): void {
    assert(((position - this.#published) | 0) >= 0, 'what was published is not taken back');
    this.#claimed = position;
  }

  /** Bytes between TAIL and the last claim: what the ring holds now. */
  usedBytes(): number {
    this.#tailSeen = Atomics.load(this.#words, this.#tailWord);
    return (this.#claimed - this.#tailSeen) | 0;
  }

  /** Position behind the last claimed byte, wrapped to 32 bits: everything before it is done once {@link passed} says so. */
  position(): number {
    return this.#claimed;
  }

  /** Position behind the entry at `offset`, or undefined where that is in another ring. It is not given back. */
  positionBehind(offset: number): number | undefined {
    const index = offset - this.#entriesOffset;
    if (index < 0 || index >= this.capacity) return undefined;
    this.#tailSeen = Atomics.load(this.#words, this.#tailWord);
    const ahead = (index - this.#tailSeen) & this.#mask;
    return (this.#tailSeen + ahead + entryBytes(this.#words[(offset + entry.length) >>> 2] as number)) | 0;
  }

  /** Position of the oldest byte that the consumer has not given back. */
  tail(): number {
    this.#tailSeen = Atomics.load(this.#words, this.#tailWord);
    return this.#tailSeen;
  }

  /** Whether the consumer has given back everything before `position`. Positions older than half the range are not comparable. */
  passed(position: number): boolean {
    this.#tailSeen = Atomics.load(this.#words, this.#tailWord);
    return ((this.#tailSeen - position) | 0) >= 0;
  }

  /** Offset of the oldest entry that is not given back, skipping padding; 0 when the ring holds nothing published. */
  oldest(): number {
    this.#tailSeen = Atomics.load(this.#words, this.#tailWord);
    if (this.#tailSeen === this.#published) return 0;
    const offset = this.#entriesOffset + (this.#tailSeen & this.#mask);
    const padded = this.#words[(offset + entry.state) >>> 2] === EntryState.padding;
    return padded ? this.#entriesOffset : offset;
  }
}
