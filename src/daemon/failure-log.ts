/**
 * Says why a stream's requests fail: one line per change of cause, with its cure, however many requests fail and from however many
 * lanes. Main thread; the daemon tells it of every failed request and of every stream's breaker that closes.
 */
import { failureCause, failureCure } from '../edges/failure-cures.ts';
import type { Log } from '../observe/log.ts';
import type { StreamConfig } from './config.ts';

/** A cause that was not met for so long is told again when it comes back. */
const forgottenMs = 60_000;

/** A failed request, as a lane reports it. */
export interface FailedRequest {
  readonly stream: number;
  readonly code: string;
  readonly message: string;
}

interface Told {
  /** Of the table, else the code as it came. */
  readonly cause: string;
  lastMs: number;
}

export class FailureLog {
  readonly #log: Log;
  readonly #streams: readonly StreamConfig[];
  readonly #nowMs: () => number;
  readonly #told: (Told | undefined)[] = [];

  constructor(log: Log, streams: readonly StreamConfig[], nowMs: () => number) {
    this.#log = log;
    this.#streams = streams;
    this.#nowMs = nowMs;
  }

  failed(lane: number, { stream, code, message }: FailedRequest): void {
    const cause = failureCause(code, message);
    const nowMs = this.#nowMs();
    const told = this.#told[stream];
    if (told?.cause === (cause ?? code) && nowMs - told.lastMs < forgottenMs) {
      told.lastMs = nowMs;
      return;
    }
    this.#told[stream] = { cause: cause ?? code, lastMs: nowMs };
    const config = this.#streams[stream];
    const fields = { code, retryable: true, stream: config?.name ?? '', lane };
    if (cause === undefined || config === undefined) {
      return this.#log.warn('error', `a request failed: ${message}`, fields);
    }
    const { streamName, streamArn, region, endpoint, proxy } = config;
    const asked = { action: 'kinesis:PutRecords', stream: streamArn ?? streamName, region, endpoint, proxy };
    const { says, cure } = failureCure(cause, asked);
    this.#log.warn('error', `requests fail: ${says} (${message}); cure: ${cure}`, {
      ...fields,
      details: { cause, cure },
    });
  }

  /** Requests pass again: the next failure is news. */
  recovered(stream: number): void {
    this.#told[stream] = undefined;
  }
}
