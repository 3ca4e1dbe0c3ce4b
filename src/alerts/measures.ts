/**
 * What can be watched: a closed table of measures, each with its unit, the side on which it is bad, whether a stream has one of its
 * own, and what to look at when it is bad. Any thread; pure; the configuration, the runbook and the texts of alerts go by it.
 */

/** How a level of it is written: a time, bytes, or a plain number. */
export type Unit = 'ms' | 'bytes' | 'number';

export interface Measure {
  readonly unit: Unit;
  /** `above`: bad is what is larger than the threshold; `below`: what is smaller. */
  readonly side: 'above' | 'below';
  /** Whether one stream has it, beside all of them together; if not, it is the daemon's. */
  readonly perStream: boolean;
  /** Largest threshold that means anything; absent: none. */
  readonly most?: number;
  /** What it says when it is bad: completes "alert NAME: ". */
  readonly says: string;
  /** What to look at; the runbook has more at its anchor. */
  readonly hint: string;
}

const stream = { side: 'above', perStream: true } as const;
const daemon = { side: 'above', perStream: false } as const;

// biome-ignore format: a table
export const measures = {
  backlog_age: { ...stream, unit: 'ms', says: 'the oldest undelivered event waits',
    hint: 'is Kinesis reached and fast enough? breaker lines, error lines, spillway check --live' },
  backlog_bytes: { ...stream, unit: 'bytes', says: 'undelivered bytes',
    hint: 'are events faster than Kinesis takes them? requests lines: recordsFailed; shards' },
  time_to_full: { ...stream, side: 'below', unit: 'ms', says: 'at the present rate senders are refused in',
    hint: 'why is nothing delivered? else raise dlq.max_bytes or free the disk, and reload' },
  time_to_drain: { ...stream, unit: 'ms', says: 'at the present rate the backlog is delivered in',
    hint: 'more shards, fewer new events, or a larger dlq.replay_share' },
  breaker_open: { ...stream, unit: 'number', says: 'streams that a breaker keeps from the direct way',
    hint: 'breaker lines say which and why, error lines have the cure; spillway check --live' },
  dlq_bytes: { ...stream, unit: 'bytes', says: 'bytes in the DLQ',
    hint: 'spillway dlq stat: spills or dead letters, of which stream' },
  dlq_used: { ...daemon, unit: 'number', most: 1, says: 'used share of dlq.max_bytes',
    hint: 'why is nothing delivered? else raise dlq.max_bytes, and reload' },
  dlq_growth: { ...stream, unit: 'bytes', says: 'bytes by which the DLQ grows a second',
    hint: 'breaker lines: what keeps events from the direct way' },
  dead_letters: { ...stream, unit: 'number', says: 'dead letters that nobody has seen to',
    hint: 'spillway dlq show; replay when the cause is gone, else purge' },
  request_error_rate: { ...stream, unit: 'number', most: 1, says: 'share of requests that failed',
    hint: 'error lines have code and cure; spillway check --live' },
  record_error_rate: { ...stream, unit: 'number', most: 1, says: 'share of records that Kinesis refused',
    hint: 'too few shards, or one that is hot' },
  request_throttle_rate: { ...stream, unit: 'number', most: 1, says: 'share of requests that Kinesis throttled',
    hint: 'quota of the stream or its KMS key; fewer, larger requests (linger, batch_bytes)' },
  record_throttle_rate: { ...stream, unit: 'number', most: 1, says: 'share of records that shards had no room for',
    hint: 'too few shards, or one that is hot' },
  ingress_to_ack_p99: { ...stream, unit: 'ms', says: 'p99 from arrival until Kinesis has the event',
    hint: 'spillway hist: put is slow (Kinesis, the way to it), or ring_wait (CPU, throttling)' },
  lane_restarts: { ...daemon, unit: 'number', says: 'lane workers lost in five minutes',
    hint: 'worker lines: cause; memory and CPU of the host' },
  disk_free: { ...daemon, side: 'below', unit: 'bytes', says: 'free bytes on the disk of state_dir',
    hint: 'df; du: free it, or give the DLQ a disk of its own' },
  dlq_failing: { ...daemon, unit: 'number', most: 0, says: 'the disk of the DLQ fails',
    hint: 'dlq lines: code; dmesg, smartctl' },
  dlq_disk_full: { ...daemon, unit: 'number', most: 0, says: 'the disk of the DLQ is full',
    hint: 'df; free it: the reserve takes only what was accepted before' },
  dlq_full: { ...daemon, unit: 'number', most: 0, says: 'the DLQ takes no more: events that must go there are refused',
    hint: 'raise dlq.max_bytes, and reload; purge dead letters' },
  dlq_dropped: { ...daemon, unit: 'number', says: 'events that the DLQ dropped in five minutes',
    hint: 'dlq lines: reason; a larger dlq.max_bytes, a longer dlq.max_age' },
} as const satisfies Readonly<Record<string, Measure>>;

export type MeasureName = keyof typeof measures;

export const measureNames = Object.keys(measures) as readonly MeasureName[];

/** The row of a measure, with its precise type forgotten. */
export function measureOf(name: MeasureName): Measure {
  return measures[name];
}
