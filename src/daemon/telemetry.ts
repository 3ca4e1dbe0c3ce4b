/**
 * The periodic log lines and the status: ledger, backlog, latency. Main thread; on the log interval, and on request.
 */
import { BreakerState, breakerStateNames } from '../breaker/breaker.ts';
import type { AdmissionRing } from '../ingress/admission.ts';
import { LaneCounter } from '../observe/counters.ts';
import { type LatencyRecorder, type LatencySnapshot, latencyFields } from '../observe/latency.ts';
import { type Ledger, type LedgerReader, sumLedgers } from '../observe/ledger.ts';
import type { Log } from '../observe/log.ts';
import type { LogFields } from '../observe/log-schema.ts';
import type { Arena } from '../ring/arena.ts';
import { entry } from '../ring/layout.ts';
import type { StreamLatency } from '../threads/messages.ts';
import type { Overview } from './overview.ts';

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
  readonly dlqCondition: () => object;
  readonly journal: () => LogFields<'journal'>;
}

/** One stream's, or all streams', acknowledged and not yet delivered events. */
interface Backlog {
  readonly events: number;
  readonly bytes: number;
  readonly oldestMs: number;
}

/** One stream's, or all streams', PutRecords requests over all lanes. */
type Requests = Pick<LogFields<'requests'>, 'answered' | 'failed' | 'again' | 'probes' | 'records' | 'recordsFailed'>;

export class Telemetry {
  readonly #parts: TelemetryParts;
  /** The interval that the histograms now being logged cover: those of the lanes come a moment after it ended. */
  #window: { readonly startMs: number; readonly endMs: number };
  /** The latest snapshot of each histogram, for the status. */
  readonly #latest = new Map<string, LatencySnapshot>();

  constructor(parts: TelemetryParts) {
    this.#parts = parts;
    const nowMs = parts.nowMs();
    this.#window = { startMs: nowMs, endMs: nowMs };
  }

  /** Logs the books. The lanes' histograms follow as they come, by {@link laneLatencies}. */
  interval(): void {
    const { log, ledger, streams, latency, nowMs } = this.#parts;
    const ledgers = ledger.read();
    const total = sumLedgers(ledgers);
    log.info('ledger', 'ledger', { ...total });
    if (streams.length > 1) streams.forEach((stream, i) => log.info('ledger', 'ledger', { ...at(ledgers, i), stream }));
    log.info('requests', 'requests', sumRequests(streams.map((_, i) => this.#requests(i))));
    if (streams.length > 1)
      streams.forEach((stream, i) => log.info('requests', 'requests', { ...this.#requests(i), stream }));
    log.info('backlog', 'backlog', { ...this.#backlog(total, undefined) });
    const journal = this.#parts.journal();
    if (journal.events > 0) log.info('journal', 'journal', journal);
    this.#window = { startMs: this.#window.endMs, endMs: nowMs() };
    this.#logLatencies('main', undefined, latency.snapshotAndReset());
    log.tick();
  }

  laneLatencies(lane: number, latencies: readonly StreamLatency[]): void {
    for (const { stream, snapshots } of latencies) this.#logLatencies(lane, this.#parts.streams[stream], snapshots);
  }

  /** The document that `GET /v1/status` answers. */
  status(state: string): object {
    const { ledger, streams, rings, nowMs, startedMs, dlq, index, arena } = this.#parts;
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
          requests: this.#requests(i),
          dlq: { spilled, dead, bytes },
        },
      ];
    });
    return {
      state,
      uptimeMs: Math.round(nowMs() - startedMs),
      ledger: total,
      dlq: this.#parts.dlqCondition(),
      backlog: this.#backlog(total, undefined),
      journal: this.#parts.journal(),
      streams: Object.fromEntries(byStream),
      index: index(),
      lanes: Array.from({ length: rings.length / streams.length }, (_, lane) =>
        this.#lane(lane, rings.slice(lane * streams.length, (lane + 1) * streams.length)),
      ),
      latency: Object.fromEntries(
        [...this.#latest].map(([name, { count, p50, p90, p99, p999, max }]) => [
          name,
          { count, p50, p90, p99, p999, max },
        ]),
      ),
    };
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
      diverted: streams.filter((_, i) => isDiverted(i)),
    };
  }

  /** As of the ledger's last reading. */
  #requests(stream: number): Requests {
    const { ledger } = this.#parts;
    return {
      answered: ledger.laneSum(stream, LaneCounter.requests),
      failed: ledger.laneSum(stream, LaneCounter.requestsFailed),
      again: ledger.laneSum(stream, LaneCounter.requestsAgain),
      probes: ledger.laneSum(stream, LaneCounter.probes),
      records: ledger.laneSum(stream, LaneCounter.records),
      recordsFailed: ledger.laneSum(stream, LaneCounter.recordsFailed),
    };
  }

  #backlog(ledger: Ledger, stream: number | undefined): Backlog {
    const { rings, dlq, nowMs } = this.#parts;
    const own = stream === undefined ? rings : this.#ringsOf(stream);
    const { spilled, spilledBytes, oldestUs } = dlq(stream);
    const ringBytes = own.reduce((sum, { ring }) => sum + ring.usedBytes(), 0);
    const ringOldestMs = Math.max(0, ...own.map(({ ring }) => this.#oldestIn(ring)));
    const dlqOldestMs = oldestUs === 0 ? 0 : Math.max(0, nowMs() - oldestUs / 1000);
    return {
      events: ledger.inFlight + spilled,
      bytes: (ledger.inFlight > 0 ? ringBytes : 0) + spilledBytes,
      oldestMs: Math.round(Math.max(ringOldestMs, dlqOldestMs)),
    };
  }

  /** A lane's rings together: what is fullest, oldest or open among them. */
  #lane(lane: number, rings: readonly AdmissionRing[]): object {
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
      const where = stream === undefined ? { lane } : { lane, stream };
      const fields = latencyFields(snapshot, where, Math.round(startMs), Math.round(endMs - startMs));
      log.info('latency', snapshot.histogram, fields);
    }
  }
}

function sumRequests(streams: readonly Requests[]): Requests {
  const sum = (term: keyof Requests): number => streams.reduce((total, requests) => total + requests[term], 0);
  return {
    answered: sum('answered'),
    failed: sum('failed'),
    again: sum('again'),
    probes: sum('probes'),
    records: sum('records'),
    recordsFailed: sum('recordsFailed'),
  };
}

/** Several breakers as one: open if one is, else half open if one is. */
function together(states: readonly BreakerState[]): string {
  const shown = [BreakerState.open, BreakerState.halfOpen].find((state) => states.includes(state));
  return breakerStateNames[shown ?? BreakerState.closed];
}

function at<T>(list: readonly T[], index: number): T {
  return list[index] as T;
}
