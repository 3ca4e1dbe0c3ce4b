/**
 * The lane workers as the main thread sees them: a Piscina pool with one endless task per lane. Starts them, passes messages,
 * puts a new worker in the place of a lost or stuck one, and ends them in good order. It never looks into a ring.
 *
 * A lane's state is one of: starting ─▶ running ─▶ draining ─▶ drained ─▶ stopped; a lost worker takes it back to starting.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { toPlainError } from '../base/errors.ts';
import type { DeliveryOptions } from '../deliver/context.ts';
import type { Clock } from '../edges/clock.ts';
import type { Arena } from '../ring/arena.ts';
import type { FromLane, LaneStart, ToLane } from './messages.ts';
import type { LanePlan } from './plan.ts';
import { Pulse, stuckBeats } from './pulse.ts';

/** A worker that is lost again sooner than this after its start waits before the next try, longer each time. */
const stableMs = 5_000;
const restartDelayMsMax = 5_000;

export interface PoolOptions {
  /** As many threads as there are plans. Ended by {@link LanePool.stop}. */
  readonly workers: Piscina;
  readonly arena: Arena;
  readonly plans: readonly LanePlan[];
  readonly streams: readonly DeliveryOptions[];
  readonly startedMs: number;
  readonly clock: Clock;
  /** Streams that a new worker must find parked. */
  readonly parked: () => readonly number[];
  readonly onMessage: (lane: number, message: FromLane) => void;
  /** `lost`: its worker ended by itself; `replaced`: another one works, `tookMs` after. */
  readonly onWorker: (lane: number, state: 'started' | 'lost' | 'replaced', cause: string, tookMs: number) => void;
}

interface Lane {
  readonly index: number;
  port: MessagePort | undefined;
  ready: boolean;
  startedMs: number;
  lostMs: number;
  losses: number;
  /** Workers lost since the start. */
  lost: number;
  restart: NodeJS.Timeout | undefined;
  readonly pulse: Pulse;
  /** Id of its worker's thread; undefined until it works. */
  thread: number | undefined;
  /** Why its worker is being ended; empty: it is not. */
  ending: string;
  onDrained: (() => void) | undefined;
  /** Resolves when the worker has said its last word. */
  closed: Promise<void>;
}

export class LanePool {
  readonly #options: PoolOptions;
  readonly #piscina: Piscina;
  readonly #lanes: Lane[];
  /** What a worker is started with. */
  #streams: readonly DeliveryOptions[];
  #stopping = false;
  #draining = false;
  #onAllReady: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#piscina = options.workers;
    this.#streams = options.streams;
    this.#lanes = options.plans.map((_, index) => ({
      index,
      port: undefined,
      ready: false,
      startedMs: 0,
      lostMs: 0,
      losses: 0,
      lost: 0,
      restart: undefined,
      pulse: new Pulse(),
      thread: undefined,
      ending: '',
      onDrained: undefined,
      closed: Promise.resolve(),
    }));
  }

  /** Resolves when every lane works. */
  async start(): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.#onAllReady = resolve;
    });
    for (const lane of this.#lanes) this.#run(lane);
    await ready;
  }

  /** The workers, for whoever wants to see one die. */
  get threads(): Piscina['threads'] {
    return this.#piscina.threads;
  }

  /** By lane: workers that were lost since the start. */
  get lost(): number[] {
    return this.#lanes.map(({ lost }) => lost);
  }

  send(lane: number, message: ToLane): void {
    this.#lanes[lane]?.port?.postMessage(message);
  }

  sendAll(message: ToLane): void {
    for (const lane of this.#lanes) lane.port?.postMessage(message);
  }

  /** Tells all lanes, and those that will be, what of their streams has changed; the streams stay the same. */
  retune(streams: readonly DeliveryOptions[]): void {
    this.#streams = streams;
    const tunings = streams.map(({ lingerMs, deadlineMs, failures, halfOpenAfterMs }) => ({
      lingerMs,
      deadlineMs,
      failures,
      halfOpenAfterMs,
    }));
    this.sendAll({ type: 'tune', tunings });
  }

  /** Once per `beatMs`, from when all lanes work until the drain: asks each lane for a sign of life, and ends a worker that is stuck. */
  beat(): void {
    for (const lane of this.#lanes) {
      lane.port?.postMessage({ type: 'beat' } satisfies ToLane);
      if (lane.pulse.beat() && lane.thread !== undefined) this.#replace(lane, lane.thread);
    }
  }

  /** Whether every lane works, or has done so a moment ago. */
  get isWell(): boolean {
    return this.#lanes.every(({ pulse }) => pulse.isWell);
  }

  /** Resolves when every lane has delivered what its ring held, or has been tried for `timeoutMs`. Returns whether all have. */
  async drain(timeoutMs: number): Promise<boolean> {
    this.#draining = true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    const drained = Promise.all(
      this.#lanes.map(
        (lane) =>
          new Promise<void>((resolve) => {
            lane.onDrained = resolve;
            lane.port?.postMessage({ type: 'drain' } satisfies ToLane);
          }),
      ),
    ).then(() => true);
    const result = await Promise.race([drained, late]);
    clearTimeout(timer);
    return result;
  }

  /** Ends all workers. What their rings still hold is the caller's to set aside. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const lane of this.#lanes) clearTimeout(lane.restart);
    this.sendAll({ type: 'stop' });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, 1_000);
    });
    await Promise.race([Promise.all(this.#lanes.map((lane) => lane.closed)), late]);
    clearTimeout(timer);
    await this.#piscina.destroy();
  }

  #run(lane: Lane): void {
    const { port1, port2 } = new MessageChannel();
    const { arena, plans, startedMs, clock } = this.#options;
    lane.port = port1;
    lane.ready = false;
    lane.thread = undefined;
    lane.ending = '';
    lane.startedMs = clock.nowMs();
    port1.on('message', (message: FromLane) => this.#heard(lane, message));
    const task: LaneStart = {
      lane: lane.index,
      memory: arena.memory,
      plan: plans[lane.index] as LanePlan,
      streams: this.#streams,
      startedMs,
      parked: this.#options.parked(),
      port: port2,
    };
    lane.closed = new Promise((resolve) => port1.once('close', () => resolve()));
    void this.#piscina.run(task, { transferList: [port2] }).then(
      () => this.#ended(lane, port1, 'the task ended'),
      (error: unknown) => this.#ended(lane, port1, lane.ending || toPlainError(error).message),
    );
  }

  /** Its end is heard of as that of any other. */
  #replace(lane: Lane, thread: number): void {
    lane.ending = `stuck: its loop has not run for ${stuckBeats} s`;
    void this.threads.find(({ threadId }) => threadId === thread)?.terminate();
  }

  #heard(lane: Lane, message: FromLane): void {
    if (message.type === 'ready') {
      const nowMs = this.#options.clock.nowMs();
      lane.ready = true;
      lane.thread = message.thread;
      lane.pulse.heard();
      if (lane.losses === 0) this.#options.onWorker(lane.index, 'started', '', nowMs - lane.startedMs);
      else this.#options.onWorker(lane.index, 'replaced', '', nowMs - lane.lostMs);
      if (this.#draining) lane.port?.postMessage({ type: 'drain' } satisfies ToLane);
      if (this.#lanes.every(({ ready }) => ready)) this.#onAllReady?.();
    } else if (message.type === 'alive') {
      lane.pulse.heard();
    } else if (message.type === 'drained') {
      lane.onDrained?.();
    }
    this.#options.onMessage(lane.index, message);
  }

  #ended(lane: Lane, port: MessagePort, cause: string): void {
    // A worker that was told to stop closes its end itself, behind its last messages.
    if (this.#stopping) return;
    port.close();
    const nowMs = this.#options.clock.nowMs();
    lane.port = undefined;
    lane.lostMs = nowMs;
    lane.lost++;
    lane.losses = nowMs - lane.startedMs > stableMs ? 1 : lane.losses + 1;
    this.#options.onWorker(lane.index, 'lost', cause, nowMs - lane.startedMs);
    const delayMs = lane.losses <= 2 ? 0 : Math.min(restartDelayMsMax, 50 * 2 ** (lane.losses - 3));
    lane.restart = setTimeout(() => this.#run(lane), delayMs);
  }
}
