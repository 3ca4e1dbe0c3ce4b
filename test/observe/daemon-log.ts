/**
 * A daemon's log of any size, by the real code of log and histograms, for tests and the lane that read one: each interval has
 * latency lines of all lanes and streams beside the books, and now and then something happens. It keeps the raw values that the
 * lines stand for.
 *
 * Encoding a histogram takes a millisecond, so that a gigabyte would take ten minutes: there are some hundred, in use again and
 * again.
 */
import { Latency, LatencyRecorder, type LatencySnapshot, latencyFields } from '../../src/observe/latency.ts';
import { createLog, type Log } from '../../src/observe/log.ts';
import { random } from './latency-log.ts';

const lanes = 10;
const streams = ['orders', 'clicks'];
const intervalMs = 10_000;
const variants = 24;

/** What lanes measure: typical values in microseconds, and how far they spread. */
const measured = [
  { handle: Latency.ringWait, medianUs: 300, spread: 0.8, countMax: 20_000 },
  { handle: Latency.linger, medianUs: 40_000, spread: 0.4, countMax: 20_000 },
  { handle: Latency.put, medianUs: 15_000, spread: 0.5, countMax: 400 },
  { handle: Latency.ingressToAck, medianUs: 70_000, spread: 0.5, countMax: 20_000 },
];

interface Variant {
  readonly snapshot: LatencySnapshot;
  readonly valuesUs: readonly number[];
  uses: number;
}

export class DaemonLog {
  /** Bytes of all lines so far. */
  bytes = 0;
  latencyLines = 0;
  otherLines = 0;
  readonly #next: () => number;
  readonly #log: Log;
  readonly #variants: readonly (readonly Variant[])[];
  #nowMs: number;
  #accepted = 0;

  constructor(seed: number, startMs: number, write: (line: string) => void) {
    this.#next = random(seed);
    this.#nowMs = startMs;
    this.#log = createLog({
      level: 'info',
      nowMs: () => this.#nowMs,
      write: (line) => {
        this.bytes += line.length;
        write(line);
      },
    });
    this.#variants = measured.map((each) => this.#makeVariants(each));
  }

  /** Writes what a daemon writes each interval. */
  interval(): void {
    const windowStartMs = this.#nowMs;
    this.#nowMs += intervalMs;
    this.#books();
    for (let lane = 0; lane < lanes; lane++) {
      for (const stream of streams) {
        for (const ofHistogram of this.#variants) {
          const variant = ofHistogram[Math.floor(this.#next() * variants)] as Variant;
          variant.uses++;
          const { snapshot } = variant;
          this.#log.info(
            'latency',
            snapshot.histogram,
            latencyFields(snapshot, { lane, stream }, windowStartMs, intervalMs),
          );
          this.latencyLines++;
        }
      }
    }
  }

  /** For each histogram its count and exact percentiles, of all raw values that were written. */
  exact(): {
    readonly histogram: string;
    readonly count: number;
    readonly percentileUs: (percentile: number) => number;
  }[] {
    return this.#variants.map((ofHistogram) => {
      const weighted = ofHistogram
        .flatMap(({ valuesUs, uses }) => valuesUs.map((valueUs) => ({ valueUs, uses })))
        .sort((a, b) => a.valueUs - b.valueUs);
      const count = weighted.reduce((sum, { uses }) => sum + uses, 0);
      const percentileUs = (percentile: number): number => {
        const rank = Math.max(1, Math.ceil((percentile / 100) * count - 1e-6));
        let passed = 0;
        return weighted.find(({ uses }) => (passed += uses) >= rank)?.valueUs ?? 0;
      };
      return { histogram: (ofHistogram[0] as Variant).snapshot.histogram, count, percentileUs };
    });
  }

  #books(): void {
    this.#accepted += Math.floor(this.#next() * 1e6);
    const books = { received: this.#accepted, refused: 0, accepted: this.#accepted, delivered: this.#accepted - 1_000 };
    const rest = { inFlight: 1_000, dlq: 0, dropped: 0, recovered: 0 };
    const sent = { answered: 9, failed: 0, again: 0, probes: 0, records: 900, recordsFailed: 1 };
    const requests = { ...sent, throttled: 0, recordsThrottled: 1 };
    for (const where of [{}, ...streams.map((stream) => ({ stream }))]) {
      this.#log.info('ledger', 'ledger', { ...books, ...rest, ...where });
      this.#log.info('requests', 'requests', { ...requests, ...where });
    }
    this.#log.info('backlog', 'backlog', { events: 1_000, bytes: 200_000, oldestMs: 70 });
    this.otherLines += 7;
    if (this.#next() < 0.1) {
      this.#log.warn('worker', 'lane worker lost', {
        lane: Math.floor(this.#next() * lanes),
        state: 'lost',
        cause: 'exit',
      });
      this.otherLines++;
    }
  }

  #makeVariants({ handle, medianUs, spread, countMax }: (typeof measured)[number]): Variant[] {
    const recorder = new LatencyRecorder('js');
    return Array.from({ length: variants }, () => {
      const count = Math.ceil(countMax ** (0.3 + 0.7 * this.#next()));
      const valuesUs = Array.from({ length: count }, () => {
        const normal = Math.sqrt(-2 * Math.log(1 - this.#next())) * Math.cos(2 * Math.PI * this.#next());
        return Math.floor(medianUs * Math.exp(spread * normal));
      });
      for (const valueUs of valuesUs) recorder.record(handle, valueUs, 1);
      const [snapshot] = recorder.snapshotAndReset();
      if (snapshot === undefined) throw new Error('nothing was recorded');
      return { snapshot, valuesUs, uses: 0 };
    });
  }
}
