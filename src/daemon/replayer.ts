/**
 * Brings spilled events back from the DLQ into the rings, each stream's oldest first, and serves the streams in turns. Main
 * thread; runs by itself, in small steps on a timer.
 *
 * ```
 *   DLQ segments ─ window ─▶ rings of the stream (as replay-pace.ts says) ─▶ lanes ─▶ Kinesis
 *        ▲                                                                     │
 *        └── checkpoint(position): all lanes have given back ◀─────────────────┘
 *            everything that was in the rings when it was pushed
 * ```
 * A stream that cannot be replayed now (its breaker open, its rings full) costs the others nothing: its turn passes, and where
 * windows are short it lends its own. So does one whose window is read to its end: the next is that of somebody who waits.
 */
import type { StreamReplay } from './stream-replay.ts';

/** How often it is asked whether there is something to bring back, and room. */
const askMs = 5;

/**
 * Longest step. A step brings back some 1,000 events of 200 bytes; as long as there is room the next one follows after as long
 * a pause, so that half of this thread stays with the senders, whose acks wait at most this much longer (test/long/outage
 * measures them).
 */
const stepMsMax = 1;

export interface ReplayerParts {
  readonly streams: readonly StreamReplay[];
  /** A stream that now begins to load would find no window. */
  readonly areWindowsTaken: () => boolean;
  /** Somebody else waits for one. */
  readonly isWindowWanted: () => boolean;
  readonly nowMs: () => number;
  readonly onFailure: (error: unknown) => void;
}

export class Replayer {
  readonly #parts: ReplayerParts;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  /** The stream that is served first in the next step. */
  #turn = 0;

  constructor(parts: ReplayerParts) {
    this.#parts = parts;
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
    for (const stream of this.#parts.streams) stream.finish();
  }

  #step(): void {
    const { streams, areWindowsTaken, nowMs } = this.#parts;
    for (const stream of streams) stream.settle();
    const untilMs = nowMs() + stepMsMax;
    const isWindowWanted =
      areWindowsTaken() &&
      (this.#parts.isWindowWanted() || streams.some(({ wantsLoad, hasWindow }) => wantsLoad && !hasWindow));
    let stuck: StreamReplay | undefined;
    for (let i = 0; i < streams.length; i++) {
      const index = (this.#turn + i) % streams.length;
      const stream = streams[index] as StreamReplay;
      if (stream.isLoaded && stream.push(untilMs)) {
        this.#turn = index + 1;
        this.#stepSoon();
        return;
      }
      const mayLoad = stream.hasWindow ? !isWindowWanted : !areWindowsTaken();
      if (stream.wantsLoad && mayLoad) this.#load(stream);
      else if (stream.hasWindow) stuck ??= stream;
    }
    if (isWindowWanted) stuck?.release();
  }

  #load(stream: StreamReplay): void {
    stream.load().then((loaded) => {
      if (loaded) this.#stepSoon();
    }, this.#parts.onFailure);
  }

  #stepSoon(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => this.#step(), stepMsMax);
  }
}
