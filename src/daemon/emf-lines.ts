/**
 * The EMF lines of each interval: what the status says now, and what came since the line before. Main thread; called by telemetry
 * where `log.emf` is on. Latencies are those of the interval before: lanes send theirs a moment after an interval has ended.
 */
import { type EmfDaemon, type EmfStream, emfMetadata, emfValuesMax } from '../observe/emf.ts';
import { HdrCounts } from '../observe/hdr-counts.ts';
import { HdrDecoder } from '../observe/hdr-decode.ts';
import type { LatencySnapshot } from '../observe/latency.ts';
import type { Log } from '../observe/log.ts';
import type { LaneStatus, Status, StreamStatus } from './status.ts';

/** What counters are compared with. */
interface Before {
  readonly streams: Readonly<Record<string, StreamStatus>>;
  readonly restarts: number;
  readonly linesLost: number;
}

const nothing: Before = { streams: {}, restarts: 0, linesLost: 0 };

export class EmfLines {
  readonly #log: Log;
  readonly #decoder = new HdrDecoder();
  /** Of the interval that ends: `histogram stream`, then encoded histograms, one for each lane. */
  #latencies = new Map<string, string[]>();
  /** Undefined: what came before is not known, because no lines were wanted. */
  #before: Before | undefined = nothing;

  constructor(log: Log) {
    this.#log = log;
  }

  /** No lines are wanted now. */
  off(): void {
    this.#before = undefined;
    this.#latencies.clear();
  }

  /** One lane's latencies of a stream. */
  add(stream: string, { histogram, base64 }: LatencySnapshot): void {
    if (this.#before === undefined || (histogram !== 'ingress_to_ack' && histogram !== 'put')) return;
    const key = `${histogram} ${stream}`;
    const known = this.#latencies.get(key);
    if (known === undefined) this.#latencies.set(key, [base64]);
    else known.push(base64);
  }

  /** Logs the lines; none the first time after {@link off}. */
  interval(namespace: string, timeMs: number, status: Status): void {
    const before = this.#before;
    const after = { streams: status.streams, restarts: restartsOf(status.lanes), linesLost: status.log.linesLost };
    this.#before = after;
    if (before !== undefined) {
      for (const [stream, figures] of Object.entries(status.streams)) {
        const line = this.#ofStream(stream, figures, before.streams[stream]);
        const fields = { _aws: emfMetadata(namespace, timeMs, ['Stream'], line), Stream: stream, ...line };
        this.#log.info('emf', 'emf', fields);
      }
      const line = ofDaemon(status, after, before);
      this.#log.info('emf', 'emf', { _aws: emfMetadata(namespace, timeMs, [], line), ...line });
    }
    this.#latencies.clear();
  }

  #ofStream(stream: string, now: StreamStatus, before: StreamStatus | undefined): EmfStream {
    const { ledger, requests, backlog, breaker, dlq } = now;
    const events = (term: 'received' | 'refused' | 'accepted' | 'delivered' | 'dropped'): number =>
      ledger[term] - (before?.ledger[term] ?? 0);
    const since = (term: 'answered' | 'failed' | 'records' | 'recordsFailed'): number =>
      requests[term] - (before?.requests[term] ?? 0);
    const ingressToAck = this.#values('ingress_to_ack', stream);
    const put = this.#values('put', stream);
    return {
      Received: events('received'),
      Refused: events('refused'),
      Accepted: events('accepted'),
      Delivered: events('delivered'),
      Dropped: events('dropped'),
      BacklogEvents: backlog.events,
      BacklogBytes: backlog.bytes,
      BacklogOldest: backlog.oldestMs,
      RequestsAnswered: since('answered'),
      RequestsFailed: since('failed'),
      Records: since('records'),
      RecordsFailed: since('recordsFailed'),
      BreakerOpen: Number(breaker !== 'closed'),
      DlqSpilled: dlq.spilled,
      DlqDead: dlq.dead,
      ...(ingressToAck.length > 0 && { IngressToAck: ingressToAck }),
      ...(put.length > 0 && { Put: put }),
    };
  }

  /** Milliseconds. */
  #values(histogram: 'ingress_to_ack' | 'put', stream: string): number[] {
    const counts = new HdrCounts();
    for (const base64 of this.#latencies.get(`${histogram} ${stream}`) ?? []) {
      this.#decoder.decode(base64);
      this.#decoder.addTo(counts);
    }
    return counts.spread(emfValuesMax).map((valueUs) => valueUs / 1000);
  }
}

function ofDaemon({ lanes, dlq, journal, process, alerts = [] }: Status, now: Before, before: Before): EmfDaemon {
  return {
    RingPercent: percent(Math.max(...lanes.map(({ ringBytes, ringCapacity }) => ringBytes / ringCapacity))),
    LaneRestarts: now.restarts - before.restarts,
    DlqPercent: percent(dlq.bytes / dlq.maxBytes),
    DlqFull: Number(dlq.full),
    DlqFailing: Number(dlq.failing),
    JournalBytes: journal.bytes,
    JournalWaiting: journal.waiting,
    LogLinesLost: now.linesLost - before.linesLost,
    AlertsActive: alerts.filter(({ state }) => state === 'active').length,
    ResidentMemory: process.rssBytes,
  };
}

function restartsOf(lanes: readonly LaneStatus[]): number {
  return lanes.reduce((sum, { restarts }) => sum + restarts, 0);
}

/** To a tenth. */
function percent(share: number): number {
  return Math.round(1000 * share) / 10;
}
