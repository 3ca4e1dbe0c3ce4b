/**
 * Every metric of `GET /metrics`, with its labels, as data: what is written and the table in TELEMETRY.md come from it, and what is
 * not here cannot be written. Any thread; pure. Units are base units (seconds, bytes); counters and histograms count from the
 * start of the daemon.
 */

export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface Metric {
  readonly type: MetricType;
  /** In the order in which they are written; a histogram has `le` besides. */
  readonly labels: readonly string[];
  readonly says: string;
}

const counter = (labels: string, says: string) => ({ type: 'counter', labels: words(labels), says }) as const;
const gauge = (labels: string, says: string) => ({ type: 'gauge', labels: words(labels), says }) as const;
const histogram = (labels: string, says: string) => ({ type: 'histogram', labels: words(labels), says }) as const;
const words = (text: string): readonly string[] => text.split(' ').filter(Boolean);

// biome-ignore format: a metric per line or two, so that the table reads as a table
export const metrics = {
  spillway_build_info: gauge('version node', 'always 1; its labels say what runs'),
  spillway_ready: gauge('', '1: events are accepted; 0: it starts or drains'),
  spillway_uptime_seconds: gauge('', 'since the start'),
  spillway_streams_without_series: gauge('', 'streams beyond the first 256 of the configuration, which have no series'),

  spillway_events_received_total: counter('stream', 'events received: accepted or refused'),
  spillway_events_refused_total: counter('stream', 'events refused; their senders were told'),
  spillway_events_accepted_total: counter('stream', 'events accepted'),
  spillway_events_delivered_total: counter('stream', 'events that Kinesis has'),
  spillway_events_dropped_total: counter('stream', 'events dropped by order: a purge, max_age, when_full'),
  spillway_events_recovered: gauge('stream', 'events found on disk at the start; dead letters sent again may move some to another stream'),
  spillway_events_in_flight: gauge('stream', 'events in rings, batches and requests'),
  spillway_refusals_total: counter('code', 'events refused, of all streams, by the code that their senders were told'),

  spillway_backlog_events: gauge('stream', 'events acknowledged and not yet delivered, in memory or spilled'),
  spillway_backlog_bytes: gauge('stream', 'their bytes'),
  spillway_backlog_oldest_seconds: gauge('stream', 'age of the oldest of them; 0: there is none'),

  spillway_requests_answered_total: counter('stream', 'PutRecords requests that Kinesis answered'),
  spillway_requests_failed_total: counter('stream', 'PutRecords requests that failed as a whole'),
  spillway_requests_again_total: counter('stream', 'requests sent again after they had failed as a whole'),
  spillway_probes_total: counter('stream', 'requests without records, by which an open breaker finds out whether Kinesis is back'),
  spillway_records_total: counter('stream', 'records in answered requests'),
  spillway_records_failed_total: counter('stream', 'records of them that Kinesis refused'),

  spillway_stream_breaker_state: gauge('stream', "the stream's breaker, over all lanes: 0 closed, 1 half open, 2 open"),
  spillway_lane_breaker_state: gauge('lane', "the lane's breaker against saturation: 0 closed, 1 half open, 2 open"),
  spillway_ring_bytes: gauge('lane', "bytes that the lane's rings hold"),
  spillway_ring_capacity_bytes: gauge('lane', "bytes that the lane's rings can hold"),
  spillway_ring_oldest_seconds: gauge('lane', "age of the oldest event in the lane's rings; 0: they are empty"),
  spillway_lane_restarts_total: counter('lane', 'workers of the lane that ended by themselves, or were stuck, and got a successor'),

  spillway_dlq_events: gauge('stream kind', 'events in the DLQ: kind spilled goes back by itself, kind dead waits for an operator'),
  spillway_dlq_stream_bytes: gauge('stream', 'data and keys of these events'),
  spillway_dlq_bytes: gauge('', 'disk that the DLQ takes, with its reserve'),
  spillway_dlq_max_bytes: gauge('', 'disk that it may take: dlq.max_bytes'),
  spillway_dlq_reserve_bytes: gauge('', 'disk kept back for a full disk; 0: it is in use, or there is none'),
  spillway_dlq_full: gauge('cause', '1: events that must go to disk are refused for this cause; 0: not for this one'),
  spillway_dlq_failing: gauge('', '1: the last write or sync failed'),
  spillway_dlq_dropped_total: counter('reason', 'events of the DLQ that were dropped, of all streams'),
  spillway_dlq_segments_found: gauge('', 'segments that earlier runs left'),
  spillway_dlq_segments_indexed: gauge('', 'those of them that are in the books'),

  spillway_journal_bytes: gauge('', 'disk that the journal of ack level disk takes'),
  spillway_journal_events_total: counter('', 'events that it took'),
  spillway_journal_syncs_total: counter('', 'fdatasync calls that succeeded'),
  spillway_journal_marks_written_total: counter('', 'how often its file of marks was written'),
  spillway_journal_streams_behind: gauge('', 'streams with entries that are not marked as done'),
  spillway_journal_waiting_events: gauge('', 'events whose senders wait for the disk'),

  spillway_log_lines_lost_total: counter('', 'log lines lost because stdout was not read'),
  spillway_log_lines_suppressed_total: counter('', 'log lines held back by flood control'),
  spillway_alert_active: gauge('name stream', '1: the alert has fired and not cleared; stream is empty for one of the daemon'),

  spillway_ingress_to_ring_seconds: histogram('', 'from reading an event to its place in a ring'),
  spillway_ring_wait_seconds: histogram('stream', 'in the ring, until a lane takes the event'),
  spillway_linger_seconds: histogram('stream', 'in a batch that waits for company'),
  spillway_put_seconds: histogram('stream', 'one PutRecords request, sent to answered'),
  spillway_ingress_to_ack_seconds: histogram('stream', 'from reading an event to Kinesis having it'),
  spillway_journal_sync_seconds: histogram('', 'one fdatasync of the journal'),

  process_resident_memory_bytes: gauge('', 'memory of the process, all threads and rings'),
  process_cpu_seconds_total: counter('', 'CPU time of the process, user and system'),
  process_start_time_seconds: gauge('', 'when it started, seconds since 1970'),
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof metrics;

/** The same table with its precise type forgotten, for code that walks it. */
export const metricTable: Readonly<Record<string, Metric>> = metrics;
