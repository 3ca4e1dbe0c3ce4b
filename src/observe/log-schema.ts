/**
 * Every kind of log line and every field it may have, as data: the types of the logger's calls, the check of a line, and the
 * table in TELEMETRY.md come from it. Any thread; pure. A field that is not here cannot be logged: that is how payloads stay out.
 *
 * Long because it is one table.
 *
 * All lines also have `time` (ISO 8601, UTC, milliseconds), `level` (a word), `kind` and `msg`.
 */

import { type EmfMetadata, emfFields } from './emf.ts';

/** What a field holds. `lane`: a lane's number, or "main". `facts`: an object of strings, numbers and booleans. `emf`: of emf.ts. */
type FieldType = 'string' | 'number' | 'boolean' | 'strings' | 'numbers' | 'lane' | 'facts' | 'emf';

interface Field {
  readonly type: FieldType;
  readonly optional?: true;
  /** The closed set of values of a string, where it has one. */
  readonly values?: readonly string[];
  readonly says: string;
}

interface Kind {
  readonly says: string;
  /** Comes once per interval and is never suppressed. */
  readonly periodic?: true;
  /** Fields that, with kind and level, tell apart what flood control counts separately. */
  readonly floodBy?: readonly string[];
  readonly fields: Readonly<Record<string, Field>>;
}

const stream = { type: 'string', optional: true, says: "the stream's name; absent: all streams together" } as const;
const laneOptional = { type: 'lane', optional: true, says: "the lane's number" } as const;
const cause = { type: 'string', optional: true, says: 'what led to it' } as const;
const events = (says: string) => ({ type: 'number', says: `events ${says}` }) as const;
const micros = (says: string) => ({ type: 'number', says: `${says}, microseconds` }) as const;

/** Names of the fields that every line has. */
export const commonFields = ['time', 'level', 'kind', 'msg'] as const;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];

export const logKinds = {
  ready: {
    says: 'accepting events; once per start',
    fields: {
      listeners: { type: 'strings', says: 'the address of every listener' },
      streams: { type: 'strings', says: 'the names of the configured streams' },
      lanes: { type: 'number', says: 'lane workers' },
      tookMs: { type: 'number', says: 'from process start, milliseconds' },
      version: { type: 'string', optional: true, says: 'version of spillway' },
      stateDir: { type: 'string', optional: true, says: 'where journal and DLQ live' },
    },
  },
  stop: {
    says: 'shutting down: draining, then stopped',
    fields: {
      state: { type: 'string', values: ['draining', 'stopped'], says: 'how far' },
      cause,
      tookMs: { type: 'number', optional: true, says: 'of the drain, milliseconds' },
      inFlight: { type: 'number', optional: true, says: 'events not yet delivered' },
      spilled: { type: 'number', optional: true, says: 'events put into the DLQ by the drain' },
    },
  },
  config: {
    says: 'what was loaded, and what the daemon chose where the config left it open',
    fields: {
      changed: { type: 'strings', optional: true, says: 'at a reload: options that were taken over' },
      restart: { type: 'strings', optional: true, says: 'at a reload: options whose change waits for a restart' },
      mistakes: { type: 'strings', optional: true, says: 'at a reload: why nothing was changed' },
      details: { type: 'facts', optional: true, says: 'chosen values by key' },
    },
  },
  listener: {
    says: 'a listener opened, closed, or met a misbehaving sender',
    floodBy: ['listener', 'state', 'code'],
    fields: {
      listener: { type: 'string', says: 'its address' },
      state: {
        type: 'string',
        values: ['open', 'closed', 'failed', 'client', 'letting_go', 'let_go'],
        says: 'what happened',
      },
      code: { type: 'string', optional: true, says: 'stable code of the refusal or failure' },
      cause,
      connections: { type: 'number', optional: true, says: 'how many were let go' },
      peer: { type: 'string', optional: true, says: "a sender's address and port" },
      untold: { type: 'number', optional: true, says: 'others like it since the last such line' },
    },
  },
  worker: {
    says: "a lane worker's life",
    floodBy: ['lane', 'state'],
    fields: {
      lane: { type: 'lane', says: "the lane's number" },
      state: { type: 'string', values: ['started', 'lost', 'replaced'], says: 'what happened' },
      cause,
      tookMs: { type: 'number', optional: true, says: 'until it works (again), milliseconds' },
    },
  },
  breaker: {
    says: 'a breaker changed its state',
    floodBy: ['breaker', 'lane', 'stream'],
    fields: {
      breaker: { type: 'string', values: ['lane', 'stream'], says: 'which kind of breaker' },
      lane: laneOptional,
      stream,
      from: { type: 'string', values: ['closed', 'open', 'half_open'], says: 'state before' },
      to: { type: 'string', values: ['closed', 'open', 'half_open'], says: 'state after' },
      cause: { type: 'string', says: 'what led to it' },
      ringShare: { type: 'number', optional: true, says: 'used share of the ring, 0..1' },
      oldestMs: { type: 'number', optional: true, says: 'age of the oldest waiting event, milliseconds' },
    },
  },
  alert: {
    says: 'a condition that somebody should know of began or ended',
    floodBy: ['alert', 'stream', 'state'],
    fields: {
      alert: { type: 'string', says: 'its name' },
      state: { type: 'string', values: ['fired', 'cleared'], says: 'what happened' },
      measure: { type: 'string', says: 'what it watches' },
      stream,
      value: {
        type: 'number',
        optional: true,
        says: 'the measured value: milliseconds, bytes, a number; absent: none',
      },
      threshold: { type: 'number', says: 'beyond it is bad, in the same unit' },
      heldMs: { type: 'number', says: 'how long it had been bad, or well again, milliseconds' },
      tookMs: { type: 'number', optional: true, says: 'from firing to clearing, milliseconds' },
      hint: { type: 'string', optional: true, says: 'what to look at, and where the runbook has more' },
    },
  },
  dlq: {
    says: 'the DLQ: spilling, replaying, full, failing, dropping, repaired, purged',
    floodBy: ['event', 'stream', 'series', 'reason'],
    fields: {
      event: {
        type: 'string',
        says: 'what happened, such as dead, dropped, full, disk_full, failing; still_... while it lasts',
      },
      stream,
      lane: laneOptional,
      reason: { type: 'string', optional: true, says: 'why events became dead letters, or were dropped' },
      series: { type: 'string', optional: true, says: 'spill or dead: which segments it is about' },
      code: { type: 'string', optional: true, says: "the system's error, such as ENOSPC or EIO" },
      times: { type: 'number', optional: true, says: 'how often it was met since it began' },
      events: { type: 'number', optional: true, says: 'how many events' },
      bytes: { type: 'number', optional: true, says: 'how many bytes' },
      segment: { type: 'string', optional: true, says: "the segment file's name" },
      tookMs: { type: 'number', optional: true, says: 'how long, milliseconds' },
      cause,
    },
  },
  latency: {
    says: 'one histogram of one lane over one interval',
    periodic: true,
    fields: {
      lane: { type: 'lane', says: 'the lane\'s number, or "main"' },
      stream,
      histogram: {
        type: 'string',
        values: ['ingress_to_ring', 'ring_wait', 'linger', 'put', 'ingress_to_ack', 'journal_sync'],
        says: 'what was measured',
      },
      windowStartMs: { type: 'number', says: 'start of the interval, milliseconds since 1970' },
      windowMs: { type: 'number', says: 'length of the interval, milliseconds' },
      count: { type: 'number', says: 'recorded values' },
      clamped: { type: 'number', optional: true, says: 'values below 0 or above one hour; absent: none' },
      p50Us: micros('median'),
      p90Us: micros('90th percentile'),
      p99Us: micros('99th percentile'),
      p999Us: micros('99.9th percentile'),
      maxUs: micros('largest'),
      meanUs: micros('mean'),
      hdr: { type: 'string', says: 'HdrHistogram V2, compressed, base64, microseconds' },
    },
  },
  ledger: {
    says: 'the books since start: received = accepted + refused; accepted = delivered + inFlight + dlq + dropped - recovered',
    periodic: true,
    fields: {
      received: events('received'),
      refused: events('refused'),
      accepted: events('accepted'),
      delivered: events('delivered'),
      inFlight: events('in rings, batches and requests'),
      dlq: events('in the DLQ'),
      dropped: events('dropped by order'),
      recovered: events('found on disk at start'),
      stream,
    },
  },
  requests: {
    says: 'PutRecords requests since start, of all lanes',
    periodic: true,
    fields: {
      answered: { type: 'number', says: 'requests that Kinesis answered, with whatever judgement of their records' },
      failed: { type: 'number', says: 'requests that failed as a whole' },
      again: { type: 'number', says: 'sendings of a request that had failed as a whole' },
      probes: {
        type: 'number',
        says: 'requests without records, by which an open breaker finds out whether Kinesis is back',
      },
      records: { type: 'number', says: 'records in answered requests' },
      recordsFailed: { type: 'number', says: 'records that Kinesis refused in them' },
      throttled: { type: 'number', says: 'failed requests of which Kinesis said that they are too many or too large' },
      recordsThrottled: { type: 'number', says: 'refused records for which their shard had no room' },
      stream,
    },
  },
  backlog: {
    says: 'what is acknowledged and not yet delivered',
    periodic: true,
    fields: {
      stream,
      events: events('waiting'),
      bytes: { type: 'number', says: 'bytes waiting' },
      oldestMs: { type: 'number', says: 'age of the oldest event, milliseconds' },
      toFullMs: { type: 'number', optional: true, says: 'until full at the present rate; absent: not filling' },
      toDrainMs: { type: 'number', optional: true, says: 'until empty at the present rate; absent: not draining' },
    },
  },
  journal: {
    says: 'the journal of ack level disk; only where it was used',
    periodic: true,
    fields: {
      bytes: { type: 'number', says: 'what it takes on disk' },
      events: { type: 'number', says: 'events that it took, since start' },
      syncs: { type: 'number', says: 'fdatasync calls that succeeded, since start' },
      behind: { type: 'number', says: 'streams with entries that are not marked as done' },
      marksWritten: { type: 'number', says: 'how often its file of marks was written' },
      waiting: { type: 'number', says: 'events whose senders wait for the disk' },
    },
  },
  emf: {
    says: 'metrics for CloudWatch in its embedded format; one line for each stream, one without Stream for the daemon',
    periodic: true,
    fields: {
      _aws: { type: 'emf', says: 'which of the other fields are metrics, their units, namespace and dimensions' },
      Stream: { type: 'string', optional: true, says: 'the dimension' },
      ...emfFields,
    },
  },
  error: {
    says: 'something failed; the daemon goes on unless the level is fatal',
    floodBy: ['code', 'stream', 'lane'],
    fields: {
      code: { type: 'string', says: 'stable code' },
      retryable: { type: 'boolean', says: 'whether trying again can help' },
      stream,
      lane: laneOptional,
      details: { type: 'facts', optional: true, says: 'facts of the failure by name' },
    },
  },
  flood: {
    says: 'lines that flood control held back',
    periodic: true,
    fields: {
      key: { type: 'string', says: 'kind, level and what else tells these lines apart' },
      suppressed: { type: 'number', says: 'lines not printed' },
      windowMs: { type: 'number', says: 'in how many milliseconds' },
    },
  },
  log: {
    says: "the log's own state: lines lost because stdout was not read",
    periodic: true,
    fields: {
      lost: { type: 'number', says: 'lines lost since the last such line' },
    },
  },
} as const satisfies Readonly<Record<string, Kind>>;

export type LogKind = keyof typeof logKinds;

interface FieldTypes {
  string: string;
  number: number;
  boolean: boolean;
  strings: readonly string[];
  numbers: readonly number[];
  emf: EmfMetadata;
  lane: number | 'main';
  facts: Readonly<Record<string, string | number | boolean>>;
}
type FieldValue<F> = F extends { readonly values: readonly (infer V)[] }
  ? V
  : F extends { readonly type: infer T extends FieldType }
    ? FieldTypes[T]
    : never;
type FieldsOf<K extends LogKind> = (typeof logKinds)[K]['fields'];
type OptionalNames<F> = { [N in keyof F]: F[N] extends { readonly optional: true } ? N : never }[keyof F];

/** The fields of a line of kind `K`, beside the common ones. */
export type LogFields<K extends LogKind> = {
  readonly [N in Exclude<keyof FieldsOf<K>, OptionalNames<FieldsOf<K>>>]: FieldValue<FieldsOf<K>[N]>;
} & { readonly [N in OptionalNames<FieldsOf<K>>]?: FieldValue<FieldsOf<K>[N]> };

/** The same table with its precise type forgotten, for code that walks it. */
export const logKindTable: Readonly<Record<string, Kind>> = logKinds;

export type { Field as LogField, FieldType as LogFieldType, Kind as LogKindRow };
