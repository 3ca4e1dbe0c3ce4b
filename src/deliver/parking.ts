/**
 * Moves everything of an ordered stream out of a lane's ring, in the ring's order, so that it can be spilled behind what was spilled
 * before and before what is spilled after. Lane worker; used by the stream's delivery when the main thread asks.
 *
 *   none ── begin ▶ waiting ── answers are in, or patience is over ▶ parked ── ring empty ▶ told ── end ▶ none
 */
import type { RingConsumer } from '../ring/consumer.ts';
import { EntryState } from '../ring/layout.ts';

/** How long requests under way are waited for: what is not answered and judged by then may be delivered twice. */
const patienceMs = 1_000;

/** Entries of one message to the main thread. */
const chunkEvents = 4_096;

export class Parking {
  readonly #consumer: RingConsumer;
  readonly #setAside: (offsets: Uint32Array) => void;
  readonly #onParked: () => void;
  #state: 'none' | 'waiting' | 'parked' | 'told' = 'none';
  #sinceMs = 0;
  #chunk: number[] = [];

  /** `setAside` is told of entries in their order; `onParked` when all that was in the ring has been told. */
  constructor(consumer: RingConsumer, setAside: (offsets: Uint32Array) => void, onParked: () => void) {
    this.#consumer = consumer;
    this.#setAside = setAside;
    this.#onParked = onParked;
  }

  get isBegun(): boolean {
    return this.#state !== 'none';
  }

  /** Entries of the ring go to {@link add} now. */
  get isParked(): boolean {
    return this.#state === 'parked' || this.#state === 'told';
  }

  get isTold(): boolean {
    return this.#state === 'told';
  }

  begin(nowMs: number): void {
    if (this.#state !== 'none') return;
    this.#state = 'waiting';
    this.#sinceMs = nowMs;
  }

  end(): void {
    this.#flush();
    this.#state = 'none';
  }

  /** Whether the waiting is over for answers, and for the survey that tells what they mean. */
  mayTake(isJudged: boolean, nowMs: number): boolean {
    return isJudged || nowMs >= this.#sinceMs + patienceMs;
  }

  /** Sets aside what was read from the ring and is not done. */
  take(): void {
    this.#state = 'parked';
    this.#consumer.forEachHeld((offset, state) => {
      if (state === EntryState.pending) this.add(offset);
    });
  }

  add(offset: number): void {
    this.#chunk.push(offset);
    if (this.#chunk.length === chunkEvents) this.#flush();
  }

  /** Returns when it wants to be called again. */
  tick(nowMs: number): number {
    if (this.#state === 'waiting') return Math.max(nowMs + 1, this.#sinceMs + patienceMs);
    this.#flush();
    if (this.#state === 'parked' && this.#consumer.unreadBytes() === 0) {
      this.#state = 'told';
      this.#onParked();
    }
    return Number.POSITIVE_INFINITY;
  }

  #flush(): void {
    if (this.#chunk.length === 0) return;
    this.#setAside(Uint32Array.from(this.#chunk));
    this.#chunk = [];
  }
}
