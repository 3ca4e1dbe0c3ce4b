/**
 * Why an event is in the DLQ. The codes stand on disk: never renumber, never reuse; new ones go at the end. Any thread.
 *
 * Below {@link firstDeadReason} an entry is a spill, which goes back by itself; from there on a dead letter, which stays
 * until an operator acts. Imports nothing.
 */
export const Reason = {
  /** The lane's ring was full. */
  saturated: 1,
  /** The stream's breaker was open. */
  streamOpen: 2,
  /** Its lane had spilled before it, and the stream keeps the order of keys. */
  ordered: 3,
  /** Its deadline passed before Kinesis took it. */
  expired: 4,
  /** It was still in memory when the daemon stopped. */
  shutdown: 5,
  /** It was in memory when the daemon was killed, and in the journal. */
  journalled: 6,
  /** A dead letter that an operator sends again. */
  operator: 7,
  /** Kinesis refuses it for good. */
  rejected: 64,
  /** Larger than the stream's record limit. */
  tooLarge: 65,
  /** Read back for replay, but its stream is no longer configured. */
  unknownStreamOnReplay: 66,
  /** Set aside again and again; an operator should look at it. */
  attemptsExhausted: 67,
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];

export const firstDeadReason = 64;

const names: ReadonlyMap<number, string> = new Map([
  [Reason.saturated, 'saturated'],
  [Reason.streamOpen, 'stream_open'],
  [Reason.ordered, 'ordered'],
  [Reason.expired, 'expired'],
  [Reason.shutdown, 'shutdown'],
  [Reason.journalled, 'journalled'],
  [Reason.operator, 'operator'],
  [Reason.rejected, 'rejected'],
  [Reason.tooLarge, 'too_large'],
  [Reason.unknownStreamOnReplay, 'unknown_stream_on_replay'],
  [Reason.attemptsExhausted, 'attempts_exhausted'],
]);

/** The stable name of a code, for logs and tools; a code of a later version reads `reason_N`. */
export function reasonName(code: number): string {
  return names.get(code) ?? `reason_${code}`;
}

/** All names, in the order of their codes. */
export const reasonNames: readonly string[] = [...names.values()];

/** The code of a name that {@link reasonName} gives; undefined: there is none. */
export function reasonCode(name: string): number | undefined {
  for (const [code, known] of names) if (known === name) return code;
  const [, digits] = /^reason_(\d{1,3})$/.exec(name) ?? [];
  return digits !== undefined && Number(digits) < 256 ? Number(digits) : undefined;
}
