/**
 * One ordered stream with everything around it that is real (admission, rings, returns, replay, a DLQ on disk, the order's state
 * machine) and lanes of the test's own, on one thread. Time goes on when the test says so; what lanes and main thread say to each
 * other takes as long as the test's dice want. Used by ordered-model.test.ts.
 */
import { SaturationBreaker } from '../../src/breaker/saturation.ts';
import { OrderedSpill, type OrderState } from '../../src/daemon/ordered-spill.ts';
import { Returns } from '../../src/daemon/returns.ts';
import { StreamReplay } from '../../src/daemon/stream-replay.ts';
import { openDlq } from '../../src/dlq/dlq.ts';
import { Kind } from '../../src/dlq/layout.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { Appended } from '../../src/dlq/series.ts';
import { realFiles } from '../../src/edges/files.ts';
import { Admission } from '../../src/ingress/admission.ts';
import { Verdict } from '../../src/ingress/intake.ts';
import { MainCounter, MainCounters } from '../../src/observe/counters.ts';
import { createArena } from '../../src/ring/arena.ts';
import { controlBytes } from '../../src/ring/layout.ts';
import { RingProducer } from '../../src/ring/producer.ts';
import type { Below } from '../stress/seeded.ts';
import { ModelLane } from './model-lane.ts';

const lanes = 2;
const capacity = 128 * 1024;
const scratch = 65_536;
const counters = scratch + 4_096;
const breakers = counters + 4_096;
const controls = breakers + 4_096;
const entries = controls + lanes * controlBytes + 128;
const blocks = { offset: entries + lanes * capacity, length: 1_024, count: 4 };
const replayWindows = { offset: blocks.offset + 4_096, length: 2_048, count: 1 };

export class OrderedModel {
  readonly lanes: ModelLane[];
  readonly order: OrderedSpill;
  readonly replay: StreamReplay;
  readonly states: OrderState[] = [];
  readonly #admission: Admission;
  readonly #counters: MainCounters;
  readonly #dlq: Awaited<ReturnType<typeof openDlq>>;
  readonly #arena: ReturnType<typeof createArena>;
  readonly #clock: { nowMs: number };

  /** `nowMs`: of a clock that a model after this one goes on with. */
  static async open(directory: string, below: Below, nowMs: number): Promise<OrderedModel> {
    const arena = createArena(replayWindows.offset + 2_048);
    const dlq = await openDlq({
      directory,
      maxBytes: 1024 ** 3,
      segmentBytes: 4_096,
      fsync: { kind: 'none' },
      arena,
      blocks,
      replayWindows,
      streams: ['orders'],
      eventBytesMax: [512],
      files: realFiles,
      clock: {
        nowMs: () => Date.now(),
        after: (delayMs, run) => {
          const timer = setTimeout(run, delayMs);
          return () => clearTimeout(timer);
        },
      },
      randomWord: () => below(2 ** 31),
      onEvent: () => undefined,
      onDropped: (_stream, events) => {
        throw new Error(`${events} events cannot be read any more`);
      },
    });
    return new OrderedModel(arena, dlq, below, nowMs);
  }

  private constructor(
    arena: ReturnType<typeof createArena>,
    dlq: Awaited<ReturnType<typeof openDlq>>,
    below: Below,
    nowMs: number,
  ) {
    this.#arena = arena;
    this.#dlq = dlq;
    this.#clock = { nowMs };
    this.#counters = new MainCounters(arena, counters);
    const clock = { nowMs: () => this.#clock.nowMs, nowUs: () => this.#clock.nowMs * 1_000 };
    const places = Array.from({ length: lanes }, (_, lane) => ({
      controlOffset: controls + lane * controlBytes,
      entriesOffset: entries + lane * capacity,
      capacity,
    }));
    const waits = { openAt: 0.9, closeAt: 0.6, openAfterMs: 100 };
    const rings = places.map((place, lane) => ({
      ring: new RingProducer(arena, place),
      saturation: new SaturationBreaker({ capacityBytes: capacity, ...waits }, () => undefined),
      breakerWord: (breakers >>> 2) + lane,
    }));
    const orders: OrderedSpill[] = [];
    this.#admission = this.#createAdmission(clock, rings, orders);
    const returns = new Returns({
      arena,
      dlq,
      counters: this.#counters,
      settled: () => undefined,
      moved: () => undefined,
      again: () => {
        throw new Error('what keeps order is never tried on');
      },
      keepsOrder: () => true,
      cameBack: (_stream, offset, bytes) => this.replay.cameBack(offset, bytes),
      buried: () => undefined,
    });
    this.lanes = places.map(
      (place, lane) =>
        new ModelLane(arena, place, (breakers >>> 2) + lane, below, {
          setAside: (offsets) => {
            if (returns.take(lane, offsets) !== undefined) this.order.strayed();
          },
          parked: () => this.order.parked(lane),
        }),
    );
    this.replay = this.#createReplay(rings, clock.nowMs);
    this.order = new OrderedSpill({
      lanes,
      parkedMsLeast: () => 50,
      nowMs: clock.nowMs,
      publish: () => this.#admission.commit(),
      tell: (lane, message) => this.lanes[lane]?.tell(message),
      isMoving: () => returns.isMoving(0),
      hasRoom: () => dlq.hasRoom(capacity),
      isUnavailable: () => this.#admission.isUnavailable(0),
      isOverdue: () => this.#admission.oldestMs(0) > 10_000,
      spilled: () => ({ events: dlq.holdings(0).spilled, bytes: dlq.holdings(0).spilledBytes }),
      isCounted: () => dlq.isIndexed,
      replay: this.replay,
      moved: (_from, to) => {
        this.states.push(to);
        this.#admission.refresh();
      },
    });
    orders.push(this.order);
    this.#admission.refresh();
  }

  #createReplay(rings: ConstructorParameters<typeof Admission>[0]['rings'], nowMs: () => number): StreamReplay {
    return new StreamReplay({
      stream: 0,
      cursor: this.#dlq.cursor(0),
      spilledEvents: () => this.#dlq.spilledEvents(0),
      checkpoint: (position) => this.#dlq.checkpoint(0, position),
      target: this.#admission,
      isHeld: () => !this.order.mayReplay || this.#admission.isUnavailable(0),
      keepsOrder: true,
      rings: rings.map(({ ring }) => ring),
      counters: this.#counters,
      nowMs,
      share: 0.5,
      openAfterMs: 100,
      lingerMs: 5,
    });
  }

  #createAdmission(
    clock: { nowMs: () => number; nowUs: () => number },
    rings: ConstructorParameters<typeof Admission>[0]['rings'],
    orders: OrderedSpill[],
  ): Admission {
    return new Admission({
      arena: this.#arena,
      clock,
      startedMs: 0,
      counters: this.#counters,
      streams: new Map([['orders', 0]]),
      policies: [{ overflow: 'spill', eventBytesMax: 512 }],
      lanes,
      rings,
      orders,
      overflow: {
        spill: (stream, _cause, firstSeenUs, ...bytes) => {
          const appended = this.#dlq.append(Kind.spill, stream, Reason.ordered, 0, firstSeenUs, ...bytes);
          return appended === Appended.ok ? 'ok' : appended === Appended.busy ? 'busy' : 'full';
        },
        writable: true,
      },
      randomKeys: { offset: scratch, length: 1_024 },
      share: () => 0.5,
      published: () => undefined,
    });
  }

  /** Offers event `id` of a key; false: it must wait. */
  offer(key: number, id: number): boolean {
    const text = `k${key}:${id}`;
    const keyLength = `k${key}`.length;
    this.#arena.buffer.write(text, scratch);
    const verdict = this.#admission.offer(0, scratch, keyLength, scratch + keyLength, text.length - keyLength, 0, 1);
    if (verdict !== Verdict.ring && verdict !== Verdict.spilled && verdict !== Verdict.blocked) {
      throw new Error(`verdict ${verdict}`);
    }
    return verdict !== Verdict.blocked;
  }

  /** Puts an event into the DLQ that was tried before. */
  spill(key: number, id: number, attempts: number): void {
    const text = `k${key}:${id}`;
    const keyLength = `k${key}`.length;
    this.#arena.buffer.write(text, scratch);
    const at = scratch + keyLength;
    const length = text.length - keyLength;
    this.#dlq.append(Kind.spill, 0, Reason.expired, attempts, 1, scratch, keyLength, 0, at, length);
  }

  commit(): void {
    this.#admission.commit();
  }

  /** Some time goes by for the main thread's timers. */
  async pass(ms: number): Promise<void> {
    this.#clock.nowMs += ms;
    this.#admission.refresh();
    this.order.tick();
    this.replay.settle();
    if (this.replay.isLoaded) this.replay.push(Number.POSITIVE_INFINITY);
    else if (this.replay.wantsLoad) await this.replay.load();
  }

  get nowMs(): number {
    return this.#clock.nowMs;
  }

  /** Events that are accepted, and what the books say of where they are. */
  books(): { accepted: number; inFlight: number; dlq: number } {
    const of = (counter: number): number => this.#counters.get(0, counter);
    const delivered = this.lanes.reduce((sum, lane) => sum + lane.delivered, 0);
    const settled = of(MainCounter.returned) + of(MainCounter.dead);
    return {
      accepted: of(MainCounter.ringed) + of(MainCounter.spilled),
      inFlight: of(MainCounter.ringed) + of(MainCounter.replayed) - delivered - settled,
      dlq: this.#dlq.holdings(0).spilled,
    };
  }

  /** As if the process ended here: what the DLQ has not on disk is written, nothing else. */
  async crash(): Promise<void> {
    await this.#dlq.flush();
    await this.#dlq.close();
  }
}
