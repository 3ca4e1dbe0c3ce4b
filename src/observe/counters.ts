/**
 * Counters in shared memory. Each word has one writer: the main thread's block, and one block per lane. Any thread reads.
 *
 * A lane's block is written twice, in turns, and switched over by one atomic store, together with the position up to which the
 * ring is given back: a worker that dies at any instruction leaves either the old or the new block, and its successor goes on
 * from there. So no event is counted twice or forgotten because a worker died.
 *
 * ```
 *   lane block   +0    i32  how often it was switched over; its lowest bit tells which copy is valid
 *                +128  copy 0: i32 tail position of each stream's ring, pad, then f64 counters: streams x laneCounters
 *                +...  copy 1: the same
 * ```
 */
import type { Arena } from '../ring/arena.ts';

/** Per stream, written by the main thread. Events unless the name says otherwise. */
export const MainCounter = {
  received: 0,
  refused: 1,
  /** Entered into a ring by a sender. */
  ringed: 2,
  /** Accepted by setting them aside on disk at once. */
  spilled: 3,
  /** Entered into a ring from the DLQ. */
  replayed: 4,
  /** Moved from a ring to the DLQ, to be replayed. */
  returned: 5,
  /** Moved from a ring to the DLQ for good. */
  dead: 6,
  /** Found in the DLQ at start: what an earlier run had accepted. */
  recovered: 7,
  dropped: 8,
  ringedBytes: 9,
} as const;
export const mainCounters = 10;

/** Per stream and lane, written by the lane's worker. */
export const LaneCounter = {
  /** Delivered and given back to the ring. */
  delivered: 0,
  /** Delivered, but not given back yet because an older event is not done. */
  ahead: 1,
  deliveredBytes: 2,
  requests: 3,
  requestsFailed: 4,
  records: 5,
  recordsFailed: 6,
  recordsAggregated: 7,
  bodyBytes: 8,
  /** Sent again after they had failed as a whole. */
  requestsAgain: 9,
  /** Requests without records, by which an open breaker finds out whether Kinesis is back. */
  probes: 10,
  /** Of the failed ones: Kinesis said that they are too many, or too large. */
  requestsThrottled: 11,
  /** Of the failed ones: their shard had no room for them. */
  recordsThrottled: 12,
} as const;
export const laneCounters = 13;

const header = 128;

export function mainBlockBytes(streams: number): number {
  return align(streams * mainCounters * 8);
}

export function laneBlockBytes(streams: number): number {
  return header + 2 * laneCopyBytes(streams);
}

function laneCopyBytes(streams: number): number {
  return align(copyHeaderBytes(streams) + streams * laneCounters * 8);
}

function copyHeaderBytes(streams: number): number {
  return (4 * streams + 7) & -8;
}

function align(bytes: number): number {
  return (bytes + 127) & -128;
}

/** The main thread's counters. Written and read there only. */
export class MainCounters {
  readonly #floats: Float64Array;
  readonly #base: number;

  constructor(arena: Arena, offset: number) {
    this.#floats = arena.floats;
    this.#base = offset >>> 3;
  }

  add(stream: number, counter: number, by: number): void {
    const index = this.#base + stream * mainCounters + counter;
    this.#floats[index] = (this.#floats[index] as number) + by;
  }

  get(stream: number, counter: number): number {
    return this.#floats[this.#base + stream * mainCounters + counter] as number;
  }
}

/** The writing side of a lane's block. Lane worker only. Changes are private until {@link commit}. */
export class LaneCounters {
  readonly values: Float64Array;
  /** By stream: tail position of its ring at the next {@link commit}. At first that of the last one: where a successor begins. */
  readonly tails: Int32Array;
  readonly #arena: Arena;
  readonly #offset: number;
  readonly #copyBytes: number;
  #switches: number;

  constructor(arena: Arena, offset: number, streams: number) {
    this.#arena = arena;
    this.#offset = offset;
    this.#copyBytes = laneCopyBytes(streams);
    this.#switches = Atomics.load(arena.words, offset >>> 2);
    const copy = this.#copyOffset(this.#switches);
    this.tails = arena.words.slice(copy >>> 2, (copy >>> 2) + streams);
    const start = (copy + copyHeaderBytes(streams)) >>> 3;
    this.values = arena.floats.slice(start, start + streams * laneCounters);
  }

  add(stream: number, counter: number, by: number): void {
    const index = stream * laneCounters + counter;
    this.values[index] = (this.values[index] as number) + by;
  }

  get(stream: number, counter: number): number {
    return this.values[stream * laneCounters + counter] as number;
  }

  /** Makes all changes and the new tail positions visible in one step. */
  commit(): void {
    const next = (this.#switches + 1) | 0;
    const start = this.#copyOffset(next);
    this.#arena.words.set(this.tails, start >>> 2);
    this.#arena.floats.set(this.values, (start + copyHeaderBytes(this.tails.length)) >>> 3);
    // Pairs with the reader's Atomics.load; the copy written above rides on it.
    Atomics.store(this.#arena.words, this.#offset >>> 2, next);
    this.#switches = next;
  }

  #copyOffset(switches: number): number {
    return this.#offset + header + (switches & 1) * this.#copyBytes;
  }
}

/** Reads a lane's committed counters into `into` (streams x laneCounters). Any thread; a consistent copy. */
export function readLaneCounters(arena: Arena, offset: number, streams: number, into: Float64Array): void {
  for (;;) {
    const switches = Atomics.load(arena.words, offset >>> 2);
    const start = (offset + header + (switches & 1) * laneCopyBytes(streams) + copyHeaderBytes(streams)) >>> 3;
    for (let i = 0; i < into.length; i++) into[i] = arena.floats[start + i] as number;
    // The worker writes the other copy first: while it has not switched, nobody has touched this one.
    if (Atomics.load(arena.words, offset >>> 2) === switches) return;
  }
}
