/**
 * The books: where every event is that was ever received. Main thread; read from the counters, never kept separately.
 *
 *   received = accepted + refused            accepted + recovered = delivered + inFlight + dlq + dropped
 *
 * The terms come from different writers (the main thread, the lanes, the DLQ's own tally), so the equations are a check and not
 * a definition. They hold exactly at every quiet point; while events move, a term may be read a moment before another.
 */
import type { Arena } from '../ring/arena.ts';
import { LaneCounter, laneCounters, MainCounter, type MainCounters, readLaneCounters } from './counters.ts';

/** Events since the daemon's start. */
export interface Ledger {
  readonly received: number;
  readonly refused: number;
  readonly accepted: number;
  readonly delivered: number;
  /** In rings, batches and requests: entered into a ring, and neither delivered nor settled by the DLQ. */
  readonly inFlight: number;
  readonly dlq: number;
  readonly dropped: number;
  /** Found in the DLQ at start. */
  readonly recovered: number;
}

export interface LedgerParts {
  readonly arena: Arena;
  readonly main: MainCounters;
  /** Offsets of the lanes' counter blocks. */
  readonly lanes: readonly number[];
  readonly streams: number;
  /** Events of a stream that the DLQ holds now, by its own count. */
  readonly dlqEvents: (stream: number) => number;
}

export class LedgerReader {
  readonly #parts: LedgerParts;
  readonly #lane: Float64Array;
  readonly #sums: Float64Array;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
    this.#lane = new Float64Array(parts.streams * laneCounters);
    this.#sums = new Float64Array(parts.streams * laneCounters);
  }

  /** One ledger per stream, and last the row of events whose stream was not known. */
  read(): Ledger[] {
    this.readLanes();
    return Array.from({ length: this.#parts.streams + 1 }, (_, stream) => this.#readStream(stream));
  }

  /** Reads what the lanes count, for {@link laneSum} and {@link inFlight}; the books are not made. */
  readLanes(): void {
    const { arena, lanes, streams } = this.#parts;
    this.#sums.fill(0);
    for (const offset of lanes) {
      readLaneCounters(arena, offset, streams, this.#lane);
      for (let i = 0; i < this.#sums.length; i++) this.#sums[i] = (this.#sums[i] as number) + (this.#lane[i] as number);
    }
  }

  /** A lane counter of a stream over all lanes, as of the last {@link read} or {@link readLanes}. */
  laneSum(stream: number, counter: number): number {
    return this.#sums[stream * laneCounters + counter] ?? 0;
  }

  #delivered(stream: number): number {
    return this.laneSum(stream, LaneCounter.delivered) + this.laneSum(stream, LaneCounter.ahead);
  }

  /** Events of a stream in rings, batches and requests; what the lanes did is as of the last {@link readLanes}. */
  inFlight(stream: number): number {
    const { main } = this.#parts;
    // Counted when it is settled: in the ring, it may wait for older events a good while longer.
    const settled = main.get(stream, MainCounter.returned) + main.get(stream, MainCounter.dead);
    const entered = main.get(stream, MainCounter.ringed) + main.get(stream, MainCounter.replayed);
    return entered - this.#delivered(stream) - settled;
  }

  #readStream(stream: number): Ledger {
    const { main, streams, dlqEvents } = this.#parts;
    return {
      received: main.get(stream, MainCounter.received),
      refused: main.get(stream, MainCounter.refused),
      accepted: main.get(stream, MainCounter.ringed) + main.get(stream, MainCounter.spilled),
      delivered: this.#delivered(stream),
      inFlight: this.inFlight(stream),
      dlq: stream < streams ? dlqEvents(stream) : 0,
      dropped: main.get(stream, MainCounter.dropped),
      recovered: main.get(stream, MainCounter.recovered),
    };
  }
}

/** Term by term. */
export function sumLedgers(ledgers: readonly Ledger[]): Ledger {
  const sum = { received: 0, refused: 0, accepted: 0, delivered: 0, inFlight: 0, dlq: 0, dropped: 0, recovered: 0 };
  for (const ledger of ledgers) {
    for (const term of Object.keys(sum) as (keyof Ledger)[]) sum[term] += ledger[term];
  }
  return sum;
}
