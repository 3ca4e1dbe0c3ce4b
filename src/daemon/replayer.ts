/**
 * Brings spilled events back from the DLQ into the rings, oldest first, when there is room for them beside live traffic. Main
 * thread; runs by itself, in small steps on a timer.
 *
 * ```
 *   DLQ segments ─ window ─▶ ring (only up to replay_share of it) ─▶ lane ─▶ Kinesis
 *        ▲                                                             │
 *        └── checkpoint(position): all lanes have given back ◀─────────┘
 *            everything that was in the rings when it was pushed
 * ```
 * An event that is on its way again stays on disk until then: a crash sends it twice, never not at all.
 */
import type { Admission } from '../ingress/admission.ts';
import { MainCounter, type MainCounters } from '../observe/counters.ts';
import { flagReplayed } from '../ring/layout.ts';
import type { RingProducer } from '../ring/producer.ts';

/** Time between two steps, and the most bytes that one brings back: up to 400 MB/s, a few milliseconds at a time. */
const stepMs = 5;
const stepBytesMax = 2 * 1024 * 1024;

/** What of the DLQ is needed here; `src/dlq` has it. */
export interface ReplaySource {
  readonly cursor: {
    readonly stream: number;
    readonly firstSeenUs: number;
    readonly keyOffset: number;
    readonly keyLength: number;
    readonly ehkOffset: number;
    readonly dataOffset: number;
    readonly dataLength: number;
    readonly position: number;
    load(): Promise<boolean>;
    next(): boolean;
    unread(): void;
  };
  readonly spilledEvents: number;
  checkpoint(position: number): void;
}

export interface ReplayerParts {
  readonly dlq: ReplaySource;
  readonly admission: Admission;
  readonly rings: readonly RingProducer[];
  readonly counters: MainCounters;
  /** Share of a ring up to which replayed events may fill it. */
  readonly share: number;
  readonly onFailure: (error: unknown) => void;
}

export class Replayer {
  readonly #parts: ReplayerParts;
  /** What was pushed and is not known to be done: a DLQ position, and where each ring stood then. Bounded by the rings. */
  readonly #marks: { readonly position: number; readonly rings: readonly number[] }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #loading = false;
  #loaded = false;

  constructor(parts: ReplayerParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => this.#step(), stepMs);
  }

  /** No more is brought back; what is on its way is checkpointed by {@link finish}. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** The rings are empty, into Kinesis or into the DLQ: all that was brought back is done. */
  finish(): void {
    const last = this.#marks.at(-1);
    this.#marks.length = 0;
    if (last !== undefined) this.#parts.dlq.checkpoint(last.position);
  }

  /** Tells the DLQ what is done. */
  #settle(): void {
    const { rings, dlq } = this.#parts;
    let done = -1;
    while (this.#marks.length > 0) {
      const mark = this.#marks[0] as { position: number; rings: readonly number[] };
      if (!rings.every((ring, i) => ring.passed(mark.rings[i] as number))) break;
      done = mark.position;
      this.#marks.shift();
    }
    if (done >= 0) dlq.checkpoint(done);
  }

  #step(): void {
    this.#settle();
    if (this.#loading) return;
    if (!this.#loaded) {
      if (this.#parts.dlq.spilledEvents > 0 && this.#hasRoom()) this.#load();
      return;
    }
    this.#push();
  }

  #load(): void {
    this.#loading = true;
    this.#parts.dlq.cursor.load().then(
      (loaded) => {
        this.#loading = false;
        this.#loaded = loaded;
      },
      (error: unknown) => {
        this.#loading = false;
        this.#parts.onFailure(error);
      },
    );
  }

  #push(): void {
    const { dlq, admission, rings, counters } = this.#parts;
    const { cursor } = dlq;
    let bytes = 0;
    let pushed = -1;
    while (bytes < stepBytesMax) {
      if (!this.#hasRoom()) break;
      if (!cursor.next()) {
        this.#loaded = false;
        break;
      }
      const { stream, keyOffset, keyLength, dataOffset, dataLength, ehkOffset, firstSeenUs } = cursor;
      const entered =
        !admission.isDiverted(stream) &&
        admission.replay(stream, keyOffset, keyLength, dataOffset, dataLength, ehkOffset, firstSeenUs, flagReplayed);
      if (!entered) {
        cursor.unread();
        break;
      }
      counters.add(stream, MainCounter.replayed, 1);
      bytes += keyLength + dataLength;
      pushed = cursor.position;
    }
    if (pushed < 0) return;
    admission.commit();
    this.#marks.push({ position: pushed, rings: rings.map((ring) => ring.position()) });
  }

  #hasRoom(): boolean {
    const { rings, share } = this.#parts;
    for (const ring of rings) if (ring.usedBytes() > share * ring.capacity) return false;
    return true;
  }
}
