/**
 * What every listener hands its events to, and what it is told about each of them. Main thread.
 *
 * A listener lands bytes in the arena, finds the events in them, offers each to the intake, and commits once per read. The
 * intake (ingress/admission.ts) checks limits, asks the breakers, and puts the event into a lane's ring, into the DLQ, or
 * refuses it. Nothing here allocates per event: an event is five numbers, a verdict is one.
 */

import type { Sender } from './fair-shares.ts';

/** What became of an offered event. Values from {@link firstRefusal} on are refusals. */
export const Verdict = {
  /** In a lane's ring: accepted. */
  ring: 0,
  /** In the DLQ, to be replayed: accepted. */
  spilled: 1,
  /** Nothing was taken. Keep the bytes, stop reading, and offer the same event again after {@link Intake.whenRoom}. */
  blocked: 2,
  emptyKey: 16,
  keyTooLong: 17,
  eventTooLarge: 18,
  saturated: 19,
  streamUnavailable: 20,
  dlqFull: 21,
  draining: 22,
  unknownStream: 23,
  badJson: 24,
  missingKey: 25,
  badHashKey: 26,
  badFrame: 27,
  ackLevel: 28,
  keyNotUtf8: 29,
  /** Accepted, but in the DLQ: told only to senders that wait for the delivery. */
  onDisk: 30,
  /** Accepted, but refused by Kinesis for good: a dead letter. Told only to senders that wait for the delivery. */
  rejected: 31,
  journalFull: 32,
  /** Of level `disk`. Refused before anything was taken, or told of an event that was: then it may be delivered all the same. */
  diskStalled: 33,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

export const firstRefusal = 16;
/** More than the largest verdict. */
export const verdictsMax = 64;

/** How a refusal is told to senders: a stable code, whether sending the same event again later can help, and the cause. */
export interface Refusal {
  readonly code: string;
  readonly retryable: boolean;
  readonly message: string;
}

/** The texts of all refusals, by verdict. */
export const refusals: Readonly<Record<number, Refusal>> = {
  [Verdict.emptyKey]: {
    code: 'empty_key',
    retryable: false,
    message: 'the partition key is empty; Kinesis wants 1 to 256 characters',
  },
  [Verdict.keyTooLong]: {
    code: 'key_too_long',
    retryable: false,
    message: 'the partition key is longer than 256 characters',
  },
  [Verdict.eventTooLarge]: {
    code: 'event_too_large',
    retryable: false,
    message: "data and partition key together exceed the stream's record limit",
  },
  [Verdict.saturated]: {
    code: 'saturated',
    retryable: true,
    message: 'the buffers are full and the stream refuses overflow; send again later',
  },
  [Verdict.streamUnavailable]: {
    code: 'stream_unavailable',
    retryable: true,
    message: 'the stream cannot be reached and refuses overflow; send again later',
  },
  [Verdict.dlqFull]: {
    code: 'dlq_full',
    retryable: true,
    message: 'the dead-letter queue has reached dlq.max_bytes or cannot be written',
  },
  [Verdict.draining]: {
    code: 'draining',
    retryable: true,
    message: 'the daemon is shutting down; send to its successor',
  },
  [Verdict.unknownStream]: {
    code: 'unknown_stream',
    retryable: false,
    message: 'no [[stream]] of this name is configured',
  },
  [Verdict.badJson]: {
    code: 'bad_json',
    retryable: false,
    message: 'not valid JSON up to where the partition key should be found',
  },
  [Verdict.missingKey]: {
    code: 'missing_key',
    retryable: false,
    message: 'the key field is absent or not a string or number, and missing_key = "refuse"',
  },
  [Verdict.badHashKey]: {
    code: 'bad_hash_key',
    retryable: false,
    message: 'the explicit hash key is not within 0 .. 2^128 - 1',
  },
  [Verdict.keyNotUtf8]: {
    code: 'key_not_utf8',
    retryable: false,
    message: 'the partition key is not valid UTF-8; Kinesis takes Unicode text only',
  },
  [Verdict.onDisk]: {
    code: 'on_disk',
    retryable: false,
    message: 'accepted, and kept in the dead-letter queue until Kinesis takes it; do not send it again',
  },
  [Verdict.rejected]: {
    code: 'rejected',
    retryable: false,
    message: 'accepted, but refused by Kinesis for good; it is kept as a dead letter',
  },
  [Verdict.journalFull]: {
    code: 'journal_full',
    retryable: true,
    message:
      'the journal has reached journal.max_bytes or cannot be written; send again later, or at another ack level',
  },
  [Verdict.diskStalled]: {
    code: 'disk_stalled',
    retryable: true,
    message:
      'it is not on disk within journal.ack_timeout; it may be delivered nevertheless, and twice if it is sent again',
  },
  [Verdict.badFrame]: { code: 'bad_frame', retryable: false, message: 'the bytes are not a frame of this protocol' },
  [Verdict.ackLevel]: {
    code: 'ack_level',
    retryable: false,
    message: 'this ack level is not offered; use memory, disk or stream',
  },
};

/** A refusal's message, with the limit where the event exceeded one. */
export function refusalMessage(verdict: number, eventBytesMax: number): string {
  const message = refusals[verdict]?.message ?? `verdict ${verdict}`;
  return verdict === Verdict.eventTooLarge ? `${message} (${eventBytesMax} bytes)` : message;
}

/** `ehkOffset` of an event that has no explicit hash key. */
export const noHashKey = 0;

/** The main thread's way in. All offsets are bytes from the arena's start; the bytes are copied before `offer` returns. */
export interface Intake {
  /** Index of a configured stream, or undefined. */
  streamIndex(name: string): number | undefined;
  /** Most bytes that data and partition key of one event may have together, for this stream. */
  eventBytesMax(stream: number): number;
  /**
   * Takes, spills, refuses or blocks one event; counts it as received unless blocked.
   * `keyLength` counts UTF-8 bytes; 0 is refused as `emptyKey` ({@link randomKey} gives keys to events without one).
   * `ehkOffset`: 16 bytes, big-endian, or {@link noHashKey}. `timeUs`: when the event was read, `Clock.nowUs`.
   */
  offer(
    stream: number,
    keyOffset: number,
    keyLength: number,
    dataOffset: number,
    dataLength: number,
    ehkOffset: number,
    timeUs: number,
  ): Verdict;
  /** Counts one received event that the listener itself refused (bad JSON, missing key, bad frame). `stream` may be -1: unknown. */
  refuse(stream: number, verdict: Verdict): void;
  /** Offset of a key for an event that came without one; its length is {@link randomKeyLength}. Valid until the next call. */
  randomKey(): number;
  /** Publishes what was offered since the last commit and wakes the lanes that sleep. Once per read, never per event. */
  commit(): void;
  /** Milliseconds that a refused sender should wait before it tries again. */
  retryAfterMs(stream: number): number;
  /** What is offered from now on comes from `sender`. Before each parse. */
  feeds(sender: Sender): void;
  /** Runs `resume` once when there may be room again after a `blocked` verdict for `stream`. */
  whenRoom(stream: number, resume: () => void): void;
}

/** Bytes of every key that {@link Intake.randomKey} gives. */
export const randomKeyLength = 16;

/**
 * Where listeners put bytes before they are parsed: one read area for the whole process (reads happen one at a time on the
 * main thread), with room before it for the unfinished event of the previous read.
 *
 * ```
 *   carryStart                     readStart                      readEnd
 *      | <- carried bytes end here -> | <- read(2) lands here ->     |
 * ```
 */
export interface Landing {
  readonly carryStart: number;
  readonly readStart: number;
  readonly readEnd: number;
}
