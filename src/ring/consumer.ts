/**
 * The reading end of a ring. One lane worker at a time; the main thread opens one too, for what a stopped lane left behind.
 *
 * Reading and giving back are apart: `next` steps the private cursor over published entries, `mark` writes an entry's outcome
 * into it, and `release` moves TAIL over the done entries at the old end. Until then an entry stays where it is, so that a
 * worker that takes over a dead one's lane finds every entry that was not done, and knows which were.
 */
import { assert } from '../base/assert.ts';
import type { Arena } from './arena.ts';
import {
  attemptsMax,
  attemptsShift,
  checkPlace,
  control,
  EntryState,
  entry,
  entryBytes,
  type RingPlace,
  reasonShift,
  stateMask,
} from './layout.ts';

export class RingConsumer {
  readonly #words: Int32Array;
  readonly #headWord: number;
  readonly #tailWord: number;
  readonly #entriesOffset: number;
  readonly #mask: number;
  readonly #capacity: number;
  /** Position of the next entry to read. */
  #cursor: number;
  #headSeen: number;
  /** TAIL to be: moved by {@link advance}, published by {@link release}. */
  #done: number;

  /** Starts reading at TAIL, or at `tail` where the caller knows better (a dead worker may not have published its last one). */
  constructor(arena: Arena, place: RingPlace, tail?: number) {
    checkPlace(place);
    this.#words = arena.words;
    this.#headWord = (place.controlOffset + control.head) >>> 2;
    this.#tailWord = (place.controlOffset + control.tail) >>> 2;
    this.#entriesOffset = place.entriesOffset;
    this.#mask = place.capacity - 1;
    this.#capacity = place.capacity;
    this.#done = tail ?? Atomics.load(this.#words, this.#tailWord);
    this.#cursor = this.#done;
    this.#headSeen = Atomics.load(this.#words, this.#headWord);
    assert(((this.#headSeen - this.#done) | 0) >= 0, 'tail is not ahead of head');
  }

  /** Offset in the arena of the next unread entry, which the cursor then leaves behind; 0 when there is none now. */
  next(): number {
    for (;;) {
      if (this.#cursor === this.#headSeen) {
        // Pairs with the producer's Atomics.store of HEAD: everything written before it is visible now.
        this.#headSeen = Atomics.load(this.#words, this.#headWord);
        if (this.#cursor === this.#headSeen) return 0;
      }
      const offset = this.#entriesOffset + (this.#cursor & this.#mask);
      const length = this.#words[(offset + entry.length) >>> 2] as number;
      if (this.#words[(offset + entry.state) >>> 2] !== EntryState.padding) {
        this.#cursor = (this.#cursor + entryBytes(length)) | 0;
        return offset;
      }
      this.#cursor = (this.#cursor + length) | 0;
    }
  }

  /** Visits the entries that were read and are not given back, oldest first, with their states. */
  forEachHeld(visit: (offset: number, state: number) => void): void {
    for (let position = this.#done; position !== this.#cursor; ) {
      const offset = this.#entriesOffset + (position & this.#mask);
      const length = this.#words[(offset + entry.length) >>> 2] as number;
      const state = (this.#words[(offset + entry.state) >>> 2] as number) & stateMask;
      position = (position + (state === EntryState.padding ? length : entryBytes(length))) | 0;
      if (state !== EntryState.padding) visit(offset, state);
    }
  }

  /** The offsets of entries that are held, in the order in which they entered the ring. */
  inOrder(groups: readonly Uint32Array[]): Uint32Array {
    const oldest = this.#done & this.#mask;
    const all = new Uint32Array(groups.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const group of groups) {
      for (const offset of group) all[at++] = (offset - this.#entriesOffset - oldest) & this.#mask;
    }
    all.sort();
    for (let i = 0; i < all.length; i++) {
      all[i] = this.#entriesOffset + (((all[i] as number) + oldest) & this.#mask);
    }
    return all;
  }

  /** Share of the ring that is published and not given back. */
  usedShare(): number {
    return ((Atomics.load(this.#words, this.#headWord) - this.#done) | 0) / this.#capacity;
  }

  /** Bytes published and not read yet. */
  unreadBytes(): number {
    return (Atomics.load(this.#words, this.#headWord) - this.#cursor) | 0;
  }

  /** HEAD as the last {@link next} saw it: what {@link RingWaiter} sleeps on. */
  headSeen(): number {
    return this.#headSeen;
  }

  /** HEAD as it is now: to sleep on where there are unread entries that nobody can take yet. */
  lookAtHead(): number {
    // Pairs with the producer's Atomics.store of HEAD.
    this.#headSeen = Atomics.load(this.#words, this.#headWord);
    return this.#headSeen;
  }

  /** Writes an entry's outcome into it. */
  mark(offset: number, state: number, reason: number): void {
    const index = (offset + entry.state) >>> 2;
    const attempts = (this.#words[index] as number) & (attemptsMax << attemptsShift);
    // Pairs with the producer side's Atomics.load of the state; an outcome is rare enough to be stored atomically.
    Atomics.store(this.#words, index, attempts | (reason << reasonShift) | state);
  }

  /** Marks an entry as delivered: a plain store, because only this thread and its successor act on it. */
  markDelivered(offset: number): void {
    this.#words[(offset + entry.state) >>> 2] = EntryState.delivered;
  }

  /** Counts one failed attempt of an entry and returns how many there were; saturates at `attemptsMax`. */
  countAttempt(offset: number): number {
    const index = (offset + entry.state) >>> 2;
    const word = this.#words[index] as number;
    const attempts = Math.min((word >>> attemptsShift) + 1, attemptsMax);
    this.#words[index] = (word & 0xffff) | (attempts << attemptsShift);
    return attempts;
  }

  /**
   * Steps over the next done entry at the old end: its offset, or 0 when the oldest entry is not done (or none is left).
   * The caller counts it; {@link release} then publishes how far this came.
   */
  advance(): number {
    for (;;) {
      if (this.#done === this.#cursor) return 0;
      const offset = this.#entriesOffset + (this.#done & this.#mask);
      const length = this.#words[(offset + entry.length) >>> 2] as number;
      // Pairs with the main thread's Atomics.store of `settled`, after which it no longer needs the entry.
      const state = Atomics.load(this.#words, (offset + entry.state) >>> 2) & stateMask;
      if (state === EntryState.padding) {
        this.#done = (this.#done + length) | 0;
        continue;
      }
      if (state !== EntryState.delivered && state !== EntryState.settled) return 0;
      this.#done = (this.#done + entryBytes(length)) | 0;
      return offset;
    }
  }

  /** Position behind the entry at `offset`, which is not given back. */
  positionBehind(offset: number): number {
    const ahead = (offset - this.#entriesOffset - this.#done) & this.#mask;
    return (this.#done + ahead + entryBytes(this.#words[(offset + entry.length) >>> 2] as number)) | 0;
  }

  /** Where TAIL will be after {@link release}. */
  donePosition(): number {
    return this.#done;
  }

  /** Gives back everything that {@link advance} stepped over. */
  release(): void {
    assert(((this.#cursor - this.#done) | 0) >= 0, 'nothing unread is released');
    assert(((this.#cursor - this.#done) | 0) <= this.#capacity, 'no more than a ring is held');
    // Pairs with the producer's Atomics.load of TAIL: this thread reads nothing before it any more.
    Atomics.store(this.#words, this.#tailWord, this.#done);
  }
}
