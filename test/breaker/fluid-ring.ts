/**
 * A ring, its lane and its senders as flows, for tests of the saturation breaker: senders offer so many bytes a millisecond, the
 * breaker lets them in or not, the lane takes what it can and gives back each piece some time later. On a clock of its own.
 */
import { breakerStateNames } from '../../src/breaker/breaker.ts';
import { SaturationBreaker, type SaturationOptions } from '../../src/breaker/saturation.ts';

/** The daemon looks at least this often, and at each read of a socket. */
export const tickMs = 10;
const readsPerTick = 8;

export interface FluidOptions extends SaturationOptions {
  /** What the lane takes, in bytes a millisecond. */
  readonly lane: number;
  /** How long the destination takes to answer. */
  readonly answerMs: number;
}

export interface Move {
  readonly atMs: number;
  readonly to: string;
  readonly cause: string;
  /** Share of the ring that was full. */
  readonly full: number;
}

export class FluidRing {
  nowMs = 0;
  accepted = 0;
  turnedAway = 0;
  delivered = 0;
  readonly moves: Move[] = [];
  /** Of what was delivered, in the order of delivery. */
  readonly waits: { readonly atMs: number; readonly waitedMs: number }[] = [];
  readonly breaker: SaturationBreaker;
  readonly #options: FluidOptions;
  #lane: number;
  #queue: { bytes: number; enteredMs: number }[] = [];
  #underWay: { bytes: number; enteredMs: number; doneMs: number }[] = [];
  #usedBytes = 0;
  #tail = 0;
  #wasTurnedAway = false;

  constructor(options: FluidOptions) {
    this.#options = options;
    this.#lane = options.lane;
    this.breaker = new SaturationBreaker(options, (_, to, cause) =>
      this.moves.push({
        atMs: this.nowMs,
        to: breakerStateNames[to],
        cause,
        full: this.#usedBytes / options.capacityBytes,
      }),
    );
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** From now on the lane takes so much. */
  set lane(bytesPerMs: number) {
    this.#lane = bytesPerMs;
  }

  /** Lets one tick pass in which senders offer `bytesPerMs`. */
  tick(bytesPerMs: number): void {
    this.nowMs += tickMs;
    this.#work();
    this.#look();
    for (let read = 0; read < readsPerTick; read++) {
      this.#offer((bytesPerMs * tickMs) / readsPerTick);
      this.#look();
    }
  }

  #offer(bytes: number): void {
    if (bytes <= 0) return;
    const fits = this.#usedBytes + bytes <= this.#options.capacityBytes;
    if (this.breaker.admits && fits) {
      this.accepted += bytes;
      this.#usedBytes += bytes;
      this.#queue.push({ bytes, enteredMs: this.nowMs });
      return;
    }
    this.turnedAway += bytes;
    this.#wasTurnedAway = true;
    if (this.breaker.admits) this.breaker.full(this.#usedBytes, this.nowMs);
  }

  #work(): void {
    let budget = this.#lane * tickMs;
    for (let first = this.#queue[0]; first !== undefined && budget > 0; first = this.#queue[0]) {
      const bytes = Math.min(first.bytes, budget);
      budget -= bytes;
      first.bytes -= bytes;
      this.#underWay.push({ bytes, enteredMs: first.enteredMs, doneMs: this.nowMs + this.#options.answerMs });
      if (first.bytes <= 0) this.#queue.shift();
    }
    for (let first = this.#underWay[0]; first !== undefined && first.doneMs <= this.nowMs; first = this.#underWay[0]) {
      this.#underWay.shift();
      this.#usedBytes -= first.bytes;
      this.#tail = (this.#tail + first.bytes) | 0;
      this.delivered += first.bytes;
      this.waits.push({ atMs: this.nowMs, waitedMs: this.nowMs - first.enteredMs });
    }
    if (this.#queue.length === 0 && this.#underWay.length === 0) this.#usedBytes = 0;
  }

  #look(): void {
    const oldest = this.#underWay[0] ?? this.#queue[0];
    const oldestMs = oldest === undefined ? 0 : this.nowMs - oldest.enteredMs;
    this.breaker.update(this.#usedBytes, oldestMs, this.#tail, this.#wasTurnedAway, this.nowMs);
    this.#wasTurnedAway = false;
  }
}
