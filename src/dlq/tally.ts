/**
 * Events and bytes by stream: what a segment, a write and the whole queue hold. Main thread; nothing is allocated per event.
 *
 * The last slot is for streams that are not configured. Bytes are those of data and partition key. Of spills only the totals are
 * kept, since a series of them has one stream: there may be tens of thousands of segments, and hundreds of streams.
 */
import { Kind } from './layout.ts';

const none = new Float64Array(0);

/** What a segment, a write or a series of this kind counts with. */
export function tallyOf(kind: Kind, streams: number): Tally {
  return new Tally(kind === Kind.spill ? undefined : streams);
}

export class Tally {
  readonly events: Float64Array;
  readonly bytes: Float64Array;
  totalEvents = 0;
  totalBytes = 0;

  /** `streams` undefined: totals only. */
  constructor(streams: number | undefined) {
    this.events = streams === undefined ? none : new Float64Array(streams + 1);
    this.bytes = streams === undefined ? none : new Float64Array(streams + 1);
  }

  /** Adds one event (`sign` 1) or takes it away (-1); `stream` -1 is one that is not configured. */
  count(stream: number, bytes: number, sign: 1 | -1): void {
    if (this.events.length > 0) {
      const slot = stream < 0 ? this.events.length - 1 : stream;
      this.events[slot]! += sign;
      this.bytes[slot]! += sign * bytes;
    }
    this.totalEvents += sign;
    this.totalBytes += sign * bytes;
  }

  add(other: Tally, sign: 1 | -1): void {
    for (let slot = 0; slot < this.events.length; slot++) {
      this.events[slot]! += sign * other.events[slot]!;
      this.bytes[slot]! += sign * other.bytes[slot]!;
    }
    this.totalEvents += sign * other.totalEvents;
    this.totalBytes += sign * other.totalBytes;
  }

  clear(): void {
    this.events.fill(0);
    this.bytes.fill(0);
    this.totalEvents = 0;
    this.totalBytes = 0;
  }
}
