/**
 * What `spillway top` makes of the daemon's status: rates between two looks, and the last of them as a row for sparklines. Pure; the
 * command takes samples, the frame shows them.
 */
import type { Status } from '../daemon/status.ts';
import type { Ledger } from '../observe/ledger.ts';
import type { Answer } from './top-source.ts';

/** Events a second. */
export interface Rates {
  readonly received: number;
  readonly accepted: number;
  readonly refused: number;
  readonly delivered: number;
}

export interface Sample {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly pid: number | undefined;
  readonly status: Status;
  /** Between the look before and this one; undefined: there was none before, or the daemon was started anew meanwhile. */
  readonly rates: Rates | undefined;
  readonly streamRates: Readonly<Record<string, Rates>>;
}

export function sampleOf({ pid, status }: Answer, atMs: number, before: Sample | undefined): Sample {
  const sample = { atMs, pid, status, rates: undefined, streamRates: {} };
  // Another process counts from nothing.
  if (before === undefined || status.uptimeMs < before.status.uptimeMs || pid !== before.pid) return sample;
  const seconds = (atMs - before.atMs) / 1_000;
  if (seconds <= 0) return sample;
  const streamRates: Record<string, Rates> = {};
  for (const [name, { ledger }] of Object.entries(status.streams)) {
    const old = before.status.streams[name]?.ledger;
    if (old !== undefined) streamRates[name] = ratesOf(old, ledger, seconds);
  }
  return { ...sample, rates: ratesOf(before.status.ledger, status.ledger, seconds), streamRates };
}

function ratesOf(before: Ledger, now: Ledger, seconds: number): Rates {
  // A ledger that is read while events move may have a term from a moment before another.
  const rate = (term: keyof Rates): number => Math.max(0, now[term] - before[term]) / seconds;
  return {
    received: rate('received'),
    accepted: rate('accepted'),
    refused: rate('refused'),
    delivered: rate('delivered'),
  };
}

/** The last values of what the sparklines show; memory is bounded. */
export class History {
  readonly delivered: number[] = [];
  readonly oldestMs: number[] = [];
  readonly #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  /** A look without rates says nothing of them. */
  add({ rates, status }: Sample): void {
    if (rates !== undefined) push(this.delivered, rates.delivered, this.#length);
    push(this.oldestMs, status.backlog.oldestMs, this.#length);
  }
}

function push(values: number[], value: number, most: number): void {
  values.push(value);
  if (values.length > most) values.shift();
}
