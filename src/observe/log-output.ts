/**
 * Where log lines leave the process: a standard output stream, guarded. Main thread; used by log.ts.
 *
 * Node writes to a pipe or socket (journald, a container runtime) at once while there is room and queues what does not fit;
 * to a file it writes synchronously. So a line is out when `write` returns unless the reader lags, and nothing has to be
 * flushed at exit in the normal case. pino's own asynchronous destination was rejected: it writes from libuv's thread pool,
 * where one blocked write keeps the process from ever exiting, and it loses its buffer in `process.exit`.
 *
 * When the reader stops, the queue grows to `queueBytesMax`; beyond it whole lines are dropped and counted. When the reader is
 * gone (EPIPE), every line is dropped and counted. Neither ever throws, blocks, or ends the daemon.
 */
import type { Writable } from 'node:stream';

/** Most text that waits for a slow reader: about a minute of a busy daemon's lines. Costs that much memory, twice at worst. */
export const queueBytesMax = 1_048_576;

export class LogOutput {
  readonly #stream: Writable;
  readonly #onError: () => void;
  #broken = false;
  #linesQueued = 0;
  #linesLost = 0;
  #linesLostBefore = 0;
  #whenDrained: (() => void) | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    this.#onError = () => {
      this.#broken = true;
    };
    stream.on('error', this.#onError);
  }

  /** Hands one line, with its line break, to the stream, or drops and counts it. Gives whether it was taken. */
  write(line: string): boolean {
    if (this.#broken || this.#stream.writableLength + line.length > queueBytesMax) {
      this.#linesLost++;
      return false;
    }
    this.#linesQueued++;
    this.#stream.write(line, (error) => {
      this.#linesQueued--;
      if (error) this.#linesLost++;
      if (this.#linesQueued === 0) this.#whenDrained?.();
    });
    return true;
  }

  /** Whether a line of `length` bytes would be taken now. */
  hasRoom(length: number): boolean {
    return !this.#broken && this.#stream.writableLength + length <= queueBytesMax;
  }

  /** Lines dropped since this was last asked. */
  takeLost(): number {
    const lost = this.#linesLost;
    this.#linesLost = 0;
    this.#linesLostBefore += lost;
    return lost;
  }

  /** Lines dropped since the start. */
  get lostEver(): number {
    return this.#linesLostBefore + this.#linesLost;
  }

  /** Waits until all lines are out, at most `timeoutMs`; gives how many are still queued. They are lost if the process ends now. */
  async drain(timeoutMs: number): Promise<number> {
    if (this.#linesQueued > 0 && !this.#broken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#whenDrained = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#whenDrained = undefined;
    }
    return this.#linesQueued;
  }
}
