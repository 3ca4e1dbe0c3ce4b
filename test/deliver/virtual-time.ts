/**
 * Time that passes only when nothing is left to do at its present moment: for tests of code that gets clock and timer handed in.
 * Test processes only. Promises run to their end between two moments, so a run depends on its seed alone.
 */
import type { After, Clock } from '../../src/edges/clock.ts';

interface Appointment {
  readonly atMs: number;
  run: (() => void) | undefined;
}

export class VirtualTime {
  nowMs: number;
  readonly clock: Clock;
  /** In the order of their times, and of their making where these are the same. */
  readonly #appointments: Appointment[] = [];

  constructor(startMs: number) {
    this.nowMs = startMs;
    this.clock = { nowMs: () => this.nowMs, nowUs: () => this.nowMs * 1_000 };
  }

  readonly after: After = (delayMs, run) => {
    const appointment: Appointment = { atMs: this.nowMs + Math.max(0, delayMs), run };
    let at = this.#appointments.length;
    while (at > 0 && (this.#appointments[at - 1] as Appointment).atMs > appointment.atMs) at--;
    this.#appointments.splice(at, 0, appointment);
    return () => {
      appointment.run = undefined;
    };
  };

  /** Lets time pass until `isOver`, which is asked between any two steps, or until `untilMs`. */
  async pass(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    await settled();
    while (!isOver()) {
      const next = this.#appointments[0];
      if (next === undefined || next.atMs > untilMs) {
        this.nowMs = Math.max(this.nowMs, untilMs);
        return;
      }
      this.#appointments.shift();
      if (next.run === undefined) continue;
      this.nowMs = next.atMs;
      next.run();
      await settled();
    }
  }
}

/** Resolves when no promise has anything left to do. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
