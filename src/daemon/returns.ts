/**
 * Moves what the lanes set aside from the rings to the DLQ. Main thread; told of ring entries by the lanes' messages.
 *
 * An entry waits in its ring, marked `setAside`, until the DLQ has taken it; then it is marked `settled`, and its lane gives
 * it back. So nothing is in two places, nothing is nowhere, and what waits is bounded by the rings themselves.
 */
import { Kind } from '../dlq/layout.ts';
import { Reason } from '../dlq/reasons.ts';
import { Appended } from '../dlq/series.ts';
import { MainCounter, type MainCounters } from '../observe/counters.ts';
import type { Arena } from '../ring/arena.ts';
import {
  attemptsShift,
  EntryState,
  entry,
  flagHashKey,
  reasonShift,
  stateMask,
  streamMask,
  streamShift,
} from '../ring/layout.ts';

/** What of the DLQ is needed here. */
export interface ReturnsDlq {
  append(
    kind: Kind,
    stream: number,
    reason: Reason,
    attempts: number,
    firstSeenUs: number,
    keyOffset: number,
    keyLength: number,
    ehkOffset: number,
    dataOffset: number,
    dataLength: number,
  ): number;
}

/** How long to wait before the DLQ is asked again when it takes nothing. */
const retryMs = 20;

export class Returns {
  readonly #arena: Arena;
  readonly #dlq: ReturnsDlq;
  readonly #counters: MainCounters;
  readonly #settled: (lane: number) => void;
  #waiting: { readonly lane: number; readonly offsets: Uint32Array; next: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(arena: Arena, dlq: ReturnsDlq, counters: MainCounters, settled: (lane: number) => void) {
    this.#arena = arena;
    this.#dlq = dlq;
    this.#counters = counters;
    this.#settled = settled;
  }

  take(lane: number, offsets: Uint32Array): void {
    this.#waiting.push({ lane, offsets, next: 0 });
    this.#work();
  }

  /** A lane was lost: its successor reports again what is still marked. */
  forget(lane: number): void {
    this.#waiting = this.#waiting.filter((group) => group.lane !== lane);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #work(): void {
    if (this.#timer !== undefined) return;
    const touched = new Set<number>();
    let group = this.#waiting[0];
    while (group !== undefined) {
      while (group.next < group.offsets.length && this.move(group.offsets[group.next] as number)) {
        group.next++;
        touched.add(group.lane);
      }
      if (group.next < group.offsets.length) break;
      this.#waiting.shift();
      group = this.#waiting[0];
    }
    for (const lane of touched) this.#settled(lane);
    if (group === undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#work();
    }, retryMs);
  }

  /** Moves one entry if it is (still) set aside; false when the DLQ takes nothing now. */
  move(offset: number): boolean {
    const word = Atomics.load(this.#arena.words, (offset + entry.state) >>> 2);
    if ((word & stateMask) !== EntryState.setAside) return true;
    const dead = ((word >>> reasonShift) & 0xff) !== 0;
    return this.settle(offset, dead ? Kind.dead : Kind.spill, dead ? Reason.rejected : Reason.expired);
  }

  /** Puts the entry at `offset` into the DLQ and marks it settled; false when the DLQ takes nothing now. */
  settle(offset: number, kind: Kind, reason: Reason): boolean {
    const { words, floats } = this.#arena;
    const stateWord = (offset + entry.state) >>> 2;
    const attempts = (words[stateWord] as number) >>> attemptsShift;
    const keyWord = words[(offset + entry.key) >>> 2] as number;
    const stream = (keyWord >>> streamShift) & streamMask;
    const keyLength = keyWord & 0xffff;
    const ehkOffset = (keyWord & flagHashKey) === 0 ? 0 : offset + entry.payload;
    const keyOffset = offset + entry.payload + (ehkOffset === 0 ? 0 : 16);
    const dataOffset = keyOffset + keyLength;
    const dataLength = offset + entry.payload + (words[(offset + entry.length) >>> 2] as number) - dataOffset;
    const firstSeenUs = floats[(offset + entry.firstSeenUs) >>> 3] as number;
    const appended = this.#dlq.append(
      kind,
      stream,
      reason,
      attempts,
      firstSeenUs,
      keyOffset,
      keyLength,
      ehkOffset,
      dataOffset,
      dataLength,
    );
    if (appended !== Appended.ok) return false;
    this.#counters.add(stream, kind === Kind.dead ? MainCounter.dead : MainCounter.returned, 1);
    // Pairs with the lane's Atomics.load in advance(): the entry's bytes are copied, its memory may go.
    Atomics.store(words, stateWord, EntryState.settled);
    return true;
  }
}
