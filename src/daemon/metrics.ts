/**
 * The page that `GET /metrics` answers: the status, metric by metric, and the latencies since the start. Main thread; pure; asked by
 * the HTTP listeners. A new metric is a row in observe/metric-schema.ts and a reader here; the compiler wants both.
 */
import type { FullCause } from '../dlq/refusals.ts';
import { nodeVersion } from '../edges/process-usage.ts';
import { Exposition, label } from '../observe/exposition.ts';
import type { LatencyName } from '../observe/latency.ts';
import { emptyLatencyTotal, type LatencyTotals } from '../observe/latency-totals.ts';
import type { Ledger } from '../observe/ledger.ts';
import type { MetricName } from '../observe/metric-schema.ts';
import type { BreakerWord, LaneStatus, Status, StreamStatus } from './status.ts';

/** Streams that have series: some 7 KB of the page each. Those beyond, in the order of the configuration, have none. */
export const seriesStreamsMax = 256;
/** Alerts that have series. */
const seriesAlertsMax = 1_024;

/** Events whose stream was not known; no stream can have this name. */
const unknownStream = '(unknown)';

interface Facts {
  readonly status: Status;
  readonly latencies: LatencyTotals;
  /** Of the streams that have series: name, label, figures. */
  readonly streams: readonly (readonly [name: string, label: string, StreamStatus])[];
  /** The books of events whose stream was not known. */
  readonly unknown: Ledger;
}

type Reader = (page: Exposition, facts: Facts) => void;

const readers: Readonly<Record<MetricName, Reader>> = {
  spillway_build_info: (page, { status }) =>
    page.sample(`${label('version', status.version)},${label('node', nodeVersion)}`, 1),
  spillway_ready: one(({ state }) => Number(state === 'ready')),
  spillway_uptime_seconds: one(({ uptimeMs }) => uptimeMs / 1000),
  spillway_streams_without_series: (page, { status, streams }) =>
    page.sample('', Object.keys(status.streams).length - streams.length),

  spillway_events_received_total: ofLedger('received'),
  spillway_events_refused_total: ofLedger('refused'),
  spillway_events_accepted_total: ofLedger('accepted'),
  spillway_events_delivered_total: ofLedger('delivered'),
  spillway_events_dropped_total: ofLedger('dropped'),
  spillway_events_recovered: ofLedger('recovered'),
  spillway_events_in_flight: ofLedger('inFlight'),
  spillway_refusals_total: counts('code', ({ refusals }) => refusals),

  spillway_backlog_events: ofStream(({ backlog }) => backlog.events),
  spillway_backlog_bytes: ofStream(({ backlog }) => backlog.bytes),
  spillway_backlog_oldest_seconds: ofStream(({ backlog }) => backlog.oldestMs / 1000),

  spillway_requests_answered_total: ofStream(({ requests }) => requests.answered),
  spillway_requests_failed_total: ofStream(({ requests }) => requests.failed),
  spillway_requests_again_total: ofStream(({ requests }) => requests.again),
  spillway_probes_total: ofStream(({ requests }) => requests.probes),
  spillway_records_total: ofStream(({ requests }) => requests.records),
  spillway_records_failed_total: ofStream(({ requests }) => requests.recordsFailed),

  spillway_stream_breaker_state: ofStream(({ breaker }) => breakerNumber(breaker)),
  spillway_lane_breaker_state: ofLane(({ breaker }) => breakerNumber(breaker)),
  spillway_ring_bytes: ofLane(({ ringBytes }) => ringBytes),
  spillway_ring_capacity_bytes: ofLane(({ ringCapacity }) => ringCapacity),
  spillway_ring_oldest_seconds: ofLane(({ oldestMs }) => oldestMs / 1000),
  spillway_lane_restarts_total: ofLane(({ restarts }) => restarts),

  spillway_dlq_events: (page, { streams }) => {
    for (const [, stream, { dlq }] of streams) {
      page.sample(`${stream},kind="spilled"`, dlq.spilled);
      page.sample(`${stream},kind="dead"`, dlq.dead);
    }
  },
  spillway_dlq_stream_bytes: ofStream(({ dlq }) => dlq.bytes),
  spillway_dlq_bytes: one(({ dlq }) => dlq.bytes),
  spillway_dlq_max_bytes: one(({ dlq }) => dlq.maxBytes),
  spillway_dlq_reserve_bytes: one(({ dlq }) => dlq.reserveBytes),
  spillway_dlq_full: counts('cause', ({ dlq }) => fullBy(dlq.cause)),
  spillway_dlq_failing: one(({ dlq }) => Number(dlq.failing)),
  spillway_dlq_dropped_total: counts('reason', ({ dlq }) => dlq.droppedByReason),
  spillway_dlq_segments_found: one(({ index }) => index.segments),
  spillway_dlq_segments_indexed: one(({ index }) => index.indexed),

  spillway_journal_bytes: one(({ journal }) => journal.bytes),
  spillway_journal_events_total: one(({ journal }) => journal.events),
  spillway_journal_syncs_total: one(({ journal }) => journal.syncs),
  spillway_journal_marks_written_total: one(({ journal }) => journal.marksWritten),
  spillway_journal_streams_behind: one(({ journal }) => journal.behind),
  spillway_journal_waiting_events: one(({ journal }) => journal.waiting),

  spillway_log_lines_lost_total: one(({ log }) => log.linesLost),
  spillway_log_lines_suppressed_total: one(({ log }) => log.linesSuppressed),
  spillway_alert_active: (page, { status }) => {
    for (const { name, stream = '', state } of (status.alerts ?? []).slice(0, seriesAlertsMax)) {
      page.sample(`${label('name', name)},${label('stream', stream)}`, Number(state === 'active'));
    }
  },

  spillway_ingress_to_ring_seconds: ofDaemon('ingress_to_ring'),
  spillway_ring_wait_seconds: ofStreams('ring_wait'),
  spillway_linger_seconds: ofStreams('linger'),
  spillway_put_seconds: ofStreams('put'),
  spillway_ingress_to_ack_seconds: ofStreams('ingress_to_ack'),
  spillway_journal_sync_seconds: ofDaemon('journal_sync'),

  process_resident_memory_bytes: one(({ process }) => process.rssBytes),
  process_cpu_seconds_total: one(({ process }) => process.cpuSeconds),
  process_start_time_seconds: one(({ process }) => process.startSeconds),
};

const order = Object.keys(readers) as MetricName[];

/** The whole page. */
export function metricsPage(status: Status, latencies: LatencyTotals): string {
  const all = Object.entries(status.streams);
  const streams = all
    .slice(0, seriesStreamsMax)
    .map(([name, figures]) => [name, label('stream', name), figures] as const);
  const facts = { status, latencies, streams, unknown: without(status.ledger, all) };
  const page = new Exposition();
  for (const name of order) {
    page.open(name);
    readers[name](page, facts);
  }
  return page.text;
}

/** What `ledger` has beside the books of `streams`. */
function without(ledger: Ledger, streams: readonly (readonly [string, StreamStatus])[]): Ledger {
  const rest = { ...ledger };
  for (const [, stream] of streams) {
    for (const term of Object.keys(rest) as (keyof Ledger)[]) rest[term] -= stream.ledger[term];
  }
  return rest;
}

function one(read: (status: Status) => number): Reader {
  return (page, { status }) => page.sample('', read(status));
}

function ofStream(read: (stream: StreamStatus) => number): Reader {
  return (page, { streams }) => {
    for (const [, stream, figures] of streams) page.sample(stream, read(figures));
  };
}

function ofLedger(term: keyof Ledger): Reader {
  return (page, { streams, unknown }) => {
    for (const [, stream, { ledger }] of streams) page.sample(stream, ledger[term]);
    page.sample(label('stream', unknownStream), unknown[term]);
  };
}

function ofLane(read: (lane: LaneStatus) => number): Reader {
  return (page, { status }) => {
    for (const lane of status.lanes) page.sample(`lane="${lane.lane}"`, read(lane));
  };
}

function counts(name: string, read: (status: Status) => Readonly<Record<string, number>>): Reader {
  return (page, { status }) => {
    for (const [value, count] of Object.entries(read(status))) page.sample(label(name, value), count);
  };
}

function ofDaemon(histogram: LatencyName): Reader {
  return (page, { latencies }) => page.histogram('', latencies.of(histogram, undefined) ?? emptyLatencyTotal());
}

function ofStreams(histogram: LatencyName): Reader {
  return (page, { streams, latencies }) => {
    for (const [name, stream] of streams) page.histogram(stream, latencies.of(histogram, name) ?? emptyLatencyTotal());
  };
}

function breakerNumber(breaker: BreakerWord): number {
  return { closed: 0, half_open: 1, open: 2 }[breaker];
}

function fullBy(cause: '' | FullCause): Readonly<Record<FullCause, number>> {
  const is = (each: FullCause): number => Number(cause === each);
  return {
    max_bytes: is('max_bytes'),
    disk_full: is('disk_full'),
    disk_failing: is('disk_failing'),
    sequences: is('sequences'),
  };
}
