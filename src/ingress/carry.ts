/**
 * What a connection keeps between two reads: the bytes of an event that has not come whole yet, or those behind a blocked one.
 * Main thread; one per connection, all bounded together by one pool. Allocates nothing until a read leaves something.
 */
import { assert } from '../base/assert.ts';
import type { Arena } from '../ring/arena.ts';
import type { Landing } from './intake.ts';

/** Smallest buffer: most reads leave less than one event of a few hundred bytes. */
const carryBytesMin = 4_096;
/** A buffer larger than this is given back as soon as it is empty. */
const carryBytesKept = 65_536;

/** The bound over all connections of a listener. */
export class CarryPool {
  readonly bytesMax: number;
  #usedBytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Bytes of all carry buffers, used or not. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Whether `bytes` more fit; if so they are taken. */
  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.bytesMax) return false;
    this.#usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
    assert(this.#usedBytes >= 0, 'no more carry bytes are given back than were taken');
  }
}

export class CarryBuffer {
  readonly #arena: Arena;
  readonly #landing: Landing;
  readonly #pool: CarryPool;
  #bytes: Buffer | undefined;
  #length = 0;

  constructor(arena: Arena, landing: Landing, pool: CarryPool) {
    this.#arena = arena;
    this.#landing = landing;
    this.#pool = pool;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /**
   * Keeps the arena's bytes [start, end) in place of what waited; `wantedBytes` is how many the event will have, where known.
   * False when the pool has no room for them.
   */
  keep(start: number, end: number, wantedBytes: number): boolean {
    this.#length = 0;
    if (start === end) {
      if (this.#bytes !== undefined && this.#bytes.length > carryBytesKept) this.release();
      return true;
    }
    const room = this.#landing.readEnd - this.#landing.carryStart;
    if (!this.#grow(Math.max(end - start, Math.min(wantedBytes, room)))) return false;
    return this.append(start, end);
  }

  /** Keeps [start, end) behind what waits. False when the pool has no room. */
  append(start: number, end: number): boolean {
    const length = this.#length + end - start;
    if (!this.#grow(length) || this.#bytes === undefined) return false;
    this.#bytes.set(this.#arena.bytes.subarray(start, end), this.#length);
    this.#length = length;
    return true;
  }

  /** Copies what waits to where it ends at `offset` of the arena, and returns where it begins. It waits no more. */
  restoreBefore(offset: number): number {
    const start = offset - this.#length;
    assert(start >= this.#landing.carryStart, 'an unfinished event fits in front of a read');
    if (this.#bytes !== undefined && this.#length > 0) {
      this.#arena.bytes.set(this.#bytes.subarray(0, this.#length), start);
      this.#length = 0;
    }
    return start;
  }

  /** The same when no read lies in the landing zone: what waits behind a blocked event may be longer than the room before a read. */
  restoreAnywhere(): { readonly offset: number; readonly length: number } {
    const length = this.#length;
    const { carryStart } = this.#landing;
    assert(carryStart + length <= this.#landing.readEnd, 'what waits came from the landing zone');
    return { offset: this.restoreBefore(carryStart + length), length };
  }

  /** Gives the buffer back. */
  release(): void {
    if (this.#bytes !== undefined) this.#pool.give(this.#bytes.length);
    this.#bytes = undefined;
    this.#length = 0;
  }

  #grow(bytes: number): boolean {
    const held = this.#bytes?.length ?? 0;
    if (bytes <= held) return true;
    const wanted = Math.max(carryBytesMin, bytes);
    if (!this.#pool.take(wanted - held)) return false;
    const grown = Buffer.allocUnsafeSlow(wanted);
    if (this.#bytes !== undefined) grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    return true;
  }
}
