/**
 * How many bytes the DLQ has on disk or is about to write, against `dlq.max_bytes`. Main thread; both series share it.
 *
 * Spills stop a little earlier than dead letters: an event that cannot be delivered must still find room when a long outage
 * has filled the queue. Nothing here touches the disk.
 */

import { Kind, segmentHeaderBytes } from './layout.ts';
import { deadReserveBytesMax, deadReserveShare } from './options.ts';

export class Space {
  readonly maxBytes: number;
  readonly #spillMaxBytes: number;
  usedBytes = 0;
  #isLifted = false;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
    this.#spillMaxBytes = maxBytes - Math.min(maxBytes * deadReserveShare, deadReserveBytesMax);
  }

  /** True when an entry of `bytes` and the header of a new segment would still fit. */
  hasRoom(kind: Kind, bytes: number): boolean {
    if (this.#isLifted) return true;
    const limit = kind === Kind.spill ? this.#spillMaxBytes : this.maxBytes;
    return this.usedBytes + bytes + segmentHeaderBytes <= limit;
  }

  /** From now on there is room for everything. */
  lift(): void {
    this.#isLifted = true;
  }
}
