/**
 * The limiter's simulation: daemons with the real limiter against one stream's shards, in virtual time. Events are wakes of
 * daemons, arrivals of requests and of answers, kept in slots of a millisecond; the same seed gives the same run.
 */
import { assert } from '../../../src/base/assert.ts';
import type { Random } from '../../../src/edges/random.ts';
import { type Flight, Sender, type SenderPlan } from './sender.ts';
import { Service } from './service.ts';

/** More than any round trip and any time between wakes. */
const slots = 1_024;
/** Between two wakes of a daemon, on average. */
const wakeMs = 20;

interface Happening {
  readonly atMs: number;
  readonly happen: () => void;
}

export class Simulation {
  readonly senders: Sender[];
  nowMs = 0;
  readonly #service: Service;
  readonly #random: Random;
  readonly #slots: Happening[][] = Array.from({ length: slots }, () => []);

  constructor(plans: readonly SenderPlan[], shards: number, random: Random) {
    this.#service = new Service(shards);
    this.#random = random;
    this.senders = plans.map((plan) => new Sender(plan, random));
    for (const sender of this.senders) this.#wakeAt(sender, sender.plan.joinMs);
  }

  /** Goes on until `untilMs`. */
  run(untilMs: number): void {
    assert(Number.isInteger(untilMs), 'whole milliseconds');
    for (let slot = this.nowMs; slot < untilMs; slot++) {
      // In order within the slot too: otherwise the daemons with the longest round trips would always come first.
      const due = (this.#slots[slot % slots] as Happening[]).splice(0).sort((a, b) => a.atMs - b.atMs);
      for (const { atMs, happen } of due) {
        this.nowMs = atMs;
        happen();
      }
    }
    this.nowMs = untilMs;
  }

  #wakeAt(sender: Sender, atMs: number): void {
    if (atMs - this.nowMs >= slots - 1) {
      this.#at(this.nowMs + slots - 2, () => this.#wakeAt(sender, atMs));
      return;
    }
    this.#at(atMs, () => {
      if (sender.plan.leaveMs <= this.nowMs) return;
      sender.wake(this.nowMs, (flight) => {
        this.#at(this.nowMs + flight.roundTripMs / 2, () => this.#arrive(sender, flight));
      });
      this.#wakeAt(sender, this.nowMs + wakeMs * (0.5 + this.#random.share()));
    });
  }

  #arrive(sender: Sender, flight: Flight): void {
    for (const [i, shard] of flight.shards.entries()) {
      flight.taken.push(this.#service.take(shard, flight.bytes[i] as number, this.nowMs));
    }
    this.#at(this.nowMs + flight.roundTripMs / 2, () => sender.answered(flight, this.nowMs));
  }

  /** Something happens at a time more than a millisecond and less than all slots away. */
  #at(atMs: number, happen: () => void): void {
    assert(atMs - this.nowMs >= 1 && atMs - this.nowMs < slots - 1, 'the slot is another one');
    (this.#slots[Math.floor(atMs) % slots] as Happening[]).push({ atMs, happen });
  }
}
