/**
 * A lane as far as an ordered stream sees one: it takes entries from its ring, delivers any that is the oldest of its key, and does
 * what it is told, late. What it says takes its time as well, but comes in order. Used by ordered-model.ts.
 */
import { BreakerState } from '../../src/breaker/breaker.ts';
import type { Arena } from '../../src/ring/arena.ts';
import { RingConsumer } from '../../src/ring/consumer.ts';
import { attemptsShift, EntryState, entry, type RingPlace, SetAside } from '../../src/ring/layout.ts';
import type { Below } from '../stress/seeded.ts';

export interface Heard {
  setAside(offsets: Uint32Array): void;
  parked(): void;
}

export class ModelLane {
  /** Per key: the numbers that were delivered, in that order. */
  readonly log = new Map<string, number[]>();
  /** By number: failed attempts of events before they were delivered. */
  readonly attempts = new Map<number, number>();
  delivered = 0;
  readonly #arena: Arena;
  readonly #consumer: RingConsumer;
  readonly #breakerWord: number;
  readonly #below: Below;
  readonly #heard: Heard;
  readonly #inbox: ('park' | 'unpark')[] = [];
  readonly #outbox: (() => void)[] = [];
  #held: number[] = [];
  #state: 'free' | 'parked' | 'told' = 'free';

  constructor(arena: Arena, place: RingPlace, breakerWord: number, below: Below, heard: Heard) {
    this.#arena = arena;
    this.#consumer = new RingConsumer(arena, place);
    this.#breakerWord = breakerWord;
    this.#below = below;
    this.#heard = heard;
  }

  tell(message: 'park' | 'unpark'): void {
    this.#inbox.push(message);
  }

  /** The destination's state, as the stream's breaker shows it. */
  show(isUp: boolean): void {
    Atomics.store(this.#arena.words, this.#breakerWord, isUp ? BreakerState.closed : BreakerState.open);
  }

  /** One of the things that a lane does, as the dice say. */
  step(isUp: boolean): void {
    switch (this.#below(5)) {
      case 0:
        return this.#obey();
      case 1:
        return this.#outbox.shift()?.();
      case 2:
        return this.#read();
      case 3:
        if (isUp && this.#state === 'free') this.#deliver();
        return;
      default:
        return this.#giveBack();
    }
  }

  #obey(): void {
    const message = this.#inbox.shift();
    if (message === 'unpark') this.#state = 'free';
    if (message !== 'park') return;
    this.#state = 'parked';
    this.#setAside(this.#held.splice(0));
  }

  #read(): void {
    // What enters the ring after that stays there until the lane has heard that it may.
    if (this.#state === 'told') return;
    const offsets: number[] = [];
    for (let left = 1 + this.#below(20); left > 0; left--) {
      const offset = this.#consumer.next();
      if (offset === 0) break;
      offsets.push(offset);
    }
    if (this.#state === 'free') {
      this.#held.push(...offsets);
      return;
    }
    this.#setAside(offsets);
    if (this.#consumer.unreadBytes() > 0) return;
    this.#state = 'told';
    this.#outbox.push(() => this.#heard.parked());
  }

  #setAside(offsets: number[]): void {
    for (const offset of offsets) this.#consumer.mark(offset, EntryState.setAside, SetAside.parked);
    if (offsets.length > 0) this.#outbox.push(() => this.#heard.setAside(Uint32Array.from(offsets)));
  }

  #deliver(): void {
    for (let left = this.#below(10); left > 0 && this.#held.length > 0; left--) {
      const picked = this.#below(this.#held.length);
      const { key } = this.#eventAt(this.#held[picked] as number);
      const first = this.#held.findIndex((offset) => this.#eventAt(offset).key === key);
      const [offset] = this.#held.splice(first, 1) as [number];
      const { id } = this.#eventAt(offset);
      this.log.set(key, [...(this.log.get(key) ?? []), id]);
      this.attempts.set(id, (this.#arena.words[(offset + entry.state) >>> 2] as number) >>> attemptsShift);
      this.#consumer.markDelivered(offset);
      this.delivered++;
    }
  }

  #eventAt(offset: number): { key: string; id: number } {
    const length = this.#arena.words[(offset + entry.length) >>> 2] as number;
    const start = offset + entry.payload;
    const [key, id] = this.#arena.buffer.toString('latin1', start, start + length).split(':');
    return { key: key as string, id: Number(id) };
  }

  #giveBack(): void {
    while (this.#consumer.advance() !== 0);
    this.#consumer.release();
  }
}
