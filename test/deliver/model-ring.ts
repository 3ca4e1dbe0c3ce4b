/**
 * The memory of a run of the delivery's model: a ring with both of its ends, the events that stand in it, and room for aggregates
 * and bodies. Test processes only.
 */

import { assert } from '../../src/base/assert.ts';
import { aggregatePlaceBytes, md5ScratchBytes } from '../../src/base/limits.ts';
import { Base64 } from '../../src/batch/base64.ts';
import { Md5Group } from '../../src/batch/md5-group.ts';
import { createArena } from '../../src/ring/arena.ts';
import { RingConsumer } from '../../src/ring/consumer.ts';
import {
  control,
  controlBytes,
  EntryState,
  entry,
  flagHashKey,
  flagReplayed,
  type RingPlace,
  stateMask,
} from '../../src/ring/layout.ts';
import { RingProducer } from '../../src/ring/producer.ts';
import type { World, WorldEvent } from './delivery-world.ts';

const startPage = 65_536;
const openAggregates = 10;

/** One arena for all runs: each WebAssembly memory reserves gigabytes of addresses. */
export const arena = createArena(4 * 1024 * 1024);
export const md5 = new Md5Group(arena, startPage);
export const base64 = new Base64(arena);

export class ModelRing {
  readonly producer: RingProducer;
  readonly consumer: RingConsumer;
  readonly held = new Map<number, WorldEvent>();
  /** Where aggregates are built. */
  readonly area: { readonly offset: number; readonly length: number };
  readonly #bodiesOffset: number;

  constructor(world: World) {
    const ring = placeRing(world);
    this.producer = new RingProducer(arena, ring);
    this.consumer = new RingConsumer(arena, ring);
    const offset = (ring.entriesOffset + ring.capacity + 127) & -128;
    this.area = { offset, length: openAggregates * aggregatePlaceBytes(world.aggregateBytes) };
    this.#bodiesOffset = (offset + this.area.length + 127) & -128;
  }

  /** Memory for so many request bodies. */
  bodies(count: number, bytes: number): { readonly offset: number; readonly length: number }[] {
    const length = (bytes + 127) & -128;
    return Array.from({ length: count }, (_, i) => ({ offset: this.#bodiesOffset + i * length, length }));
  }

  /** False: the ring is full. Publishes nothing. */
  write(event: WorldEvent, enteredMs: number, isReplayed: boolean): boolean {
    const hashKey =
      event.hashKey === undefined ? Buffer.alloc(0) : Buffer.from(event.hashKey.toString(16).padStart(32, '0'), 'hex');
    const key = Buffer.from(event.key);
    const data = Buffer.alloc(event.dataBytes, 46);
    data.write(`${event.number} `, 'latin1');
    const payload = Buffer.concat([hashKey, key, data]);
    const offset = this.producer.claim(payload.length);
    if (offset === 0) return false;
    const flags = (hashKey.length === 0 ? 0 : flagHashKey) | (isReplayed ? flagReplayed : 0);
    arena.words[(offset + entry.key) >>> 2] = key.length | flags;
    arena.words[(offset + entry.enteredMs) >>> 2] = enteredMs;
    arena.bytes.set(payload, offset + entry.payload);
    assert(!this.held.has(offset), 'an entry is not overwritten');
    this.held.set(offset, event);
    return true;
  }

  /** Gives back what is done. */
  giveBack(): void {
    for (let offset = this.consumer.advance(); offset !== 0; offset = this.consumer.advance()) this.held.delete(offset);
    this.consumer.release();
  }

  stateOf(offset: number): number {
    return (arena.words[(offset + entry.state) >>> 2] as number) & stateMask;
  }

  isPending(offset: number): boolean {
    return this.stateOf(offset) === EntryState.pending;
  }
}

function placeRing({ ringBytes, seed }: World): RingPlace {
  const controlOffset = startPage + ((md5ScratchBytes + 127) & -128);
  const ring = { controlOffset, entriesOffset: controlOffset + controlBytes, capacity: ringBytes };
  // Near the end of 32 bits now and then, so that positions wrap.
  const position = seed % 3 === 0 ? -ringBytes : 0;
  Atomics.store(arena.words, (controlOffset + control.head) >>> 2, position);
  Atomics.store(arena.words, (controlOffset + control.tail) >>> 2, position);
  return ring;
}
