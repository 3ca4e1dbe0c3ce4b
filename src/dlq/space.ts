/**
 * How many bytes the DLQ has on disk or is about to write, against `dlq.max_bytes`. Main thread; all series share it.
 *
 * ```
 *   0 ───────────────────────────── spills ─┬─ dead letters only ─┬─ reserve ─┐ max_bytes
 *                                           └ a sixteenth, at most 64 MiB     └ reserve.ts
 * ```
 * Spills stop a little earlier than dead letters: an event that cannot be delivered must still find room when a long outage
 * has filled the queue. While the reserve is in use because the disk itself is full, they stop altogether: what it has left is
 * for what was accepted before, for dead letters and for checkpoints. Nothing here touches the disk.
 */

import { Kind, segmentHeaderBytes } from './layout.ts';
import { deadReserveBytesMax, deadReserveShare, reserveShareMax } from './options.ts';

export class Space {
  #maxBytes = 0;
  /** What the reserve takes of {@link maxBytes}, held or not. */
  readonly reserveBytes: number;
  #deadMaxBytes = 0;
  #spillMaxBytes = 0;
  /** Of all files but the reserve. */
  usedBytes = 0;
  readonly #disk: { isFull: boolean };
  #isLifted = false;

  /** `reserveBytes`: as asked for; a small queue has a smaller one. `beside`: has other files on the same disk. */
  constructor(maxBytes: number, reserveBytes = 0, beside?: Space) {
    this.#disk = beside === undefined ? { isFull: false } : beside.#disk;
    this.reserveBytes = Math.min(reserveBytes, Math.floor(maxBytes * reserveShareMax));
    this.resize(maxBytes);
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** The reserve stays as it is. What is there already may be more than fits: then nothing comes until it is less. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#deadMaxBytes = maxBytes - this.reserveBytes;
    this.#spillMaxBytes = this.#deadMaxBytes - Math.min(maxBytes * deadReserveShare, deadReserveBytesMax);
  }

  /** The disk has no room for more, whatever `max_bytes` says. */
  get isDiskFull(): boolean {
    return this.#disk.isFull;
  }

  /** Of all that share the disk. */
  set isDiskFull(isFull: boolean) {
    this.#disk.isFull = isFull;
  }

  /** True when an entry of `bytes` and the header of a new segment would still fit. */
  hasRoom(kind: Kind, bytes: number): boolean {
    if (this.#isLifted) return true;
    if (kind === Kind.dead) return this.usedBytes + bytes + segmentHeaderBytes <= this.#deadMaxBytes;
    return !this.isDiskFull && this.usedBytes + bytes + segmentHeaderBytes <= this.#spillMaxBytes;
  }

  /** Less than `bytes` are left for spills. */
  isTight(bytes: number): boolean {
    return !this.#isLifted && this.usedBytes + bytes > this.#spillMaxBytes;
  }

  /** What spills may still take; 0 also while the disk is full. */
  get spillRoomBytes(): number {
    return this.isDiskFull ? 0 : Math.max(0, this.#spillMaxBytes - this.usedBytes);
  }

  /** Most that spills may fill. */
  get spillMaxBytes(): number {
    return this.#spillMaxBytes;
  }

  /** From now on there is room for everything. */
  lift(): void {
    this.#isLifted = true;
  }
}
