/**
 * Collects where Kinesis has the events whose senders asked for it. Lane worker; one per lane, called per delivered record while
 * the main thread wants receipts, emptied by the lane's loop before it tells what it has given back.
 */
import type { Arena } from '../ring/arena.ts';
import type { RingConsumer } from '../ring/consumer.ts';
import { entry, flagReceipt } from '../ring/layout.ts';
import { Wanted } from '../ring/wanted.ts';
import type { RecordReceipt } from './report.ts';

export class Receipts {
  readonly #arena: Arena;
  readonly #wantedWord: number;
  #records: RecordReceipt[] = [];

  /** `wantedOffset`: of the word of `Wanted` in the arena. */
  constructor(arena: Arena, wantedOffset: number) {
    this.#arena = arena;
    this.#wantedWord = wantedOffset >>> 2;
  }

  /** The ring entries `offsets[from .. to)` are in Kinesis as one record. They are not given back. */
  add(
    stream: number,
    consumer: RingConsumer,
    offsets: Uint32Array,
    from: number,
    to: number,
    shardId: string | undefined,
    sequenceNumber: string | undefined,
  ): void {
    const { words } = this.#arena;
    // Pairs with the main thread's Atomics.store before it published the first flagged entry.
    if ((Atomics.load(words, this.#wantedWord) & Wanted.receipts) === 0) return;
    if (shardId === undefined || sequenceNumber === undefined) return;
    const positions: number[] = [];
    const subSequences: number[] = [];
    for (let i = from; i < to; i++) {
      const offset = offsets[i] as number;
      if (((words[(offset + entry.key) >>> 2] as number) & flagReceipt) === 0) continue;
      positions.push(consumer.positionBehind(offset));
      subSequences.push(i - from);
    }
    if (positions.length === 0) return;
    const places = { positions: Int32Array.from(positions), subSequences: Uint32Array.from(subSequences) };
    this.#records.push({ stream, shardId, sequenceNumber, ...places });
  }

  /** What was added since the last call. */
  take(): readonly RecordReceipt[] {
    const records = this.#records;
    if (records.length > 0) this.#records = [];
    return records;
  }
}
