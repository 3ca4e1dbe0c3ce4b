/**
 * Brings the spills of one stream back from the DLQ into its rings, when there is room for them beside live traffic. Main
 * thread; driven by the replayer, a step at a time. It never waits for another stream.
 *
 * ```
 *   idle ──load──▶ loading ──▶ loaded ──push until the window is empty──▶ idle
 *                     └── nothing to read ──▶ idle ◀── release ── loaded
 * ```
 * An event that is on its way again stays on disk until every ring of its stream has given back what it held then: a crash
 * sends it twice, never not at all.
 */
import { MainCounter, type MainCounters } from '../observe/counters.ts';
import { flagReplayed } from '../ring/layout.ts';
import type { RingProducer } from '../ring/producer.ts';
import { ReplayPace } from './replay-pace.ts';

/** Events after which the clock is read. */
const eventsPerLook = 64;

/** What of the DLQ's cursor is needed here; `src/dlq` has it. */
export interface ReplayCursor {
  readonly attempts: number;
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
  release(): void;
}

/** What of admission is needed here. */
export interface ReplayTarget {
  isDiverted(stream: number): boolean;
  replay(
    stream: number,
    keyOffset: number,
    keyLength: number,
    dataOffset: number,
    dataLength: number,
    ehkOffset: number,
    firstSeenUs: number,
    attempts: number,
    flags: number,
  ): number;
  commit(): void;
}

export interface StreamReplayParts {
  readonly stream: number;
  readonly cursor: ReplayCursor;
  readonly spilledEvents: () => number;
  readonly checkpoint: (position: number) => void;
  readonly target: ReplayTarget;
  /** Its own, one per lane. None: what is read becomes dead letters, and nothing is handed out. */
  readonly rings: readonly RingProducer[];
  readonly counters: MainCounters;
  readonly nowMs: () => number;
  /** Share of a ring up to which replayed events may fill it. */
  readonly share: number;
  /** Of the lanes' breakers. */
  readonly openAfterMs: number;
}

/** One step: a DLQ position, where each ring stood then, and what it pushed. */
interface Mark {
  readonly position: number;
  readonly rings: readonly number[];
  readonly bytes: number;
  readonly pushedMs: number;
}

export class StreamReplay {
  readonly #parts: StreamReplayParts;
  /** What was pushed and is not known to be done. Bounded by the rings. */
  readonly #marks: Mark[] = [];
  readonly #pace: ReplayPace | undefined;
  #bytesOnTheirWay = 0;
  #state: 'idle' | 'loading' | 'loaded' = 'idle';

  constructor(parts: StreamReplayParts) {
    this.#parts = parts;
    const smallest = Math.min(...parts.rings.map(({ capacity }) => capacity));
    if (parts.rings.length > 0) this.#pace = new ReplayPace(parts.openAfterMs, parts.share * smallest);
  }

  get isLoaded(): boolean {
    return this.#state === 'loaded';
  }

  /** There is something to bring back, and room for it. */
  get wantsLoad(): boolean {
    return this.#state === 'idle' && this.#parts.spilledEvents() > 0 && this.#hasRoom() && !this.#isDiverted();
  }

  /** Reads the next piece; resolves to whether there was one. */
  async load(): Promise<boolean> {
    this.#state = 'loading';
    let loaded = false;
    try {
      loaded = await this.#parts.cursor.load();
    } finally {
      this.#state = loaded ? 'loaded' : 'idle';
    }
    return loaded;
  }

  /** Gives its window to a stream that can use it. */
  release(): void {
    this.#state = 'idle';
    this.#parts.cursor.release();
  }

  /** Tells the DLQ what is done. */
  settle(): void {
    const { rings, checkpoint, nowMs } = this.#parts;
    let done = -1;
    while (this.#marks.length > 0) {
      const mark = this.#marks[0] as Mark;
      if (!rings.every((ring, i) => ring.passed(mark.rings[i] as number))) break;
      done = mark.position;
      this.#marks.shift();
      this.#bytesOnTheirWay -= mark.bytes;
      this.#pace?.done(mark.bytes, mark.pushedMs, nowMs());
    }
    if (done >= 0) checkpoint(done);
  }

  /** The rings are empty, into Kinesis or into the DLQ: all that was brought back is done. */
  finish(): void {
    const last = this.#marks.at(-1);
    this.#marks.length = 0;
    if (last !== undefined) this.#parts.checkpoint(last.position);
  }

  /** Moves events until there is no room, the window is empty, or `untilMs` has come; false when it moved none. */
  push(untilMs: number): boolean {
    const { target, rings, nowMs } = this.#parts;
    const pushedMs = nowMs();
    const before = this.#bytesOnTheirWay;
    let pushed = -1;
    for (let events = 1; this.#hasRoom() && !this.#isDiverted(); events++) {
      if (events % eventsPerLook === 0 && nowMs() >= untilMs) break;
      if (!this.#parts.cursor.next()) {
        this.#state = 'idle';
        break;
      }
      if (!this.#enter()) break;
      pushed = this.#parts.cursor.position;
    }
    if (pushed < 0) return false;
    target.commit();
    const bytes = this.#bytesOnTheirWay - before;
    this.#marks.push({ position: pushed, rings: rings.map((ring) => ring.position()), bytes, pushedMs });
    return true;
  }

  #enter(): boolean {
    const { cursor, target, stream, counters } = this.#parts;
    const { keyOffset, keyLength, dataOffset, dataLength, ehkOffset, firstSeenUs, attempts } = cursor;
    const entered = target.replay(
      stream, keyOffset, keyLength, dataOffset, dataLength, ehkOffset, firstSeenUs, attempts, flagReplayed,
    ); // biome-ignore format: one line of arguments
    if (entered === 0) {
      cursor.unread();
      return false;
    }
    counters.add(stream, MainCounter.replayed, 1);
    this.#bytesOnTheirWay += keyLength + dataLength;
    return true;
  }

  #isDiverted(): boolean {
    return this.#parts.rings.length > 0 && this.#parts.target.isDiverted(this.#parts.stream);
  }

  #hasRoom(): boolean {
    const { rings, share } = this.#parts;
    if (this.#pace !== undefined && this.#bytesOnTheirWay >= this.#pace.windowBytes) return false;
    for (const ring of rings) if (ring.usedBytes() > share * ring.capacity) return false;
    return true;
  }
}
