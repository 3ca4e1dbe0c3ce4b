/**
 * The refusals that a sender of text is told: by line or by index, runs of equal ones folded, bounded. Main thread; kept by the
 * line framer for its connection and by the HTTP listener for its request.
 */
import { refusalMessage, refusals, type Verdict } from './intake.ts';

/** Runs of refusals that are told one by one, per read of a connection or per request; the rest is counted. */
export const refusalRunsMax = 16;

/** `count` neighbouring events from number `first` on, all refused for the same reason. */
export interface RefusalRun {
  readonly first: number;
  readonly verdict: Verdict;
  count: number;
}

/** As a sender reads it. `count` only where it is more than 1. */
export interface ToldRefusal {
  readonly line?: number;
  readonly index?: number;
  readonly error: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly count?: number;
}

/** What the numbers count: lines from 1, or events from 0. */
export type Numbering = 'line' | 'index';

export class RefusalList {
  /** Refused events that no run tells of. */
  omitted = 0;
  #runs: RefusalRun[] = [];

  add(number: number, verdict: Verdict): void {
    const last = this.#runs.at(-1);
    if (last !== undefined && last.verdict === verdict && last.first + last.count === number) last.count++;
    else if (this.#runs.length < refusalRunsMax) this.#runs.push({ first: number, verdict, count: 1 });
    else this.omitted++;
  }

  get empty(): boolean {
    return this.#runs.length === 0;
  }

  /** The runs since the last call. Forgets them and `omitted`. */
  take(): RefusalRun[] {
    const runs = this.#runs;
    this.#runs = [];
    this.omitted = 0;
    return runs;
  }
}

/** A run in the words of the protocol. `eventBytesMax` is named where the event exceeded it. */
export function tellRefusal(run: RefusalRun, numbering: Numbering, eventBytesMax: number): ToldRefusal {
  const refusal = refusals[run.verdict] ?? { code: 'refused', retryable: false };
  return {
    ...(numbering === 'line' ? { line: run.first } : { index: run.first }),
    error: refusal.code,
    message: refusalMessage(run.verdict, eventBytesMax),
    retryable: refusal.retryable,
    ...(run.count === 1 ? {} : { count: run.count }),
  };
}
