/**
 * The periodic log lines and the status: ledger, backlog, latency. Main thread; on the log interval, and on request.
 */
import type { AlertStatus } from '../alerts/alerts.ts';
import type { Readings } from '../alerts/readings.ts';
import { BreakerState, breakerStateNames } from '../breaker/breaker.ts';
import type { DlqCondition } from '../dlq/condition.ts';
import type { ProcessUsage } from '../edges/process-usage.ts';
import type { AdmissionRing } from '../ingress/admission.ts';
import { type LatencyRecorder, type LatencySnapshot, latencyFields } from '../observe/latency.ts';
import { LatencyTotals } from '../observe/latency-totals.ts';
import { type Ledger, type LedgerReader, sumLedgers } from '../observe/ledger.ts';
import type { Log } from '../observe/log.ts';
import type { LogFields } from '../observe/log-schema.ts';
import type { Arena } from '../ring/arena.ts';
import { entry } from '../ring/layout.ts';
import type { StreamLatency } from '../threads/messages.ts';
import { EmfLines } from './emf-lines.ts';
import { metricsPage } from './metrics.ts';
import type { Overview } from './overview.ts';
import { requestsOf, sumRequests } from './requests.ts';
import type { Backlog, BreakerWord, LaneStatus, Status } from './status.ts';

/** What the DLQ holds of one stream, or in all. */
export interface DlqHoldings {
  readonly spilled: number;
  readonly dead: number;
  readonly bytes: number;
  readonly spilledBytes: number;
  /** When its oldest spill was first seen, microseconds since the epoch; 0: there is none. */
  readonly oldestUs: number;
}

export interface TelemetryParts {
  readonly arena: Arena;
  readonly log: Log;
  readonly nowMs: () => number;
  readonly startedMs: number;
  readonly streams: readonly string[];
  /** By lane, then by stream. */
  readonly rings: readonly AdmissionRing[];
  readonly ledger: LedgerReader;
  readonly latency: LatencyRecorder;
  readonly dlq: (stream: number | undefined) => DlqHoldings;
  /** Segments that earlier runs left, and how many of them are in the books. */
  readonly index: () => { readonly segments: number; readonly indexed: number };
  readonly dlqCondition: () => DlqCondition;
  readonly journal: () => LogFields<'journal'>;
  /** Events refused since the start, by code. */
  readonly refusals: () => Readonly<Record<string, number>>;
  /** By lane: workers lost since the start. */
  readonly lost: () => readonly number[];
  readonly usage: () => ProcessUsage;
  readonly version: string;
  /** Namespace of EMF lines; undefined: none are wanted. */
  readonly emfNamespace: () => string | undefined;
  readonly readings: Readings;
  readonly alerts: () => AlertStatus[];
}

export class Telemetry {
  readonly #parts: TelemetryParts;
  /** The interval that the histograms now being logged cover: those of the lanes come a moment after it ended. */
  #window: { readonly startMs: number; readonly endMs: number };
  /** The latest snapshot of each histogram, for the status. */
  readonly #latest = new Map<string, LatencySnapshot>();
  readonly #totals = new LatencyTotals();
  readonly #emf: EmfLines;

  constructor(parts: TelemetryParts) {
    this.#parts = parts;
    const nowMs = parts.nowMs();
    this.#emf = new EmfLines(parts.log);
    this.#window = { startMs: nowMs, endMs: nowMs };
  }

  /** Logs the books, in `state`. The lanes' histograms follow as they come, by {@link laneLatencies}. */
  interval(state: string): void {
    const { log, ledger, streams, latency, nowMs } = this.#parts;
    const ledgers = ledger.read();
    const total = sumLedgers(ledgers);
    log.info('ledger', 'ledger', { ...total });
    if (streams.length > 1) streams.forEach((stream, i) => log.info('ledger', 'ledger', { ...at(ledgers, i), stream }));
    log.info('requests', 'requests', sumRequests(streams.map((_, i) => requestsOf(ledger, i))));
    if (streams.length > 1)
      streams.forEach((stream, i) => log.info('requests', 'requests', { ...requestsOf(ledger, i), stream }));
    log.info('backlog', 'backlog', { ...this.#backlog(total, undefined) });
    if (streams.length > 1)
      streams.forEach((stream, i) => log.info('backlog', 'backlog', { ...this.#backlog(at(ledgers, i), i), stream }));
    const journal = this.#parts.journal();
    if (journal.events > 0) log.info('journal', 'journal', journal);
    this.#window = { startMs: this.#window.endMs, endMs: nowMs() };
    const namespace = this.#parts.emfNamespace();
    if (namespace === undefined) this.#emf.off();
    else this.#emf.interval(namespace, this.#window.endMs, this.status(state));
    this.#logLatencies('main', undefined, latency.snapshotAndReset());
    log.tick();
  }

  laneLatencies(lane: number, latencies: readonly StreamLatency[]): void {
    for (const { stream, snapshots } of latencies) this.#logLatencies(lane, this.#parts.streams[stream], snapshots);
  }

  /** The document that `GET /v1/status` answers. */
  status(state: string): Status {
    const { ledger, streams, rings, nowMs, startedMs, dlq, index, arena, lost, log, usage, version } = this.#parts;
    const restarts = lost();
    const ledgers = ledger.read();
    const total = sumLedgers(ledgers);
    const byStream = streams.map((name, i) => {
      const { spilled, dead, bytes } = dlq(i);
      const breaker = together(
        this.#ringsOf(i).map(({ breakerWord }) => Atomics.load(arena.words, breakerWord) as BreakerState),
      );
      return [
        name,
        {
          ledger: at(ledgers, i),
          breaker,
          backlog: this.#backlog(at(ledgers, i), i),
          requests: requestsOf(ledger, i),
          dlq: { spilled, dead, bytes },
        },
      ];
    });
    return {
      state,
      version,
      alerts: this.#parts.alerts(),
      uptimeMs: Math.round(nowMs() - startedMs),
      process: usage(),
      ledger: total,
      refusals: this.#parts.refusals(),
      dlq: this.#parts.dlqCondition(),
      backlog: this.#backlog(total, undefined),
      journal: this.#parts.journal(),
      streams: Object.fromEntries(byStream),
      index: index(),
      lanes: restarts.map((lostOnes, lane) => ({
        ...this.#lane(lane, rings.slice(lane * streams.length, (lane + 1) * streams.length)),
        restarts: lostOnes,
      })),
      log: log.counts,
      latency: Object.fromEntries(
        [...this.#latest].map(([name, { count, p50, p90, p99, p999, max }]) => [
          name,
          { count, p50, p90, p99, p999, max },
        ]),
      ),
    };
  }

  /** The page that `GET /metrics` answers. */
  metrics(state: string): string {
    return metricsPage(this.status(state), this.#totals);
  }

  /** What `systemctl status` shows. */
  overview(): Overview {
    const { ledger, streams, dlq, arena } = this.#parts;
    const total = sumLedgers(ledger.read());
    const { spilled, dead } = dlq(undefined);
    const isDiverted = (i: number): boolean =>
      this.#ringsOf(i).some(
        ({ saturation, breakerWord }) =>
          saturation.isOpen || Atomics.load(arena.words, breakerWord) !== BreakerState.closed,
      );
    return {
      accepted: total.accepted,
      delivered: total.delivered,
      backlog: this.#backlog(total, undefined),
      spilled,
      dead,
      alerts: [...new Set(this.#parts.alerts().flatMap(({ name, state }) => (state === 'active' ? [name] : [])))],
      diverted: streams.filter((_, i) => isDiverted(i)),
    };
  }

  #backlog(ledger: Ledger, stream: number | undefined): Backlog {
    const { rings, dlq, nowMs, readings } = this.#parts;
    const own = stream === undefined ? rings : this.#ringsOf(stream);
    const { spilled, spilledBytes, oldestUs } = dlq(stream);
    const ringBytes = own.reduce((sum, { ring }) => sum + ring.usedBytes(), 0);
    const ringOldestMs = Math.max(0, ...own.map(({ ring }) => this.#oldestIn(ring)));
    const dlqOldestMs = oldestUs === 0 ? 0 : Math.max(0, nowMs() - oldestUs / 1000);
    return {
      events: ledger.inFlight + spilled,
      bytes: (ledger.inFlight > 0 ? ringBytes : 0) + spilledBytes,
      oldestMs: Math.round(Math.max(ringOldestMs, dlqOldestMs)),
      ...readings.outlook(stream),
    };
  }

  /** A lane's rings together: what is fullest, oldest or open among them. */
  #lane(lane: number, rings: readonly AdmissionRing[]): Omit<LaneStatus, 'restarts'> {
    return {
      lane,
      breaker: together(rings.map(({ saturation }) => saturation.state)),
      ringBytes: rings.reduce((sum, { ring }) => sum + ring.usedBytes(), 0),
      ringCapacity: rings.reduce((sum, { ring }) => sum + ring.capacity, 0),
      oldestMs: Math.max(...rings.map(({ ring }) => this.#oldestIn(ring))),
    };
  }

  #ringsOf(stream: number): AdmissionRing[] {
    const { rings, streams } = this.#parts;
    return rings.filter((_, i) => i % streams.length === stream);
  }

  #oldestIn(ring: AdmissionRing['ring']): number {
    const { arena, nowMs } = this.#parts;
    const oldest = ring.oldest();
    if (oldest === 0) return 0;
    return Math.max(0, Math.round(nowMs() - (arena.floats[(oldest + entry.firstSeenUs) >>> 3] as number) / 1000));
  }

  #logLatencies(lane: number | 'main', stream: string | undefined, snapshots: readonly LatencySnapshot[]): void {
    const { log } = this.#parts;
    const { startMs, endMs } = this.#window;
    for (const snapshot of snapshots) {
      this.#latest.set(snapshot.histogram, snapshot);
      this.#totals.add(stream, snapshot);
      if (stream !== undefined) this.#emf.add(stream, snapshot);
      const where = stream === undefined ? { lane } : { lane, stream };
      const fields = latencyFields(snapshot, where, Math.round(startMs), Math.round(endMs - startMs));
      log.info('latency', snapshot.histogram, fields);
    }
  }
}

/** Several breakers as one: open if one is, else half open if one is. */
function together(states: readonly BreakerState[]): BreakerWord {
  const shown = [BreakerState.open, BreakerState.halfOpen].find((state) => states.includes(state));
  return breakerStateNames[shown ?? BreakerState.closed];
}

function at<T>(list: readonly T[], index: number): T {
  return list[index] as T;
}
