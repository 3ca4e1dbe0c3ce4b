/**
 * How far `spillway dlq replay` or `purge` is, and what it has done until then. Main thread; draws on stderr where that is a
 * terminal and the work is long.
 */
import type { SingleBar } from 'cli-progress';
import type { WorkCounts } from '../dlq/dead-letters.ts';
import { progressBar } from './dlq-read.ts';

export class Progress {
  counts: WorkCounts = {
    totalBytes: 0, readBytes: 0, events: 0, bytes: 0, unknownStream: 0, tooLarge: 0, damaged: 0, isStopped: false,
  }; // biome-ignore format: one line of counts
  #bar: SingleBar | undefined;
  #isBegun = false;
  readonly #format: string;

  constructor(verb: string) {
    this.#format = `{bar} {percentage} % | {events} ${verb} | {eta_formatted} left`;
  }

  show(counts: WorkCounts): void {
    this.counts = { ...counts };
    if (!this.#isBegun) this.#bar = progressBar(counts.totalBytes, this.#format, { events: 0 });
    this.#isBegun = true;
    this.#bar?.update(counts.readBytes, { events: counts.events });
  }

  end(): void {
    this.#bar?.stop();
  }
}
