/**
 * Brings the spills of one stream back from the DLQ into its rings, when there is room for them beside live traffic. Main
 * thread; driven by the replayer, a step at a time. It never waits for another stream.
 *
 * ```
 *   idle ──load──▶ loading ──▶ loaded ──push until the window is empty──▶ idle
 *                     └── nothing to read ──▶ idle ◀── release ── loaded
 * ```
 * An event that is on its way again stays on disk until every ring of its stream has given back what it held then: a crash
 * sends it twice, never not at all. Of a stream that keeps order, what comes back undelivered stays where it is on disk:
 * `cameBack` is told of each such event, and `rewind` has the cursor hand them out again.
 *
 * Long because what is pushed, done and come back is one account.
 */
import { MainCounter, type MainCounters } from '../observe/counters.ts';
import { flagReplayed } from '../ring/layout.ts';
import type { RingProducer } from '../ring/producer.ts';
import { type CameBack, ReplayMarks } from './replay-marks.ts';
import { ReplayPace } from './replay-pace.ts';

/** Events after which the clock is read. */
const eventsPerLook = 64;

/** What of the DLQ's cursor is needed here; `src/dlq` has it. */
export interface ReplayCursor {
  readonly isLoading: boolean;
  readonly hasWindow: boolean;
  readonly sequence: number;
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
  takeBack(bytes: number): void;
  rewind(sequences: readonly number[], bytes: readonly number[]): void;
}

/** What of admission is needed here. */
export interface ReplayTarget {
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
  /** Nothing of it may enter its rings now. */
  readonly isHeld: () => boolean;
  /** Events of one key must stay in order: what comes back is handed out again, not appended. */
  readonly keepsOrder: boolean;
  /** Its own, one per lane. None: what is read becomes dead letters, and nothing is handed out. */
  readonly rings: readonly RingProducer[];
  readonly counters: MainCounters;
  readonly nowMs: () => number;
  /** Share of a ring up to which replayed events may fill it. */
  readonly share: number;
  /** Of the lanes' breakers. */
  readonly openAfterMs: number;
  /** Of the stream. */
  readonly lingerMs: number;
}

export class StreamReplay {
  readonly #parts: StreamReplayParts;
  readonly #marks: ReplayMarks;
  readonly #pace: ReplayPace | undefined;
  #state: 'idle' | 'loading' | 'loaded' = 'idle';

  constructor(parts: StreamReplayParts) {
    this.#parts = parts;
    this.#marks = new ReplayMarks(parts.rings);
    const smallest = Math.min(...parts.rings.map(({ capacity }) => capacity));
    if (parts.rings.length > 0) {
      this.#pace = new ReplayPace(parts.openAfterMs, parts.lingerMs, parts.share * smallest);
    }
  }

  retune(openAfterMs: number, lingerMs: number): void {
    this.#pace?.retune(openAfterMs, lingerMs);
  }

  get isLoaded(): boolean {
    return this.#state === 'loaded';
  }

  /** It has a window that it may lend: it is not read into. */
  get hasWindow(): boolean {
    return this.#state !== 'loading' && this.#parts.cursor.hasWindow;
  }

  /** There is something to bring back, and room for it. */
  get wantsLoad(): boolean {
    return this.#state === 'idle' && this.#parts.spilledEvents() > 0 && this.#mayPush();
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
    const { checkpoint, nowMs } = this.#parts;
    let position = -1;
    for (let done = this.#marks.takeDone(); done !== undefined; done = this.#marks.takeDone()) {
      position = done.position;
      this.#pace?.done(done.bytes, done.pushedMs, nowMs());
    }
    if (position >= 0) checkpoint(position);
  }

  get isLoading(): boolean {
    return this.#parts.cursor.isLoading;
  }

  /** The DLQ has this event still, and does not append it: its ring entry is settled. Order is kept. */
  cameBack(offset: number, bytes: number): void {
    const { cursor, counters, stream } = this.#parts;
    this.#marks.cameBack(offset, bytes);
    counters.add(stream, MainCounter.replayed, -1);
    cursor.takeBack(bytes);
  }

  /** The rings are empty: goes back to the first event that came back; all others that were handed out are done. */
  rewind(): void {
    const back = this.#settleAll();
    this.#pace?.restart();
    if (back.length === 0) return;
    this.#state = 'idle';
    this.#parts.cursor.rewind(
      back.map(({ sequence }) => sequence),
      back.map(({ bytes }) => bytes),
    );
  }

  /** The rings are empty, into Kinesis or into the DLQ, and nothing more is handed out in this run. */
  finish(): void {
    this.#settleAll();
  }

  /** Checkpoints up to the first event that came back, or all; returns those, oldest first. */
  #settleAll(): readonly CameBack[] {
    const { position, back } = this.#marks.end();
    if (position !== undefined) this.#parts.checkpoint(position);
    return back;
  }

  /** Moves events until there is no room, the window is empty, or `untilMs` has come; false when it moved none. */
  push(untilMs: number): boolean {
    const { target, nowMs } = this.#parts;
    const pushedMs = nowMs();
    let pushed = -1;
    for (let events = 1; this.#mayPush(); events++) {
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
    this.#marks.step(pushed, pushedMs);
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
    if (this.#parts.keepsOrder) this.#marks.place(entered, cursor.sequence);
    counters.add(stream, MainCounter.replayed, 1);
    this.#marks.entered(keyLength + dataLength);
    return true;
  }

  #mayPush(): boolean {
    return this.#hasRoom() && !this.#parts.isHeld();
  }

  #hasRoom(): boolean {
    const { rings, share } = this.#parts;
    if (this.#pace !== undefined && this.#marks.bytes >= this.#pace.windowBytes) return false;
    for (const ring of rings) if (ring.usedBytes() > share * ring.capacity) return false;
    return true;
  }
}
