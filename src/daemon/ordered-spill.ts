/**
 * Keeps the order of keys of one stream through spill and replay. Main thread; admission asks it where an event goes, the
 * daemon's timer drives it, the lanes' messages come to it. Pure but for what it is given: a test runs it with lanes of its own.
 *
 * ```
 *             spill wanted                all lanes empty            breakers closed again
 *   direct ────────────────▶ parking ──────────────────────▶ parked ──────────────────────▶ replaying ◀─┐
 *     ▲                         ▲                                                           │ │    ▲    │ start with
 *     │                         └──────────── the destination fails ◀───────────────────────┘ │    │    │ spills
 *     └───────── all is handed on ──────── joining ◀──────────── little is left ◀─────────────┘    │
 *                                             └───────────── it takes too long ────────────────────┘
 * ```
 *
 * | state     | events go      | what happens                                                                         |
 * | --------- | -------------- | ------------------------------------------------------------------------------------ |
 * | direct    | into rings     | nothing of the stream waits in the DLQ, or all of it stands before them in the rings |
 * | parking   | nowhere: held  | the lanes set aside all that their rings hold, in order; it moves to the DLQ          |
 * | parked    | behind, to DLQ | the rings are empty                                                                  |
 * | replaying | behind, to DLQ | the replayer alone fills the rings, oldest first                                     |
 * | joining   | nowhere: held  | the last spills enter the rings: then new events may follow them                     |
 *
 * A start before all spills of earlier runs are counted is one with spills: there may be some, and nothing may pass them.
 *
 * So the DLQ has what a ring had before what came later, and a ring never has an event before an older one of its key. What was
 * replayed and comes back while parking is still on disk: it is not appended, the replay goes back to it. Held senders feel
 * back-pressure: while parking for as long as requests under way are waited for (the lanes: at most a second) and the DLQ takes
 * what moves, while joining for at most {@link joinMsMax}. A stream that may not spill at admission (refuse, block) is refused or
 * held, as it says, in all states but direct.
 */

/** Spills that may be left when senders are held for them: few enough to be through in some milliseconds. */
const joinBytesMax = 256 * 1024;

/** Longest that senders are held for the last spills, and how long they are not held again when that was not enough. */
export const joinMsMax = 100;
const joinPauseMs = 1_000;

/** How long the lanes are given to hear that they may take events again. What they set aside nevertheless comes back. */
const unparkMs = 20;

export type OrderState = 'direct' | 'parking' | 'parked' | 'replaying' | 'joining';

/** Where admission has events of the stream go. */
export type Route = 'ring' | 'hold' | 'behind';

const routes: Readonly<Record<OrderState, Route>> = {
  direct: 'ring',
  parking: 'hold',
  parked: 'behind',
  replaying: 'behind',
  joining: 'hold',
};

export interface OrderedSpillParts {
  readonly lanes: number;
  /** Least time between the parking and the next try. */
  readonly parkedMsLeast: () => number;
  readonly nowMs: () => number;
  /** What admission has put into the rings becomes visible to the lanes. */
  readonly publish: () => void;
  readonly tell: (lane: number, message: 'park' | 'unpark') => void;
  /** Entries that lanes have set aside are still on their way into the DLQ. */
  readonly isMoving: () => boolean;
  /** The DLQ takes what the rings hold now. */
  readonly hasRoom: () => boolean;
  /** A breaker keeps events from the destination. */
  readonly isUnavailable: () => boolean;
  /** The oldest event in a ring is past the deadline. */
  readonly isOverdue: () => boolean;
  /** Of what is known: see {@link isCounted}. */
  readonly spilled: () => { readonly events: number; readonly bytes: number };
  /** No more spills of earlier runs can turn up. */
  readonly isCounted: () => boolean;
  readonly replay: {
    /** It reads; it must not go back now. */
    readonly isLoading: boolean;
    /** Goes back to the first event that was handed out and came back. */
    rewind(): void;
  };
  readonly moved: (from: OrderState, to: OrderState, cause: string) => void;
}

export class OrderedSpill {
  readonly #parts: OrderedSpillParts;
  #state: OrderState;
  #sinceMs: number;
  #joinAfterMs = 0;
  /** Lanes that have not said that their ring is empty. */
  readonly #awaited = new Set<number>();

  constructor(parts: OrderedSpillParts) {
    this.#parts = parts;
    this.#sinceMs = parts.nowMs();
    this.#state = parts.spilled().events > 0 || !parts.isCounted() ? 'replaying' : 'direct';
  }

  get state(): OrderState {
    return this.#state;
  }

  get route(): Route {
    return routes[this.#state];
  }

  /** Whether the replayer may fill the rings. */
  get mayReplay(): boolean {
    if (this.#state === 'joining') return true;
    return this.#state === 'replaying' && this.#parts.nowMs() >= this.#sinceMs + unparkMs;
  }

  /** An event that should enter a ring must not. False: it must be refused, the DLQ has no room for what would move there. */
  spillWanted(): boolean {
    if (this.#state !== 'direct') return true;
    if (!this.#parts.hasRoom()) return false;
    this.#park('events are to be spilled');
    return true;
  }

  /** A lane has set aside all that its ring held. */
  parked(lane: number): void {
    this.#awaited.delete(lane);
    this.tick();
  }

  /** A lane has set something aside by itself: what follows must not overtake it. */
  strayed(): void {
    if (this.#state === 'direct' || this.#isReplaying) this.#park('a lane set events aside');
  }

  /** A lane has lost its worker: what it had set aside and was not moved yet is reported again by the next one. */
  lost(lane: number): void {
    if (this.#state === 'parking') this.#awaited.add(lane);
  }

  /** A lane has a new worker, which knows nothing of this. */
  replaced(lane: number): void {
    if (this.isParking) this.#parts.tell(lane, 'park');
  }

  /** Nothing of the stream may be delivered out of a ring. */
  get isParking(): boolean {
    return this.#state === 'parking' || this.#state === 'parked';
  }

  /** Every few milliseconds. */
  tick(): void {
    const { isUnavailable, isOverdue, hasRoom } = this.#parts;
    switch (this.#state) {
      case 'direct':
        if (isOverdue() && hasRoom()) this.#park('events are past their deadline');
        return;
      case 'parking':
        return this.#endParking();
      case 'parked':
        if (!isUnavailable() && this.#forMs() >= this.#parts.parkedMsLeast()) this.#unpark();
        return;
      case 'replaying':
      case 'joining':
        if (isUnavailable()) this.#park('the destination fails');
        else if (isOverdue()) this.#park('events are past their deadline');
        else this.#join();
        return;
      default:
        this.#state satisfies never;
    }
  }

  get #isReplaying(): boolean {
    return this.#state === 'replaying' || this.#state === 'joining';
  }

  #forMs(): number {
    return this.#parts.nowMs() - this.#sinceMs;
  }

  #park(cause: string): void {
    const { lanes, publish, tell } = this.#parts;
    this.#move('parking', cause);
    // What entered the rings in this turn must be seen by the lanes before they look for the end.
    publish();
    for (let lane = 0; lane < lanes; lane++) this.#awaited.add(lane);
    for (let lane = 0; lane < lanes; lane++) tell(lane, 'park');
  }

  #endParking(): void {
    const { isMoving, replay } = this.#parts;
    if (this.#awaited.size > 0 || isMoving() || replay.isLoading) return;
    replay.rewind();
    this.#move('parked', 'the rings are empty');
  }

  #unpark(): void {
    const { lanes, tell, spilled } = this.#parts;
    for (let lane = 0; lane < lanes; lane++) tell(lane, 'unpark');
    // Events of senders must not come before the lanes have heard, either: even with nothing to replay.
    this.#move('replaying', spilled().events > 0 ? 'it can be tried again' : 'there is nothing to replay');
  }

  /** Few spills are left: holds senders until they are in the rings, and lets go when that takes too long. */
  #join(): void {
    const { events, bytes } = this.#parts.spilled();
    const nowMs = this.#parts.nowMs();
    if (this.#state === 'replaying') {
      const isNear = events === 0 || (bytes <= joinBytesMax && nowMs >= this.#joinAfterMs);
      if (!this.mayReplay || !isNear || !this.#parts.isCounted()) return;
      this.#move('joining', 'little is left');
    }
    if (events === 0) return this.#move('direct', 'all is in the rings');
    if (this.#forMs() < joinMsMax) return;
    this.#joinAfterMs = nowMs + joinPauseMs;
    this.#move('replaying', 'what is left takes too long');
  }

  #move(to: OrderState, cause: string): void {
    const from = this.#state;
    this.#state = to;
    this.#sinceMs = this.#parts.nowMs();
    this.#parts.moved(from, to, cause);
  }
}
