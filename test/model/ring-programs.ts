/**
 * The producer and the consumer that the interleavings test plays, and what they may never see. Test code only.
 *
 * Both are generators over a stepped build of the ring (ring-build.ts); they stop before each of its Atomics calls and in the
 * middle of each payload. Checked: every value is read whole, in order, none skipped; nothing is given back that was not
 * delivered; no claim overlaps memory still in use. That nobody waits for ever is the explorer's to check.
 */
import { createArena } from '../../src/ring/arena.ts';
import {
  control,
  controlBytes,
  EntryState,
  entry,
  entryBytes,
  type RingPlace,
  stateMask,
} from '../../src/ring/layout.ts';

export interface Scenario {
  readonly capacity: number;
  /** HEAD and TAIL at the start: near 2^31 or 2^32 the positions wrap during the run. */
  readonly startPosition: number;
  /** Payload length of each value, in turn. */
  readonly lengths: readonly number[];
  /** The producer publishes after this many claims, and before it waits for room. */
  readonly publishEvery: number;
  readonly consumerDies: boolean;
}

/** A program: yields undefined to let others run, or a condition to run again only when it holds. Returns when finished. */
export type Program = Generator<undefined | (() => boolean), void, undefined>;
/** A method of the ring, rewritten into a generator. */
type Stepped = (...args: (number | number[])[]) => Generator<undefined, never, undefined>;
type SteppedEnd = Record<string, Stepped> & Record<`_${string}`, number>;
export interface Classes {
  readonly Producer: new (arena: object, place: RingPlace) => SteppedEnd;
  readonly Consumer: new (arena: object, place: RingPlace) => SteppedEnd;
  readonly Waiter: new (arena: object, places: readonly RingPlace[]) => SteppedEnd;
}

class Violation extends Error {}

export function check(condition: boolean, message: string): void {
  if (!condition) throw new Violation(message);
}

const arena = createArena(8192);

/** One run of a scenario: the memory's users, and what the checks must remember. */
export class World {
  readonly place: RingPlace;
  readonly scenario: Scenario;
  readonly classes: Classes;
  readonly producer: SteppedEnd;
  consumer: SteppedEnd;
  waiter: SteppedEnd;
  sleepers: { woken: boolean }[] = [];
  /** Entries that must not be overwritten: from claim to release. */
  live: { offset: number; size: number; value: number }[] = [];
  readonly delivered = new Set<number>();
  hasDied = false;
  /** Where each program stands, beside the fields of its end: for recognising states. */
  readonly spot = { producer: '', consumer: '' };

  constructor(classes: Classes, scenario: Scenario) {
    this.classes = classes;
    this.scenario = scenario;
    this.place = { controlOffset: 128, entriesOffset: 128 + controlBytes, capacity: scenario.capacity };
    arena.words.fill(0);
    arena.words[(this.place.controlOffset + control.head) >>> 2] = scenario.startPosition;
    arena.words[(this.place.controlOffset + control.tail) >>> 2] = scenario.startPosition;
    (globalThis as { ringHost?: object }).ringHost = {
      waitAsync: (words: Int32Array, index: number, expected: number) => {
        if (words[index] !== expected) return { async: false, value: 'not-equal' };
        const sleeper = { woken: false };
        this.sleepers.push(sleeper);
        return { async: true, value: sleeper };
      },
      notify: () => {
        for (const sleeper of this.sleepers) sleeper.woken = true;
        this.sleepers = [];
      },
    };
    this.producer = new classes.Producer(arena, this.place);
    this.consumer = new classes.Consumer(arena, this.place);
    this.waiter = new classes.Waiter(arena, [this.place]);
  }

  /** The consumer's thread is gone, with its sleep; the flag in memory stays. A new one opens the ring. */
  replaceConsumer(): Program {
    this.hasDied = true;
    this.spot.consumer = 'new';
    this.sleepers = [];
    this.consumer = new this.classes.Consumer(arena, this.place);
    this.waiter = new this.classes.Waiter(arena, [this.place]);
    return consume(this);
  }

  state(): string {
    const { producer, consumer } = this;
    const used = arena.words.subarray(
      this.place.controlOffset >>> 2,
      (this.place.entriesOffset + this.place.capacity) >>> 2,
    );
    const fields = [producer._claimed, producer._published, producer._tailSeen, producer['_sleeperSeen']];
    fields.push(consumer._cursor, consumer._headSeen, consumer._done, this.sleepers.length);
    const live = [...this.live.map(({ value }) => value), 'delivered', ...this.delivered];
    return `${Buffer.from(used.slice().buffer).toString('latin1')}|${fields.join()}|${live.join()}|${this.hasDied}|${this.spot.producer}|${this.spot.consumer}`;
  }
}

export function* produce(world: World): Program {
  const { producer, place, scenario } = world;
  const tailWord = (place.controlOffset + control.tail) >>> 2;
  for (let value = 0; value < scenario.lengths.length; value++) {
    const length = scenario.lengths[value]!;
    let offset: number;
    for (;;) {
      offset = yield* spotted(world, 'producer', `claim ${value}`, producer['claim']!(length));
      if (offset !== 0) break;
      yield* publish(world, value);
      const tail = producer['_tailSeen'];
      world.spot.producer = `full ${value} ${tail}`;
      yield () => arena.words[tailWord] !== tail;
    }
    const size = entryBytes(length);
    for (const other of world.live) {
      check(
        offset + size <= other.offset || other.offset + other.size <= offset,
        `value ${value + 1} overwrites ${other.value}`,
      );
    }
    check(offset + size <= place.entriesOffset + place.capacity, `value ${value + 1} reaches beyond the ring`);
    world.live.push({ offset, size, value: value + 1 });
    arena.words[(offset + entry.key) >>> 2] = value + 1;
    world.spot.producer = `write ${value}`;
    yield;
    arena.bytes.fill(value + 1, offset + entry.payload, offset + entry.payload + length);
    if ((value + 1) % scenario.publishEvery === 0) yield* publish(world, value);
  }
  yield* publish(world, scenario.lengths.length);
  world.spot.producer = 'finished';
}

function* publish(world: World, value: number): Program {
  yield* spotted(world, 'producer', `publish ${value}`, world.producer['publish']!());
  yield* spotted(world, 'producer', `wake ${value}`, world.producer['wake']!());
}

/** Reads up to two values before it delivers them, the newer one first, so that reading, outcomes and giving back overlap. */
export function* consume(world: World): Program {
  const { consumer, waiter, scenario } = world;
  const last = scenario.lengths.length;
  let inFlight: { offset: number; value: number }[] = [];
  let expected: number | undefined;
  const finished = (): boolean => world.delivered.size === last && world.live.length === 0;
  while (!finished()) {
    const held = inFlight.map(({ value }) => value).join();
    const offset = yield* spotted(world, 'consumer', `next ${expected} ${held}`, consumer['next']!());
    if (offset !== 0) {
      const value = yield* read(world, offset, held);
      const lowest = scenario.lengths.findIndex((_, index) => !world.delivered.has(index + 1)) + 1;
      const inOrder = expected === undefined ? lowest === 0 || value <= lowest : value === expected;
      check(inOrder, `value ${value} instead of ${expected ?? lowest}`);
      expected = value + 1;
      const done = (arena.words[(offset + entry.state) >>> 2]! & stateMask) === EntryState.delivered;
      if (!done) inFlight.unshift({ offset, value });
    }
    if (inFlight.length === 2 || (offset === 0 && inFlight.length > 0)) {
      yield* deliver(world, inFlight, expected);
      inFlight = [];
    } else if (offset === 0) {
      yield* giveBack(world, `${expected}`);
      if (finished()) break;
      const headSeen = yield* consumer['headSeen']!();
      const sleep = yield* spotted(world, 'consumer', `sleep ${expected}`, waiter['sleep']!([headSeen]));
      const sleeper = sleep as unknown as { woken: boolean } | undefined;
      world.spot.consumer = `asleep ${expected}`;
      if (sleeper !== undefined) yield () => sleeper.woken;
    }
  }
  world.spot.consumer = 'finished';
}

/** Reads an entry in two parts and checks that they belong together. */
function* read(world: World, offset: number, held: string): Generator<undefined, number, undefined> {
  const { lengths } = world.scenario;
  const value = arena.words[(offset + entry.key) >>> 2]!;
  const length = arena.words[(offset + entry.length) >>> 2]!;
  world.spot.consumer = `read ${value} ${held}`;
  yield;
  check(value >= 1 && value <= lengths.length && length === lengths[value - 1], `value ${value} with length ${length}`);
  const payload = arena.bytes.subarray(offset + entry.payload, offset + entry.payload + length);
  check(
    payload.every((byte) => byte === value),
    `value ${value} is torn`,
  );
  return value;
}

function* deliver(
  world: World,
  inFlight: readonly { offset: number; value: number }[],
  expected: number | undefined,
): Program {
  for (const { offset, value } of inFlight) {
    world.spot.consumer = `deliver ${value} ${expected}`;
    yield;
    world.delivered.add(value);
    yield* world.consumer['markDelivered']!(offset);
    yield* giveBack(world, `${value} ${expected}`);
  }
}

function* giveBack(world: World, spot: string): Program {
  const { consumer, place } = world;
  let freed = 0;
  for (;;) {
    const offset = yield* spotted(world, 'consumer', `advance ${spot} ${freed}`, consumer['advance']!());
    if (offset === 0) break;
    freed = arena.words[(offset + entry.key) >>> 2]!;
    check(world.delivered.has(freed), `value ${freed} is given back undelivered`);
  }
  yield* spotted(world, 'consumer', `release ${spot} ${freed}`, consumer['release']!());
  const tail = arena.words[(place.controlOffset + control.tail) >>> 2]!;
  check(((tail - consumer['_done']!) | 0) <= 0, 'TAIL is ahead of what is done');
  world.live = world.live.filter(({ value }) => value > freed);
}

/** Runs a method of the ring; between its steps the program stands at `spot` and the step's number. */
function* spotted(world: World, who: 'producer' | 'consumer', spot: string, method: Generator<undefined, number>) {
  for (let step = 0; ; step++) {
    world.spot[who] = `${spot}.${step}`;
    const { done, value } = method.next();
    if (done) return value;
    yield;
  }
}
