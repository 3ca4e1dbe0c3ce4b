/** A small ring with both of its ends on one thread, for the ring's tests: tiny capacities make wrap-around come at once. */
import { type Arena, createArena } from '../../src/ring/arena.ts';
import { RingConsumer } from '../../src/ring/consumer.ts';
import { control, controlBytes, entry, type RingPlace } from '../../src/ring/layout.ts';
import { RingProducer } from '../../src/ring/producer.ts';

export interface TinyRing {
  readonly arena: Arena;
  readonly place: RingPlace;
  readonly producer: RingProducer;
  readonly consumer: RingConsumer;
}

/** A ring whose first position is `startPosition` (HEAD = TAIL): near 2^32 it wraps within a few entries. */
export function tinyRing(capacity: number, startPosition = 0): TinyRing {
  const place = { controlOffset: 128, entriesOffset: 128 + controlBytes, capacity };
  const arena = createArena(place.entriesOffset + capacity);
  Atomics.store(arena.words, (place.controlOffset + control.head) >>> 2, startPosition | 0);
  Atomics.store(arena.words, (place.controlOffset + control.tail) >>> 2, startPosition | 0);
  const producer = new RingProducer(arena, place);
  return { arena, place, producer, consumer: new RingConsumer(arena, place) };
}

/** Claims an entry and fills its payload with `value`; false when the ring is full. Publishes nothing. */
export function put(ring: TinyRing, payloadLength: number, value: number): boolean {
  const offset = ring.producer.claim(payloadLength);
  if (offset === 0) return false;
  ring.arena.words[(offset + entry.key) >>> 2] = value;
  ring.arena.bytes.fill(value & 0xff, offset + entry.payload, offset + entry.payload + payloadLength);
  return true;
}

/** What the entry at `offset` holds: its value, or a word for what is wrong with it. */
export function valueAt(ring: TinyRing, offset: number): number | string {
  const length = ring.arena.words[(offset + entry.length) >>> 2]!;
  const value = ring.arena.words[(offset + entry.key) >>> 2]!;
  const end = ring.place.entriesOffset + ring.place.capacity;
  if (offset + entry.payload + length > end) return 'beyond the end of the ring';
  const payload = ring.arena.bytes.subarray(offset + entry.payload, offset + entry.payload + length);
  return payload.every((byte) => byte === (value & 0xff)) ? value : 'torn';
}

/** Reads, delivers and gives back everything published; the values read. */
export function drain(ring: TinyRing): (number | string)[] {
  const values: (number | string)[] = [];
  for (let offset = ring.consumer.next(); offset !== 0; offset = ring.consumer.next()) {
    values.push(valueAt(ring, offset));
    ring.consumer.markDelivered(offset);
  }
  while (ring.consumer.advance() !== 0);
  ring.consumer.release();
  return values;
}
