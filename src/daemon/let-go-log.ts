/**
 * Says that a listener lets connections go: one line when that begins, one with their number when it has ended. Main thread; one per
 * listener, told of each connection.
 */
import type { Log } from '../observe/log.ts';

/** After so long without another one it has ended. */
const episodeMs = 10_000;

export class LetGoLog {
  readonly #log: Log;
  readonly #listener: string;
  readonly #nowMs: () => number;
  #connections = 0;
  #lastMs = 0;

  constructor(log: Log, listener: string, nowMs: () => number) {
    this.#log = log;
    this.#listener = listener;
    this.#nowMs = nowMs;
  }

  letGo(): void {
    this.#connections += 1;
    this.#lastMs = this.#nowMs();
    if (this.#connections > 1) return;
    const message = 'connections are let go: there was no room for their events for let_go_after';
    this.#log.warn('listener', message, { listener: this.#listener, state: 'letting_go', code: 'overloaded' });
  }

  /** Asked now and then whether it has ended. */
  look(): void {
    if (this.#connections === 0 || this.#nowMs() - this.#lastMs < episodeMs) return;
    const connections = this.#connections;
    this.#connections = 0;
    const message = `no more connections are let go: there were ${connections}`;
    this.#log.info('listener', message, { listener: this.#listener, state: 'let_go', connections });
  }
}
