/**
 * Metrics in the CloudWatch embedded metric format: a log line from which CloudWatch Logs takes metrics by itself. Main thread; pure;
 * the table of these metrics, and the metadata that makes a line of them such a line.
 *
 * Counters are what came since the line before. Latencies are arrays of at most {@link emfValuesMax} values at even ranks, from which
 * CloudWatch computes percentiles to the nearest hundredth; their sample count is that of the array.
 * Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */

/** Values that one metric of a line may have; the format's limit. */
export const emfValuesMax = 100;

type Unit = 'Count' | 'Bytes' | 'Milliseconds' | 'Percent';

const field = <U extends Unit>(unit: U, says: string) => ({ type: 'number', optional: true, unit, says }) as const;
const values = (says: string) => ({ type: 'numbers', optional: true, unit: 'Milliseconds', says }) as const;

/** Metrics of a stream's line, whose dimension is `Stream`. */
const streamFields = {
  Received: field('Count', 'events received since the line before'),
  Refused: field('Count', 'events refused since then'),
  Accepted: field('Count', 'events accepted since then'),
  Delivered: field('Count', 'events delivered since then'),
  Dropped: field('Count', 'events dropped since then'),
  BacklogEvents: field('Count', 'events waiting'),
  BacklogBytes: field('Bytes', 'bytes waiting'),
  BacklogOldest: field('Milliseconds', 'age of the oldest event'),
  RequestsAnswered: field('Count', 'requests that Kinesis answered since the line before'),
  RequestsFailed: field('Count', 'requests that failed as a whole since then'),
  Records: field('Count', 'records in answered requests since then'),
  RecordsFailed: field('Count', 'records that Kinesis refused since then'),
  BreakerOpen: field('Count', "1: the stream's breaker is not closed"),
  DlqSpilled: field('Count', 'events in the DLQ that go back by themselves'),
  DlqDead: field('Count', 'dead letters'),
  IngressToAck: values('from reading an event to Kinesis having it, in the interval before; even ranks'),
  Put: values('one PutRecords request, in the interval before; even ranks'),
} as const;

/** Metrics of the daemon's line, which has no dimension. */
const daemonFields = {
  RingPercent: field('Percent', 'how full the fullest lane is'),
  LaneRestarts: field('Count', 'workers lost since the line before'),
  DlqPercent: field('Percent', 'share of dlq.max_bytes that is taken'),
  DlqFull: field('Count', '1: events that must go to disk are refused'),
  DlqFailing: field('Count', '1: the last write or sync failed'),
  JournalBytes: field('Bytes', 'disk that the journal takes'),
  JournalWaiting: field('Count', 'events whose senders wait for the disk'),
  LogLinesLost: field('Count', 'log lines lost since the line before'),
  AlertsActive: field('Count', 'alerts that have fired and not cleared'),
  ResidentMemory: field('Bytes', 'memory of the process'),
} as const;

/** As fields of a log line. */
export const emfFields = { ...streamFields, ...daemonFields } as const;

/** By name. */
type Values<Fields extends Readonly<Record<string, { readonly type: string }>>> = {
  readonly [Name in keyof Fields]: Fields[Name]['type'] extends 'numbers' ? readonly number[] : number;
};
/** `IngressToAck` and `Put` are absent where nothing was measured: the format takes no empty array. */
export type EmfStream = Omit<Values<typeof streamFields>, 'IngressToAck' | 'Put'> &
  Partial<Pick<Values<typeof streamFields>, 'IngressToAck' | 'Put'>>;
export type EmfDaemon = Values<typeof daemonFields>;

/** The member `_aws` of a line. */
export interface EmfMetadata {
  /** Milliseconds since 1970. */
  readonly Timestamp: number;
  readonly CloudWatchMetrics: readonly {
    readonly Namespace: string;
    readonly Dimensions: readonly (readonly string[])[];
    readonly Metrics: readonly { readonly Name: string; readonly Unit: Unit }[];
  }[];
}

/** Declares all metrics of `line`. */
export function emfMetadata(
  namespace: string,
  timeMs: number,
  dimensions: readonly string[],
  line: EmfStream | EmfDaemon,
): EmfMetadata {
  const names = Object.keys(line) as (keyof typeof emfFields)[];
  const Metrics = names.map((Name) => ({ Name, Unit: emfFields[Name].unit }));
  return {
    Timestamp: Math.round(timeMs),
    CloudWatchMetrics: [{ Namespace: namespace, Dimensions: [dimensions], Metrics }],
  };
}
