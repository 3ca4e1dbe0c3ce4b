/**
 * From what the daemon counts to what its alerts watch: rates, times to full and to drain, shares. Main thread; pure; sampled
 * together with each evaluation of the alerts, a few times a second, and read by status and log in between.
 */
import type { MeasureName } from './measures.ts';
import { Recent } from './recent.ts';
import { Trend } from './trend.ts';

/** One stream as it is now. Counters are since the start. */
export interface StreamSample {
  readonly backlogBytes: number;
  /** Age of its oldest undelivered event, milliseconds; 0: there is none. */
  readonly oldestMs: number;
  /** What it may still take before senders are refused or held: of the disk if it spills, else of its rings. */
  readonly roomBytes: number;
  readonly dlqBytes: number;
  readonly dead: number;
  /** A breaker keeps it from the direct way. */
  readonly isDiverted: boolean;
  /** In the order of {@link requestCounters}. */
  readonly requests: readonly number[];
  /** Of its slowest lane, in the last log interval; undefined: nothing was delivered. */
  readonly ackP99Ms: number | undefined;
}

export interface DaemonSample {
  /** On disk, reserve and dead letters included. */
  readonly dlqBytes: number;
  readonly dlqMaxBytes: number;
  readonly isFull: boolean;
  readonly isDiskFull: boolean;
  readonly isFailing: boolean;
  /** Events that the DLQ dropped since the start. */
  readonly dropped: number;
  readonly lanesLost: number;
  /** Undefined: not known. */
  readonly diskFreeBytes: number | undefined;
}

export const requestCounters = [
  'answered',
  'failed',
  'throttled',
  'records',
  'recordsFailed',
  'recordsThrottled',
] as const;
const counters = requestCounters.length;

/** Rates of errors are those of so long, and none of less than {@link rateLeast} requests: one that failed alone is no rate. */
const rateWindowMs = 30_000;
const rateStepMs = 1_000;
const rateLeast = 10;

/** Restarts and drops are those of so long. */
const countWindowMs = 300_000;
const countStepMs = 5_000;

/** What is on its way to Kinesis comes and goes: a backlog whose oldest event is younger than this neither fills nor drains. */
const standingMsLeast = 1_000;

/** Whatever takes longer than thirty days does not fill and does not drain. */
const timeMsMost = 30 * 86_400_000;

export class Readings {
  /** By stream; last all together. */
  readonly #backlog: readonly Trend[];
  readonly #dlq: readonly Trend[];
  /** By stream. */
  readonly #filled: readonly Trend[];
  readonly #rates: Recent;
  readonly #totals: Float64Array;
  readonly #counts = new Recent(2, countWindowMs, countStepMs);
  #streams: readonly StreamSample[] = [];
  #daemon: DaemonSample | undefined;
  #all = { bytes: 0, oldestMs: 0 };

  constructor(streams: number) {
    const trends = (count: number): Trend[] => Array.from({ length: count }, () => new Trend());
    this.#backlog = trends(streams + 1);
    this.#dlq = trends(streams + 1);
    this.#filled = trends(streams);
    this.#totals = new Float64Array((streams + 1) * counters);
    this.#rates = new Recent(this.#totals.length, rateWindowMs, rateStepMs);
  }

  /** `backlog`: of all streams, and of what lies on disk for others. */
  sample(
    streams: readonly StreamSample[],
    daemon: DaemonSample,
    backlog: { readonly bytes: number; readonly oldestMs: number },
    nowMs: number,
  ): void {
    this.#streams = streams;
    this.#daemon = daemon;
    this.#all = { ...backlog };
    this.#totals.fill(0, streams.length * counters);
    streams.forEach(({ backlogBytes, dlqBytes, roomBytes, requests }, i) => {
      this.#backlog[i]?.sample(backlogBytes, nowMs);
      this.#dlq[i]?.sample(dlqBytes, nowMs);
      this.#filled[i]?.sample(-roomBytes, nowMs);
      requests.forEach((count, c) => {
        this.#totals[i * counters + c] = count;
        (this.#totals[streams.length * counters + c] as number) += count;
      });
    });
    this.#backlog[streams.length]?.sample(backlog.bytes, nowMs);
    this.#dlq[streams.length]?.sample(daemon.dlqBytes, nowMs);
    this.#rates.sample(this.#totals, nowMs);
    this.#counts.sample(Float64Array.of(daemon.lanesLost, daemon.dropped), nowMs);
  }

  /** Until senders are refused (or held), at the present rate; undefined: it does not fill. `stream` undefined: the first that is full. */
  toFullMs(stream: number | undefined): number | undefined {
    if (stream !== undefined) return this.#streamToFullMs(stream);
    const all = this.#streams.map((_, i) => this.#streamToFullMs(i)).filter((ms) => ms !== undefined);
    return all.length === 0 ? undefined : Math.min(...all);
  }

  /** Until all of the backlog is delivered, at the present rate; undefined: it does not shrink, or there is none. */
  toDrainMs(stream: number | undefined): number | undefined {
    const one = stream === undefined ? undefined : this.#streams[stream];
    const { bytes, oldestMs } = one === undefined ? this.#all : { bytes: one.backlogBytes, oldestMs: one.oldestMs };
    if (oldestMs < standingMsLeast) return undefined;
    return timeOf(bytes, -this.#of(this.#backlog, stream).perSecond());
  }

  /** Both, as far as there are such times. */
  outlook(stream: number | undefined): { readonly toFullMs?: number; readonly toDrainMs?: number } {
    const [toFullMs, toDrainMs] = [this.toFullMs(stream), this.toDrainMs(stream)];
    return { ...(toFullMs === undefined ? {} : { toFullMs }), ...(toDrainMs === undefined ? {} : { toDrainMs }) };
  }

  /** In the measure's unit; undefined: there is no such value now. `stream` undefined: all together, or the daemon. */
  value(measure: MeasureName, stream: number | undefined): number | undefined {
    const daemon = this.#daemon;
    if (daemon === undefined) return undefined;
    const own = stream === undefined ? this.#streams : this.#streams.slice(stream, stream + 1);
    switch (measure) {
      case 'backlog_age':
        return own.length === 1 ? own[0]?.oldestMs : this.#all.oldestMs;
      case 'backlog_bytes':
        return own.length === 1 ? own[0]?.backlogBytes : this.#all.bytes;
      case 'time_to_full':
        return this.toFullMs(stream);
      case 'time_to_drain':
        return this.toDrainMs(stream);
      case 'breaker_open':
        return own.filter(({ isDiverted }) => isDiverted).length;
      case 'dlq_bytes':
        return stream === undefined ? daemon.dlqBytes : own[0]?.dlqBytes;
      case 'dlq_used':
        return daemon.dlqBytes / daemon.dlqMaxBytes;
      case 'dlq_growth':
        return Math.max(0, this.#of(this.#dlq, stream).perSecond());
      case 'dead_letters':
        return own.reduce((sum, { dead }) => sum + dead, 0);
      case 'request_error_rate':
        return this.#rate(stream, 'failed', 'answered');
      case 'request_throttle_rate':
        return this.#rate(stream, 'throttled', 'answered');
      case 'record_error_rate':
        return this.#rate(stream, 'recordsFailed', undefined);
      case 'record_throttle_rate':
        return this.#rate(stream, 'recordsThrottled', undefined);
      case 'ingress_to_ack_p99':
        return greatest(own.map(({ ackP99Ms }) => ackP99Ms));
      case 'lane_restarts':
        return this.#counts.growth(0, daemon.lanesLost);
      case 'disk_free':
        return daemon.diskFreeBytes;
      case 'dlq_failing':
        return Number(daemon.isFailing);
      case 'dlq_disk_full':
        return Number(daemon.isDiskFull);
      case 'dlq_full':
        return Number(daemon.isFull);
      case 'dlq_dropped':
        return this.#counts.growth(1, daemon.dropped);
      default:
        return measure satisfies never;
    }
  }

  #streamToFullMs(stream: number): number | undefined {
    const { oldestMs, roomBytes } = this.#streams[stream] ?? { oldestMs: 0, roomBytes: 0 };
    if (oldestMs < standingMsLeast) return undefined;
    return roomBytes <= 0 ? 0 : timeOf(roomBytes, this.#filled[stream]?.perSecond() ?? 0);
  }

  #of(trends: readonly Trend[], stream: number | undefined): Trend {
    return trends[stream ?? this.#streams.length] as Trend;
  }

  /** Share of requests, answered and failed ones, or of records. */
  #rate(
    stream: number | undefined,
    part: (typeof requestCounters)[number],
    others: 'answered' | undefined,
  ): number | undefined {
    const grown = (name: (typeof requestCounters)[number]): number => {
      const index = (stream ?? this.#streams.length) * counters + requestCounters.indexOf(name);
      return this.#rates.growth(index, this.#totals[index] as number);
    };
    const requests = grown('answered') + grown('failed');
    if (requests < rateLeast) return undefined;
    const whole = others === undefined ? grown('records') : requests;
    return whole === 0 ? undefined : grown(part) / whole;
  }
}

/** Undefined: it does not move, or so little that it means nothing. */
function timeOf(bytes: number, perSecond: number): number | undefined {
  if (perSecond <= 0) return undefined;
  const ms = Math.round((1_000 * bytes) / perSecond);
  return ms > timeMsMost ? undefined : ms;
}

function greatest(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce(
    (most, value) => (value !== undefined && (most === undefined || value > most) ? value : most),
    undefined,
  );
}
