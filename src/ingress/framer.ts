/**
 * What a listener and a framer are to each other: the listener brings bytes into the arena, the framer finds events in them and
 * says what the sender must be told. Main thread; types only; framers are frames.ts, lines.ts and json-array.ts.
 */
import type { Refusal } from './intake.ts';

/** A parser of one connection's bytes. */
export interface Framer {
  /**
   * Takes whole events from the arena's bytes [start, end). Returns the offset behind the last byte it took: the listener carries
   * the rest (an unfinished event) over to the next read. When `blocked` is set the rest begins with an event that the intake blocked.
   */
  consume(start: number, end: number, timeUs: number): number;
  /** The sender has closed its side: takes a last event that lacks its terminator, [start, end) as above. */
  finish(start: number, end: number, timeUs: number): number;
  /** True when the last consume stopped because the intake answered `blocked`; the listener stops reading and calls consume again after whenRoom. */
  readonly blocked: boolean;
  /** Stream whose room a blocked framer waits for. */
  readonly stream: number;
  /** Set when the bytes cannot be understood any further: the listener writes the pending answers and closes. */
  readonly failed: boolean;
  /** Why it failed; undefined while it has not, or when the sender has said goodbye. */
  readonly failure?: Refusal | undefined;
  /** Answers that are due to the sender since the last call, or undefined. At most one small buffer per read, never per event. */
  takeAnswer(): Buffer | undefined;

  /** True when the last consume stopped because answers pile up: the listener writes them, then calls consume again with the rest. */
  readonly congested?: boolean;
  /** Bytes that the unfinished event has in all, where known: the listener gathers that many before it calls consume again. */
  readonly wantedBytes?: number;
  /** Events were taken whose fate the sender is still to be told: it is silent because it waits. */
  readonly awaiting?: boolean;
  /** The last answer did not hold all that is due. */
  readonly answersLeft?: boolean;
  /** Set by the listener: called when answers have become due between two reads. */
  onDue?: () => void;
  /** As the intake's: for a framer that may be blocked for reasons of its own. */
  whenRoom?(resume: () => void): void;
  /** The connection is gone. */
  close?(): void;
  /** Events judged so far: while it stays the same, so does the event that is not whole. */
  readonly judged?: number;
  /** An event is being dropped as it comes, and more of it is to come. */
  readonly skipping?: boolean;
  /** Events offered to the intake so far, blocked ones not counted. */
  readonly offered?: number;
  /** The listener closes this connection for a reason of its own: the next answer ends with it, in this protocol's words. */
  leave?(code: string, message: string, retryable: boolean): void;
  /** The stream's breaker changed; the next answer says so, where the protocol has words for it. */
  tellBreaker?(state: number, retryAfterMs: number): void;
}
