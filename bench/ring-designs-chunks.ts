/**
 * A self-contained prototype of the design that spillway did not take (bench/ring-designs says why), both ends: socket chunks
 * stay where the socket put them, and only descriptors go through a ring.
 *
 * ```
 *  slab    ┌ chunk 0 ────────┐┌ chunk 1 ────────┐ ...        each read lands in a free chunk; frames are parsed in place
 *  ring    │offset│length│offset│length│ ...                 8 bytes per event, head published once per chunk
 *  done    per consumer and chunk: how many of its events it has finished; written by that consumer alone
 * ```
 *
 * A chunk is free when the consumers' counts for it add up to what the producer handed out of it: one event that lingers keeps
 * all of its chunk. Frames that straddle two reads, which a real one would have to copy, do not occur here.
 */
import type { Arena } from '../src/ring/arena.ts';

/** Where the parts of the prototype lie in the arena, in bytes from its start. Goes to the worker as plain data. */
export interface ChunkPlace {
  readonly headOffset: number;
  readonly tailOffset: number;
  readonly doneOffset: number;
  readonly ringOffset: number;
  /** Descriptors that the ring holds; a power of two. */
  readonly slots: number;
  readonly slabOffset: number;
  readonly chunkBytes: number;
  readonly chunks: number;
}

export class ChunkProducer {
  readonly headWord: number;
  readonly tailWord: number;
  readonly #words: Int32Array;
  readonly #place: ChunkPlace;
  #claimed = 0;
  #tailSeen = 0;

  constructor(arena: Arena, place: ChunkPlace) {
    this.#words = arena.words;
    this.#place = place;
    this.headWord = place.headOffset >>> 2;
    this.tailWord = place.tailOffset >>> 2;
  }

  /** Puts a descriptor into the ring; false when it is full. */
  put(offset: number, length: number): boolean {
    if (((this.#claimed - this.#tailSeen) | 0) === this.#place.slots) {
      this.#tailSeen = Atomics.load(this.#words, this.tailWord);
      if (((this.#claimed - this.#tailSeen) | 0) === this.#place.slots) return false;
    }
    const slot = (this.#place.ringOffset >>> 2) + 2 * (this.#claimed & (this.#place.slots - 1));
    this.#words[slot] = offset;
    this.#words[slot + 1] = length;
    this.#claimed = (this.#claimed + 1) | 0;
    return true;
  }

  publish(): void {
    Atomics.store(this.#words, this.headWord, this.#claimed);
  }

  /** How many events of a chunk this ring's consumer has finished since the start. */
  doneOf(chunk: number): number {
    return Atomics.load(this.#words, (this.#place.doneOffset >>> 2) + chunk);
  }
}

export class ChunkConsumer {
  readonly headWord: number;
  readonly #words: Int32Array;
  readonly #place: ChunkPlace;
  readonly #done: Int32Array;
  #cursor = 0;
  #headSeen = 0;
  #length = 0;

  constructor(arena: Arena, place: ChunkPlace) {
    this.#words = arena.words;
    this.#place = place;
    this.#done = new Int32Array(place.chunks);
    this.headWord = place.headOffset >>> 2;
  }

  /** Offset of the next event's frame, 0 when there is none now; {@link frameLength} is its length. */
  next(): number {
    if (this.#cursor === this.#headSeen) {
      this.#headSeen = Atomics.load(this.#words, this.headWord);
      if (this.#cursor === this.#headSeen) return 0;
    }
    const slot = (this.#place.ringOffset >>> 2) + 2 * (this.#cursor & (this.#place.slots - 1));
    this.#length = this.#words[slot + 1]!;
    this.#cursor = (this.#cursor + 1) | 0;
    return this.#words[slot]!;
  }

  frameLength(): number {
    return this.#length;
  }

  headSeen(): number {
    return this.#headSeen;
  }

  /** Counts an event as finished; {@link release} publishes the counts. */
  finish(offset: number): void {
    const chunk = Math.floor((offset - this.#place.slabOffset) / this.#place.chunkBytes);
    this.#done[chunk]! += 1;
  }

  release(): void {
    const first = this.#place.doneOffset >>> 2;
    for (let chunk = 0; chunk < this.#done.length; chunk++) {
      const done = this.#done[chunk]!;
      if (this.#words[first + chunk] !== done) Atomics.store(this.#words, first + chunk, done);
    }
    Atomics.store(this.#words, this.#place.tailOffset >>> 2, this.#cursor);
  }
}
