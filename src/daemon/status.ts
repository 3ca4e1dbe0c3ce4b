/**
 * The document that `GET /v1/status` answers, as types: what telemetry reads together and metrics are made of. Main thread; types only.
 * Names and units are interface: they change only with a line in the changelog.
 */
import type { breakerStateNames } from '../breaker/breaker.ts';
import type { DlqCondition } from '../dlq/condition.ts';
import type { ProcessUsage } from '../edges/process-usage.ts';
import type { Ledger } from '../observe/ledger.ts';
import type { LogCounts } from '../observe/log.ts';
import type { LogFields } from '../observe/log-schema.ts';

/** One stream's, or all streams', acknowledged and not yet delivered events. */
export interface Backlog {
  readonly events: number;
  readonly bytes: number;
  readonly oldestMs: number;
}

/** One stream's, or all streams', PutRecords requests over all lanes. */
export type Requests = Pick<
  LogFields<'requests'>,
  'answered' | 'failed' | 'again' | 'probes' | 'records' | 'recordsFailed'
>;

export type BreakerWord = (typeof breakerStateNames)[number];

export interface StreamStatus {
  readonly ledger: Ledger;
  readonly breaker: BreakerWord;
  readonly backlog: Backlog;
  readonly requests: Requests;
  readonly dlq: { readonly spilled: number; readonly dead: number; readonly bytes: number };
}

/** A lane's rings together: what is fullest, oldest or open among them. */
export interface LaneStatus {
  readonly lane: number;
  readonly breaker: BreakerWord;
  readonly ringBytes: number;
  readonly ringCapacity: number;
  readonly oldestMs: number;
  /** Workers that were lost, since the start. */
  readonly restarts: number;
}

export interface AlertStatus {
  readonly name: string;
  /** Absent: an alert of the whole daemon. */
  readonly stream?: string;
  readonly state: 'active' | 'quiet';
}

export interface Status {
  readonly state: string;
  readonly version: string;
  readonly uptimeMs: number;
  readonly process: ProcessUsage;
  /** Of all streams, and of events whose stream was not known. */
  readonly ledger: Ledger;
  /** Events refused, by the code that senders were told. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly dlq: DlqCondition;
  readonly backlog: Backlog;
  readonly journal: LogFields<'journal'>;
  readonly streams: Readonly<Record<string, StreamStatus>>;
  /** Segments that earlier runs left, and how many of them are in the books. */
  readonly index: { readonly segments: number; readonly indexed: number };
  readonly lanes: readonly LaneStatus[];
  readonly log: LogCounts;
  readonly alerts?: readonly AlertStatus[];
  /** By histogram: that of the last lane and interval that had values; microseconds. */
  readonly latency: Readonly<Record<string, object>>;
}
