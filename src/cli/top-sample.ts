/**
 * What `spillway top` makes of the daemon's status: rates between two looks, and the last of them as a row for sparklines. Pure; the
 * command takes samples, the frame shows them.
 */
import type { Ledger } from '../observe/ledger.ts';
import type { Answer } from './top-source.ts';

export interface Backlog {
  readonly events: number;
  readonly bytes: number;
  readonly oldestMs: number;
  readonly timeToFullMs?: number;
  readonly timeToDrainMs?: number;
}

export interface StreamStatus {
  readonly ledger: Ledger;
  readonly breaker: string;
  readonly backlog: Backlog;
  readonly requests: { readonly failed: number; readonly recordsFailed: number };
  readonly dlq: { readonly spilled: number; readonly dead: number };
}

export interface LaneStatus {
  readonly lane: number;
  readonly breaker: string;
  readonly ringBytes: number;
  readonly ringCapacity: number;
  readonly oldestMs: number;
}

/** In microseconds. */
export interface LatencyStatus {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface ActiveAlert {
  readonly name: string;
  readonly stream?: string;
  readonly state: string;
  readonly value?: number;
  readonly threshold: number;
  readonly since?: string;
}

/** The parts of `GET /v1/status` that are shown. */
export interface StatusDocument {
  readonly state: string;
  readonly uptimeMs: number;
  readonly ledger: Ledger;
  readonly backlog: Backlog;
  readonly streams: Readonly<Record<string, StreamStatus>>;
  readonly lanes: readonly LaneStatus[];
  readonly latency: Readonly<Record<string, LatencyStatus>>;
  readonly alerts?: readonly ActiveAlert[];
}

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
  readonly version: string | undefined;
  readonly status: StatusDocument;
  /** Between the look before and this one; undefined: there was none before, or the daemon was started anew meanwhile. */
  readonly rates: Rates | undefined;
  readonly streamRates: Readonly<Record<string, Rates>>;
}

export function sampleOf({ pid, version, status }: Answer, atMs: number, before: Sample | undefined): Sample {
  const sample = { atMs, pid, version, status, rates: undefined, streamRates: {} };
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
