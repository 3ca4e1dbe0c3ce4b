/**
 * Knows when Kinesis has what senders of ack level `stream` sent. Main thread; made by the daemon's wiring, which tells it what
 * the lanes report and what the DLQ takes. Senders of level `memory` never meet it.
 *
 * ```
 *   sender ─▶ WatchedIntake ─▶ admission ─▶ ring ─▶ lane ─▶ Kinesis
 *                │ number        │ ring, position     │
 *              Watch ◀─ RingWatch ◀───────────────────┘ given_back: everything before this position is done
 *                │         ▲ settled: the DLQ has this one
 *                ▼
 *              answers
 * ```
 * A ring gives back from its old end: an event is known to be done when everything before it in its ring is. Lanes are asked to
 * tell (ring/wanted.ts) only while some event is watched.
 */
import type { Arena } from '../ring/arena.ts';
import { flagReceipt } from '../ring/layout.ts';
import type { RingProducer } from '../ring/producer.ts';
import { Wanted } from '../ring/wanted.ts';
import type { Admission, EntryWatch } from './admission.ts';
import { Verdict } from './intake.ts';
import { RingWatch } from './ring-watch.ts';
import { type Fate, Watch } from './watch.ts';
import { WatchedIntake, type WatchOptions } from './watched-intake.ts';

/** Events of one record in Kinesis, as a lane tells of them. */
export interface PlacedRecord {
  readonly stream: number;
  readonly shardId: string;
  readonly sequenceNumber: string;
  /** Positions behind the events' entries. */
  readonly positions: Int32Array;
  readonly subSequences: Uint32Array;
}

export interface DeliveriesParts {
  readonly arena: Arena;
  /** Offset of the word of `Wanted`. */
  readonly wantedOffset: number;
  /** By lane, then by stream. */
  readonly rings: readonly RingProducer[];
  readonly streams: number;
  readonly admission: Admission;
}

export class Deliveries {
  readonly #parts: DeliveriesParts;
  readonly #watches: readonly RingWatch[];
  #touched: Watch[] = [];
  /** Watched events in rings. */
  #count = 0;
  #wanted: number = Wanted.nothing;

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
    this.#watches = parts.rings.map(() => new RingWatch());
  }

  /** The daemon's intake for one sender that wants to hear of its events' delivery. */
  watch(options: WatchOptions): WatchedIntake {
    const watch = new Watch(options.receiptsMax, options.onDue);
    return new WatchedIntake(this.#parts.admission, watch, this.#entryWatch(watch), options.tellsSpills);
  }

  /** A lane has given back everything before these positions, by stream. */
  passed(lane: number, tails: Int32Array): void {
    if (this.#count === 0) return;
    const first = lane * this.#parts.streams;
    for (let stream = 0; stream < tails.length; stream++) this.#advance(first + stream, tails[stream] as number);
    this.#tell();
  }

  /** A lane has a new worker: what the one before gave back, it may not have told. */
  lookAt(lane: number): void {
    const { rings, streams } = this.#parts;
    this.passed(
      lane,
      Int32Array.from(rings.slice(lane * streams, (lane + 1) * streams), (ring) => ring.tail()),
    );
  }

  /** The DLQ has the ring entry at `offset`, which is not given back yet. */
  settled(offset: number, fate: Fate): void {
    if (this.#count === 0) return;
    const { rings } = this.#parts;
    for (let i = 0; i < rings.length; i++) {
      const position = (rings[i] as RingProducer).positionBehind(offset);
      if (position === undefined) continue;
      this.#watches[i]?.settled(position, fate);
      return;
    }
  }

  /** Where Kinesis has these events; comes before {@link passed} tells of them. */
  placed(lane: number, records: readonly PlacedRecord[]): void {
    for (const { stream, shardId, sequenceNumber, positions, subSequences } of records) {
      const record = { shardId, sequenceNumber };
      const ring = this.#watches[lane * this.#parts.streams + stream];
      positions.forEach((position, i) => {
        const event = ring?.at(position);
        if (event?.watch.closed === false) event.watch.place(event.number, record, subSequences[i] as number);
      });
    }
  }

  #entryWatch(watch: Watch): EntryWatch {
    return {
      get flags() {
        return watch.judged < watch.receiptsMax ? flagReceipt : 0;
      },
      mayEnter: (ring) => this.#watches[ring]?.full === false,
      entered: (ring, position) => {
        this.#watches[ring]?.add(position, watch, watch.judged + 1);
        this.#count++;
        this.#want(this.#wanted | Wanted.tails | (watch.judged < watch.receiptsMax ? Wanted.receipts : 0));
        return Verdict.ring;
      },
    };
  }

  #advance(index: number, tail: number): void {
    const ring = this.#watches[index] as RingWatch;
    const before = ring.count;
    ring.passed(tail, this.#touch);
    this.#count -= before - ring.count;
  }

  readonly #touch = (watch: Watch): void => {
    watch.touched = true;
    this.#touched.push(watch);
  };

  #tell(): void {
    if (this.#count === 0) this.#want(Wanted.nothing);
    const touched = this.#touched;
    this.#touched = [];
    for (const watch of touched) {
      watch.touched = false;
      if (!watch.closed) watch.onDue();
    }
  }

  #want(wanted: number): void {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    const { arena, wantedOffset } = this.#parts;
    // Pairs with the lanes' Atomics.load behind their store of TAIL: it comes before the entry is published.
    Atomics.store(arena.words, wantedOffset >>> 2, wanted);
  }
}
