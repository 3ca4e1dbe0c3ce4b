/**
 * Watches a daemon from outside while a lane goes on: its status over HTTP and its memory by /proc, at an interval that can be
 * changed. Used by the lanes; keeps one small row a sample.
 */
import { readFileSync } from 'node:fs';
import type { Ending, RunningDaemon, Status } from '../../daemon/running.ts';

const pageBytes = 4_096;
const mebibyte = 1024 ** 2;

export interface Sample {
  /** Milliseconds since the epoch, between question and answer. */
  readonly atMs: number;
  readonly status: Status;
  readonly residentMiB: number;
}

/** Pages of a process that are in memory, shared ones included. Cheap: the process is not held up by it. */
export function residentMiB(pid: number): number {
  return (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * pageBytes) / mebibyte;
}

/** The same, where a page that n processes share counts as an nth. The process is held up for some milliseconds. */
export function proportionalMiB(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]) / 1024;
}

export class Watch {
  readonly samples: Sample[] = [];
  everyMs: number;
  readonly #daemon: RunningDaemon;
  #ended = false;
  #waiting: { readonly wanted: (sample: Sample) => boolean; readonly resolve: (sample: Sample) => void }[] = [];
  readonly #watching: Promise<void>;

  constructor(ending: Ending, daemon: RunningDaemon, everyMs: number) {
    this.#daemon = daemon;
    this.everyMs = everyMs;
    this.#watching = this.#watch();
    ending.teardown(() => this.end());
  }

  /** Resolves with the first sample to come that `wanted` accepts; rejects after `withinMs`. */
  until(wanted: (sample: Sample) => boolean, withinMs: number): Promise<Sample> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new Error(`not within ${withinMs} ms: ${JSON.stringify(this.samples.at(-1))}`));
      }, withinMs);
      const found = (sample: Sample): void => {
        clearTimeout(late);
        resolve(sample);
      };
      this.#waiting.push({ wanted, resolve: found });
    });
  }

  get peakMiB(): number {
    return this.samples.reduce((most, sample) => Math.max(most, sample.residentMiB), 0);
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const pid = this.#daemon.process.pid as number;
    while (!this.#ended) {
      const askedMs = Date.now();
      const status = await this.#daemon.status().catch(() => undefined);
      // Gone: whoever waits for it hears of that.
      if (status === undefined) return;
      const sample = { atMs: (askedMs + Date.now()) / 2, status, residentMiB: residentMiB(pid) };
      this.samples.push(sample);
      this.#waiting = this.#waiting.filter(({ wanted, resolve }) => {
        if (!wanted(sample)) return true;
        resolve(sample);
        return false;
      });
      await pause(this.everyMs);
    }
  }
}

/** A stretch of time, where a lane's length is one; conditions are waited for by asking. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
