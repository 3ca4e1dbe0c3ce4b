/**
 * Where admission puts events that find no ring: the spills of their stream. Main thread; once per event in an overflow, so it allocates
 * nothing; it decides nothing about an event.
 */
import type { Dlq } from '../dlq/dlq.ts';
import { Kind } from '../dlq/layout.ts';
import { Reason } from '../dlq/reasons.ts';
import { Appended } from '../dlq/series.ts';
import type { Overflow } from '../ingress/admission.ts';

const overflowReasons = {
  saturated: Reason.saturated,
  stream_open: Reason.streamOpen,
  ordered: Reason.ordered,
} as const;

/** `dlq` is asked with each event; `roomCame` is told when an event that found the DLQ busy may find room. */
export function overflowInto(dlq: () => Dlq, roomCame: () => void): Overflow {
  let writable = true;
  const resume = (): void => {
    writable = true;
    roomCame();
  };
  return {
    spill: (stream, cause, firstSeenUs, keyOffset, keyLength, ehkOffset, dataOffset, dataLength) => {
      const appended = dlq().append(
        Kind.spill, stream, overflowReasons[cause], 0, firstSeenUs, keyOffset, keyLength, ehkOffset, dataOffset, dataLength,
      ); // biome-ignore format: one line of arguments
      if (appended === Appended.ok) return 'ok';
      if (appended === Appended.full) return 'full';
      if (writable) {
        writable = false;
        dlq().whenWritable(resume);
      }
      return 'busy';
    },
    get writable() {
      return writable;
    },
  };
}
