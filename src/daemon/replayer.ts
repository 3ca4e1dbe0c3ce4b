/**
 * Brings spilled events back from the DLQ into the rings, oldest first, when there is room for them beside live traffic. Main
 * thread; runs by itself, in small steps on a timer.
 *
 * ```
 *   DLQ segments ─ window ─▶ ring (as replay-pace.ts says) ─▶ lane ─▶ Kinesis
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
import { ReplayPace } from './replay-pace.ts';

/** How often it is asked whether there is something to bring back, and room. */
const askMs = 5;

/**
 * Longest step, and events after which the clock is read. A step brings back some 1,000 events of 200 bytes; as long as there
 * is room the next one follows after as long a pause, so that half of this thread stays with the senders, whose acks wait
 * at most this much longer (test/long/outage measures them).
 */
const stepMsMax = 1;
const eventsPerLook = 64;

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
  readonly nowMs: () => number;
  /** Share of a ring up to which replayed events may fill it. */
  readonly share: number;
  /** Of the lanes' breakers. */
  readonly openAfterMs: number;
  readonly onFailure: (error: unknown) => void;
}

/** One step: a DLQ position, where each ring stood then, and what it pushed. */
interface Mark {
  readonly position: number;
  readonly rings: readonly number[];
  readonly bytes: number;
  readonly pushedMs: number;
}

export class Replayer {
  readonly #parts: ReplayerParts;
  /** What was pushed and is not known to be done. Bounded by the rings. */
  readonly #marks: Mark[] = [];
  readonly #pace: ReplayPace;
  #bytesOnTheirWay = 0;
  #timer: NodeJS.Timeout | undefined;
  #state: 'idle' | 'loading' | 'loaded' = 'idle';
  #soon: NodeJS.Timeout | undefined;

  constructor(parts: ReplayerParts) {
    this.#parts = parts;
    const smallest = Math.min(...parts.rings.map(({ capacity }) => capacity));
    this.#pace = new ReplayPace(parts.openAfterMs, parts.share * smallest);
  }

  start(): void {
    this.#timer = setInterval(() => this.#step(), askMs);
  }

  /** No more is brought back; what is on its way is checkpointed by {@link finish}. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    clearTimeout(this.#soon);
  }

  /** The rings are empty, into Kinesis or into the DLQ: all that was brought back is done. */
  finish(): void {
    const last = this.#marks.at(-1);
    this.#marks.length = 0;
    if (last !== undefined) this.#parts.dlq.checkpoint(last.position);
  }

  /** Tells the DLQ what is done. */
  #settle(): void {
    const { rings, dlq, nowMs } = this.#parts;
    let done = -1;
    while (this.#marks.length > 0) {
      const mark = this.#marks[0] as Mark;
      if (!rings.every((ring, i) => ring.passed(mark.rings[i] as number))) break;
      done = mark.position;
      this.#marks.shift();
      this.#bytesOnTheirWay -= mark.bytes;
      this.#pace.done(mark.bytes, mark.pushedMs, nowMs());
    }
    if (done >= 0) dlq.checkpoint(done);
  }

  #step(): void {
    this.#settle();
    if (this.#state === 'loaded') this.#push();
    else if (this.#state === 'idle' && this.#parts.dlq.spilledEvents > 0 && this.#hasRoom()) this.#load();
  }

  #load(): void {
    this.#state = 'loading';
    this.#parts.dlq.cursor.load().then(
      (loaded) => {
        this.#state = loaded ? 'loaded' : 'idle';
        if (loaded) this.#stepSoon();
      },
      (error: unknown) => {
        this.#state = 'idle';
        this.#parts.onFailure(error);
      },
    );
  }

  #stepSoon(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => this.#step(), stepMsMax);
  }

  /** Moves events until there is no room, the window is empty, or the step is over. */
  #push(): void {
    const { dlq, admission, rings, counters, nowMs } = this.#parts;
    const { cursor } = dlq;
    const pushedMs = nowMs();
    const before = this.#bytesOnTheirWay;
    let events = 0;
    let pushed = -1;
    for (;;) {
      if (events++ % eventsPerLook === 0 && nowMs() - pushedMs >= stepMsMax) {
        this.#stepSoon();
        break;
      }
      if (!this.#hasRoom()) break;
      if (!cursor.next()) {
        this.#state = 'idle';
        this.#stepSoon();
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
      this.#bytesOnTheirWay += keyLength + dataLength;
      pushed = cursor.position;
    }
    if (pushed < 0) return;
    admission.commit();
    const bytes = this.#bytesOnTheirWay - before;
    this.#marks.push({ position: pushed, rings: rings.map((ring) => ring.position()), bytes, pushedMs });
  }

  #hasRoom(): boolean {
    const { rings, share } = this.#parts;
    if (this.#bytesOnTheirWay >= this.#pace.windowBytes) return false;
    for (const ring of rings) if (ring.usedBytes() > share * ring.capacity) return false;
    return true;
  }
}
