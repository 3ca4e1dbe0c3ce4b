/** A parser of one connection's bytes. It finds events in the arena and offers them to the intake. Main thread. */
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
  /** Answers that are due to the sender since the last call, or undefined. At most one small buffer per read, never per event. */
  takeAnswer(): Buffer | undefined;
}
