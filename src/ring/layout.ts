/**
 * Every place in a ring's shared memory: control words, entry header, states. Both threads; imports base alone.
 *
 * A ring is a byte ring in the arena. The main thread (producer) writes entries and publishes them by moving HEAD; one lane
 * worker (consumer) reads them, marks each with its outcome, and gives memory back by moving TAIL over entries that are done.
 *
 * ```
 *  control (512 bytes)                                         entries (capacity bytes, a power of two)
 *  +0    HEAD      position behind the last published byte      ┌──────────┬───────────┬─────┬───────────┬─────────┐
 *  +128  TAIL      position of the oldest byte still needed     │ done     │ in flight │ ... │ unread    │ free    │
 *  +256  SLEEPING  0 awake, 1 asleep, waiting on HEAD           └──────────┴───────────┴─────┴───────────┴─────────┘
 *  +384  (free)                                                            ↑TAIL             ↑cursor     ↑HEAD
 *                                                                           (the cursor is private to the consumer)
 * ```
 *
 * Positions count bytes since the start, modulo 2^32, and are compared by their wrapped difference; the index of a position
 * is its remainder by the capacity. Entries are aligned to 8 bytes and never wrap: what does not fit before the end of the
 * ring is preceded by a padding entry.
 *
 * ```
 *  entry   +0  i32  state (bits 0..7), reason (8..15), attempts (16..31)
 *          +4  u32  payload length in bytes: explicit hash key + partition key + data
 *          +8  u32  partition key length (bits 0..15), stream index (16..27), flags (28..31)
 *          +12 u32  when it entered the ring: milliseconds since the daemon's start, wrapped
 *          +16 f64  when it was first read from its sender: microseconds since the epoch
 *          +24      explicit hash key (16 bytes, when flagged), partition key, data; then zero to seven bytes of alignment
 * ```
 */
import { assert } from '../base/assert.ts';

/** Offsets of the control words from the start of a ring's control block, in bytes. Each has a cache-line pair to itself. */
export const control = {
  /** Written by the producer. */
  head: 0,
  /** Written by the consumer. */
  tail: 128,
  /** Set by the consumer before it waits, cleared by whichever side ends the wait. */
  sleeping: 256,
} as const;

export const controlBytes = 512;

/** Offsets within an entry, in bytes. */
export const entry = { state: 0, length: 4, key: 8, enteredMs: 12, firstSeenUs: 16, payload: 24 } as const;

export const entryHeaderBytes = 24;
export const entryAlignment = 8;

/** What became of an entry. The producer writes `pending` and `settled`, the consumer the others. */
export const EntryState = {
  /** Published, not done. */
  pending: 0,
  /** Kinesis has it. */
  delivered: 1,
  /** Not deliverable from here: the main thread must move it to the DLQ. The word's reason says why. */
  setAside: 2,
  /** The DLQ has it. */
  settled: 3,
  /** No event: fills the end of the ring. */
  padding: 4,
} as const;

/** Reasons of `setAside`. Only `rejected` is for good; the others are brought back from the DLQ. */
export const SetAside = {
  /** Past its stream's deadline. */
  expired: 0,
  /** Kinesis refuses it. */
  rejected: 1,
  /** Its shard takes no more at present, and others need its room. */
  hotShard: 2,
  /** The stream keeps the order of keys, and all of it must leave the ring. */
  parked: 3,
} as const;
export type SetAside = (typeof SetAside)[keyof typeof SetAside];

/** Flags of an entry, as they stand in the key word. */
export const flagHashKey = 1 << 28;
export const flagReplayed = 1 << 29;
/** Its sender asked in which shard, and under which sequence number, Kinesis has it. */
export const flagReceipt = 1 << 30;

export const streamShift = 16;
export const streamMask = 0xfff;
export const streamsMax = streamMask + 1;

export const stateMask = 0xff;
export const reasonShift = 8;
export const attemptsShift = 16;
export const attemptsMax = 0x7fff;

/** Least and most bytes of a ring; powers of two. The most keeps wrapped position differences unambiguous. */
export const capacityMin = 256;
export const capacityMax = 2 ** 30;

/** Where one ring lies in the arena. Goes to the worker as plain data. */
export interface RingPlace {
  readonly controlOffset: number;
  /**
   * Control block whose SLEEPING and HEAD the consumer sleeps on: another ring's where one thread reads several rings.
   * Absent: its own.
   */
  readonly bellOffset?: number;
  readonly entriesOffset: number;
  readonly capacity: number;
}

/** Bytes that an entry with this payload takes in the ring. */
export function entryBytes(payloadLength: number): number {
  return (entryHeaderBytes + payloadLength + entryAlignment - 1) & -entryAlignment;
}

/** Most payload bytes of one entry: two of them, with padding, always fit. */
export function payloadBytesMax(capacity: number): number {
  return capacity / 2 - entryHeaderBytes - entryAlignment;
}

/** Fails when a ring's place breaks the layout's relations. */
export function checkPlace(place: RingPlace): void {
  assert(place.capacity >= capacityMin && place.capacity <= capacityMax, 'ring capacity is within its limits');
  assert((place.capacity & (place.capacity - 1)) === 0, 'ring capacity is a power of two');
  assert(place.controlOffset % 128 === 0 && place.entriesOffset % 128 === 0, 'ring memory is aligned to 128 bytes');
}

assert(
  entry.payload === entryHeaderBytes && entryHeaderBytes % entryAlignment === 0,
  'payload follows the header, aligned',
);
assert(entry.firstSeenUs % 8 === 0, 'the time stamp is aligned for a 64-bit access');
assert(control.sleeping + 128 <= controlBytes, 'control words fit their block');
