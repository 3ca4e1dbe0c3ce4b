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
import { assert } from '../base/assert.ts';
import { MainCounter, type MainCounters } from '../observe/counters.ts';
import { flagReplayed } from '../ring/layout.ts';
import type { RingProducer } from '../ring/producer.ts';
import { ReplayPace } from './replay-pace.ts';

/** Events after which the clock is read. */
const eventsPerLook = 64;

/** What of the DLQ's cursor is needed here; `src/dlq` has it. */
export interface ReplayCursor {
  readonly isLoading: boolean;
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
}

/** One step: a DLQ position, where each ring stood then, and what it pushed. */
interface Mark {
  readonly position: number;
  readonly rings: readonly number[];
  readonly bytes: number;
  readonly pushedMs: number;
  /** Of a stream that keeps order: where each event lies in its ring, and its sequence in the DLQ. */
  readonly offsets: readonly number[];
  readonly sequences: readonly number[];
}

export class StreamReplay {
  readonly #parts: StreamReplayParts;
  /** What was pushed and is not known to be done. Bounded by the rings. */
  readonly #marks: Mark[] = [];
  readonly #pace: ReplayPace | undefined;
  #bytesOnTheirWay = 0;
  /** Ring offsets and bytes of what came back since the last {@link rewind}. */
  #back: { readonly offset: number; readonly bytes: number }[] = [];
  #offsets: number[] = [];
  #sequences: number[] = [];
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
    const { rings, checkpoint, nowMs } = this.#parts;
    // What came back is out of its ring as well, and not done.
    if (this.#back.length > 0) return;
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

  get isLoading(): boolean {
    return this.#parts.cursor.isLoading;
  }

  /** The DLQ has this event still, and does not append it: its ring entry is settled. Order is kept. */
  cameBack(offset: number, bytes: number): void {
    const { cursor, counters, stream } = this.#parts;
    this.#back.push({ offset, bytes });
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
  #settleAll(): { sequence: number; bytes: number }[] {
    const byOffset = new Map<number, number>();
    for (const { offsets, sequences } of this.#marks) {
      // A later event at the same place took it over from one that was delivered.
      for (let i = 0; i < offsets.length; i++) byOffset.set(offsets[i] as number, sequences[i] as number);
    }
    const back = this.#back.map(({ offset, bytes }) => {
      const sequence = byOffset.get(offset);
      assert(sequence !== undefined, 'what came back was handed out');
      return { sequence, bytes };
    });
    back.sort((a, b) => a.sequence - b.sequence);
    const position = back[0] === undefined ? this.#marks.at(-1)?.position : back[0].sequence - 1;
    this.#marks.length = 0;
    this.#back = [];
    this.#bytesOnTheirWay = 0;
    if (position !== undefined) this.#parts.checkpoint(position);
    return back;
  }

  /** Moves events until there is no room, the window is empty, or `untilMs` has come; false when it moved none. */
  push(untilMs: number): boolean {
    const { target, rings, nowMs } = this.#parts;
    const pushedMs = nowMs();
    const before = this.#bytesOnTheirWay;
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
    const bytes = this.#bytesOnTheirWay - before;
    const positions = rings.map((ring) => ring.position());
    const [offsets, sequences] = [this.#offsets, this.#sequences];
    this.#offsets = [];
    this.#sequences = [];
    this.#marks.push({ position: pushed, rings: positions, bytes, pushedMs, offsets, sequences });
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
    if (this.#parts.keepsOrder) {
      this.#offsets.push(entered);
      this.#sequences.push(cursor.sequence);
    }
    counters.add(stream, MainCounter.replayed, 1);
    this.#bytesOnTheirWay += keyLength + dataLength;
    return true;
  }

  #mayPush(): boolean {
    return this.#hasRoom() && !this.#parts.isHeld();
  }

  #hasRoom(): boolean {
    const { rings, share } = this.#parts;
    if (this.#pace !== undefined && this.#bytesOnTheirWay >= this.#pace.windowBytes) return false;
    for (const ring of rings) if (ring.usedBytes() > share * ring.capacity) return false;
    return true;
  }
}
