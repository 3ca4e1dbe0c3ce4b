/**
 * Runs the delivery of one stream, with its ring, in virtual time against the model of Kinesis: what drives it is the lane's
 * loop as src/deliver/lane-loop.ts has it, but for threads, and a main thread that settles what is set aside and brings it back.
 * Test processes only.
 *
 * It wakes the delivery only where the lane would: at the time that the last tick named, after progress(), and for new events while
 * there is room. So a wake-up that is lost is a run that hangs.
 *
 * Long because lane, ring and main thread meet in the fates of the same events.
 */

import { Batch } from '../../src/batch/batch.ts';
import { JsonWire } from '../../src/batch/wire.ts';
import type { DeliveryContext } from '../../src/deliver/context.ts';
import { StreamDelivery } from '../../src/deliver/stream-delivery.ts';
import { EntryState, entry, SetAside } from '../../src/ring/layout.ts';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import type { World, WorldEvent } from './delivery-world.ts';
import { ModelKinesis } from './model-kinesis.ts';
import { arena, base64, ModelRing, md5 } from './model-ring.ts';
import { StreamChanges } from './stream-changes.ts';
import { VirtualTime } from './virtual-time.ts';

const startMs = 1_000_000_000;

const target = {
  streamName: 'model',
  region: 'eu-west-1',
  requestsInFlight: 1,
  requestTimeoutMs: 6_000,
  connectTimeoutMs: 1_000,
};

/** Turns in a row that are asked for at once and bring nothing about: more of them is a lane that spins. */
const idleTurnsMax = 100;

/** What became of an event. */
export type Fate = 'outside' | 'ring' | 'delivered' | 'set_aside' | 'dead';

export class DeliveryRun {
  readonly world: World;
  readonly time = new VirtualTime(startMs);
  readonly kinesis: ModelKinesis;
  readonly broken: string[] = [];
  readonly fates: Fate[];
  /** Times at which an event was set aside: what of it was stored before may be stored again. */
  readonly setAsideMs: number[][];
  readonly parkedMs: number[] = [];
  readonly log: string[] = [];
  readonly delivery: StreamDelivery;
  readonly #dice: RandomSequence;
  readonly #ring: ModelRing;
  readonly #changes: StreamChanges;
  readonly #waiting: WorldEvent[] = [];
  readonly #bodies: readonly { readonly offset: number; readonly length: number }[];
  #order: 'direct' | 'parking' | 'parked' = 'direct';
  #isScheduled = false;
  #canTake = true;
  #cancelDue = (): void => {};
  /** When requests under way were given up last, because their events were parked. */
  #givenUpMs = 0;
  #idleTurns = 0;
  #doings = 0;

  constructor(world: World) {
    this.world = world;
    this.fates = world.events.map(() => 'outside');
    this.setAsideMs = world.events.map(() => []);
    this.#dice = new RandomSequence(world.seed + 1);
    this.kinesis = new ModelKinesis(this.time, new RandomSequence(world.seed + 2), world.shards);
    this.kinesis.faults = { ...world.faults };
    for (const number of world.poison) this.kinesis.poison.add(number);
    const { time, kinesis } = this;
    const dice = this.#dice;
    this.#changes = new StreamChanges({
      world,
      time,
      kinesis,
      dice,
      park: () => this.#park(),
      isDone: () => this.isDone,
    });
    this.#ring = new ModelRing(world);
    const wire = new JsonWire(arena, base64, target);
    this.#bodies = this.#ring.bodies(world.batches, wire.bodyBytesMax(world.batchBytes, world.batchRecords));
    const batches = this.#bodies.map(({ offset, length }) => new Batch(offset, length));
    this.delivery = new StreamDelivery(this.#context(), wire, batches);
    const { retunedLingerMs, deadlineMs, failures, halfOpenAfterMs } = world;
    if (retunedLingerMs !== undefined) {
      this.delivery.retune({ lingerMs: retunedLingerMs, deadlineMs, failures, halfOpenAfterMs });
    }
    for (const event of world.events) this.time.after(event.enterMs, () => this.#enter([event]));
    for (const { atMs, change } of world.changes) {
      this.time.after(atMs, () => {
        this.log.push(`${this.#at} ${change}`);
        this.#changes.make(change);
      });
    }
    this.time.after(world.healMs, () => {
      this.log.push(`${this.#at} healed`);
      this.#changes.heal();
    });
    this.#schedule();
  }

  get isDone(): boolean {
    return this.fates.every((fate) => fate === 'delivered' || fate === 'dead');
  }

  #context(): DeliveryContext {
    const { time, world } = this;
    return {
      arena,
      md5,
      consumer: this.#ring.consumer,
      kinesis: {
        putRecords: (body) => this.#put(body),
        probe: () => this.#probe(),
        describe: () => this.kinesis.describe(),
        listShards: (closed) => this.kinesis.listShards(closed),
        destroy: () => {},
      },
      clock: time.clock,
      after: time.after,
      random: { share: () => this.#dice.next(), bytes: (length) => Buffer.alloc(length) },
      options: { ...world, name: 'model', wire: 'json', target },
      area: this.#ring.area,
      delivered: (offsets, from, to, _shardId, sequence) => this.#delivered(offsets.subarray(from, to), sequence),
      setAside: (offsets, reason) => this.#setAside(offsets, reason),
      parked: () => this.#parked(),
      expired: (offset, nowMs) =>
        nowMs - startMs - (arena.words[(offset + entry.enteredMs) >>> 2] as number) > world.deadlineMs,
      answered: () => {},
      lingered: () => {},
      sentAgain: () => undefined,
      recordsFailed: () => {},
      requestFailed: ({ code }) => this.log.push(`${this.#at} request ${code}`),
      probed: (failure) => this.log.push(`${this.#at} probed ${failure?.code ?? 'well'}`),
      breakerMoved: (from, to, cause) => this.log.push(`${this.#at} breaker ${from}>${to} ${cause}`),
      surveyed: (cause) => this.log.push(`${this.#at} survey ${cause}`),
      progress: () => this.#schedule(),
    };
  }

  get #at(): string {
    return (this.time.nowMs - startMs).toFixed(1);
  }

  #probe(): Promise<void> {
    if (this.kinesis.inFlight.size > 0) this.broken.push('a probe beside requests');
    return this.kinesis.probe();
  }

  #put(body: Parameters<ModelKinesis['putRecords']>[0]): ReturnType<ModelKinesis['putRecords']> {
    const inside = this.#bodies.find(({ offset }) => offset === body.body.byteOffset);
    if (inside === undefined || body.body.length > inside.length) this.broken.push('a body lies outside its memory');
    for (const other of this.kinesis.inFlight) {
      if (other.body.byteOffset === body.body.byteOffset) this.broken.push('two requests share a body');
    }
    const answer = this.kinesis.putRecords(body);
    if (this.kinesis.inFlight.size > this.world.batches) this.broken.push('more requests than batches');
    if (this.world.ordering === 'key') this.#checkApart();
    const sent = [...this.kinesis.inFlight].at(-1)?.records ?? [];
    this.log.push(`${this.#at} put ${sent.map(({ events }) => `[${events.join(',')}]`).join(',')}`);
    return answer;
  }

  /** Order kept: no key is in two records that are under way. Requests that were given up do not count. */
  #checkApart(): void {
    const since = this.#givenUpMs;
    const keys = new Set<string>();
    for (const { sentMs, records } of this.kinesis.inFlight) {
      if (sentMs <= since) continue;
      for (const record of records) {
        for (const key of new Set(record.keys)) {
          if (keys.has(key)) this.broken.push(`two records of ${key} are under way`);
          keys.add(key);
        }
      }
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.time.after(0, () => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    this.#ring.giveBack();
    this.#fill();
    const { nowMs } = this.time;
    let dueMs = this.delivery.tick(nowMs);
    let taken = 0;
    while (this.delivery.hasRoom()) {
      const offset = this.#ring.consumer.next();
      if (offset === 0) break;
      taken++;
      if (this.#ring.stateOf(offset) === EntryState.pending) this.delivery.add(offset, nowMs);
    }
    if (taken > 0) dueMs = Math.min(dueMs, this.delivery.tick(nowMs));
    this.#canTake = this.delivery.hasRoom();
    if (taken > 0 && this.#canTake) dueMs = Math.min(dueMs, nowMs + 1);
    this.#cancelDue();
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#cancelDue = this.time.after(Math.max(1, Math.trunc(dueMs - nowMs)), () => this.#schedule());
    this.#countIdle(dueMs - nowMs < 2);
  }

  #countIdle(isImpatient: boolean): void {
    const doings = this.kinesis.requests + this.log.length + this.#ring.consumer.donePosition();
    this.#idleTurns = isImpatient && doings === this.#doings ? this.#idleTurns + 1 : 0;
    this.#doings = doings;
    if (this.#idleTurns === idleTurnsMax) this.broken.push('the lane spins');
  }

  /** Events come, or come again. Where order is kept, what was spilled goes before what is younger. */
  #enter(events: readonly WorldEvent[]): void {
    this.#waiting.push(...events);
    if (this.world.ordering === 'key') this.#waiting.sort((a, b) => a.number - b.number);
    this.#fill();
  }

  #fill(): void {
    if (this.#order !== 'direct') return;
    while (this.#waiting.length > 0 && this.#write(this.#waiting[0] as WorldEvent)) this.#waiting.shift();
    if (this.#ring.producer.publish() && this.#canTake) this.#schedule();
  }

  #write(event: WorldEvent): boolean {
    // In half of the worlds what comes back is told apart, as the daemon does it.
    const isBack = this.world.seed % 2 === 0 && (this.setAsideMs[event.number]?.length ?? 0) > 0;
    if (!this.#ring.write(event, this.time.nowMs - startMs, isBack || event.isReplayed === true)) return false;
    this.fates[event.number] = 'ring';
    return true;
  }

  #delivered(offsets: Uint32Array, sequence: string): void {
    const record = this.kinesis.stored[Number(sequence)];
    for (const offset of offsets) {
      const event = this.#pendingAt(offset, 'delivered');
      if (event === undefined) continue;
      if (record === undefined || !record.events.includes(event.number)) {
        this.broken.push(`event ${event.number} is not in the record that is said to have delivered it`);
      } else if (!record.readable) {
        this.broken.push(`event ${event.number} was marked delivered, and no consumer gets it (record ${sequence})`);
      }
      this.#ring.consumer.markDelivered(offset);
      this.fates[event.number] = 'delivered';
    }
  }

  #setAside(offsets: Uint32Array, reason: SetAside): void {
    if (reason === SetAside.parked) this.#givenUpMs = this.time.nowMs;
    const numbers = [...offsets].map((offset) => this.#ring.held.get(offset)?.number);
    this.log.push(`${this.#at} set aside for ${reason}: ${numbers.join(',')}`);
    for (const offset of offsets) {
      const event = this.#pendingAt(offset, 'set aside');
      if (event === undefined) continue;
      this.#ring.consumer.mark(offset, EntryState.setAside, reason);
      this.fates[event.number] = 'set_aside';
      this.setAsideMs[event.number]?.push(this.time.nowMs);
      const isKept = this.world.ordering === 'key' && reason !== SetAside.parked && reason !== SetAside.rejected;
      if (isKept) this.broken.push(`order kept, and event ${event.number} is set aside for reason ${reason}`);
    }
    const copy = offsets.slice();
    this.time.after(this.#dice.next() * 10, () => this.#return(copy, reason));
  }

  /** The main thread: the DLQ takes what was set aside, or has no room. */
  #return(offsets: Uint32Array, reason: SetAside): void {
    const again: number[] = [];
    for (const offset of offsets) {
      const event = this.#ring.held.get(offset) as WorldEvent;
      const isFull = this.world.ordering === 'none' && reason !== SetAside.rejected;
      if (isFull && this.#dice.next() < this.world.dlqFull) {
        const word = (offset + entry.state) >>> 2;
        Atomics.store(arena.words, word, ((arena.words[word] as number) & ~0xffff) | EntryState.pending);
        this.fates[event.number] = 'ring';
        again.push(offset);
        continue;
      }
      Atomics.store(arena.words, (offset + entry.state) >>> 2, EntryState.settled);
      this.fates[event.number] = reason === SetAside.rejected ? 'dead' : 'set_aside';
      if (reason === SetAside.rejected) continue;
      if (this.world.ordering === 'key') this.#enter([event]);
      else this.time.after(this.#dice.next() * 3_000, () => this.#enter([event]));
    }
    if (again.length > 0) this.delivery.tryOn(Uint32Array.from(again));
    // What the daemon's message "settled" does.
    this.#schedule();
  }

  #parked(): void {
    if (this.#order !== 'parking') this.broken.push('parked without having been asked');
    this.#order = 'parked';
    this.time.after(50 + this.#dice.next() * 2_000, () => {
      if (this.fates.includes('ring')) this.broken.push('parked, and something is left in the ring');
      this.#order = 'direct';
      this.delivery.unpark();
      this.#fill();
    });
  }

  #pendingAt(offset: number, what: string): WorldEvent | undefined {
    const event = this.#ring.held.get(offset);
    if (event === undefined) this.broken.push(`${what}: no entry at ${offset}`);
    else if (this.#ring.stateOf(offset) !== EntryState.pending) {
      this.broken.push(`event ${event.number} is ${what} and was ${this.fates[event.number]}`);
      return undefined;
    }
    return event;
  }

  #park(): void {
    if (this.#order !== 'direct') return;
    this.#order = 'parking';
    this.parkedMs.push(this.time.nowMs);
    this.delivery.park();
  }
}
