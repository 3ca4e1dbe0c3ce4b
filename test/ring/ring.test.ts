/** The ring's two ends on one thread: full and empty, wrap-around, exact fits, padding, outcomes, take-over.
 *
 * Long because it is a list of claims.
 */
import { test } from 'tap';
import { createArena } from '../../src/ring/arena.ts';
import { RingConsumer } from '../../src/ring/consumer.ts';
import {
  attemptsMax,
  attemptsShift,
  checkPlace,
  EntryState,
  entry,
  entryBytes,
  payloadBytesMax,
  reasonShift,
  stateMask,
} from '../../src/ring/layout.ts';
import { RingProducer } from '../../src/ring/producer.ts';
import { drain, put, tinyRing, valueAt } from './tiny-ring.ts';

test('an empty ring gives nothing to read, nothing to advance over, and no oldest entry', (t) => {
  const { producer, consumer } = tinyRing(256);
  t.equal(consumer.next(), 0);
  t.equal(consumer.advance(), 0);
  t.equal(producer.oldest(), 0);
  t.equal(producer.usedBytes(), 0);
  t.equal(producer.publish(), false, 'and there is nothing to publish');
  t.end();
});

test('a claimed entry is invisible until it is published', (t) => {
  const ring = tinyRing(256);
  t.ok(put(ring, 8, 1));
  t.ok(put(ring, 8, 2));
  t.equal(ring.consumer.next(), 0);
  t.equal(ring.consumer.unreadBytes(), 0);
  t.equal(ring.producer.publish(), true);
  t.equal(ring.consumer.unreadBytes(), 2 * entryBytes(8));
  t.same(drain(ring), [1, 2]);
  t.end();
});

test('an aborted claim leaves no trace, and its room is claimed again', (t) => {
  const ring = tinyRing(256);
  put(ring, 8, 1);
  ring.producer.publish();
  for (let round = 0; round < 20; round++) {
    t.ok(put(ring, 100, 66));
    ring.producer.abort();
  }
  t.equal(ring.producer.usedBytes(), entryBytes(8));
  put(ring, 8, 2);
  ring.producer.publish();
  t.same(drain(ring), [1, 2]);
  t.end();
});

test('an abort across the end of the ring takes the padding back too', (t) => {
  const ring = tinyRing(256);
  put(ring, 200, 1);
  ring.producer.publish();
  drain(ring);
  t.ok(put(ring, 40, 66), 'claims over the end');
  ring.producer.abort();
  t.equal(ring.producer.usedBytes(), 0);
  t.ok(put(ring, 0, 2), 'this one fits before the end');
  ring.producer.publish();
  t.same(drain(ring), [2]);
  t.end();
});

test('a full ring refuses, says so by 0, and accepts again after the consumer has released', (t) => {
  const ring = tinyRing(256);
  for (let value = 0; value < 256 / entryBytes(8); value++) t.ok(put(ring, 8, value));
  t.equal(ring.producer.usedBytes(), 256);
  t.equal(ring.producer.claim(0), 0);
  ring.producer.publish();
  const first = ring.consumer.next();
  ring.consumer.markDelivered(first);
  t.equal(ring.producer.claim(0), 0, 'reading alone frees nothing');
  t.equal(ring.consumer.advance(), first);
  t.equal(ring.producer.claim(0), 0, 'nor does stepping over it');
  ring.consumer.release();
  t.ok(put(ring, 8, 8), 'releasing does');
  t.equal(ring.producer.claim(0), 0, 'for exactly its own size');
  ring.producer.publish();
  t.same(drain(ring), [1, 2, 3, 4, 5, 6, 7, 8]);
  t.end();
});

test('entries of every length fit exactly up to the end, or are preceded by padding; all arrive in order', (t) => {
  for (const capacity of [256, 512]) {
    for (let length = 0; length <= payloadBytesMax(capacity); length++) {
      const ring = tinyRing(capacity);
      let next = 0;
      let expected = 0;
      for (let round = 0; round < 40; round++) {
        while (put(ring, length, next)) next += 1;
        ring.producer.publish();
        for (const value of drain(ring)) {
          if (value !== expected) t.fail(`capacity ${capacity}, length ${length}: ${value} instead of ${expected}`);
          expected += 1;
        }
      }
      if (expected < 40 || expected !== next) t.fail(`capacity ${capacity}, length ${length}: ${expected} of ${next}`);
    }
  }
  t.end();
});

test('the longest entry fits an empty ring at every position', (t) => {
  for (let start = 0; start < 512; start += 8) {
    const ring = tinyRing(512, start);
    if (!put(ring, payloadBytesMax(512), 7)) t.fail(`no room at ${start}`);
    ring.producer.publish();
    if (drain(ring).join() !== '7') t.fail(`not read at ${start}`);
  }
  t.end();
});

test('an entry that ends at the end of the ring needs no padding', (t) => {
  const ring = tinyRing(256);
  put(ring, 104, 1);
  put(ring, 104, 2);
  ring.producer.publish();
  t.equal(ring.producer.usedBytes(), 256);
  t.same(drain(ring), [1, 2]);
  t.equal(ring.producer.claim(0), ring.place.entriesOffset, 'the next one starts at the beginning');
  t.end();
});

test('padding of the least size, 8 bytes, is stepped over by reading, advancing and looking for the oldest', (t) => {
  const ring = tinyRing(256);
  put(ring, 96, 1);
  put(ring, 104, 2);
  ring.producer.publish();
  t.same(drain(ring), [1, 2], 'the next position is 8 bytes before the end');
  put(ring, 8, 3);
  ring.producer.publish();
  t.equal(ring.producer.usedBytes(), 8 + entryBytes(8));
  t.equal(ring.producer.oldest(), ring.place.entriesOffset);
  t.same(drain(ring), [3]);
  t.equal(ring.producer.usedBytes(), 0);
  t.end();
});

test('positions that wrap at 2^31 and 2^32 change nothing', (t) => {
  for (const start of [2 ** 31 - 512, 2 ** 32 - 512]) {
    const ring = tinyRing(256, start);
    const mark = ring.producer.position();
    t.equal(ring.producer.passed(mark), true);
    let next = 0;
    let expected = 0;
    for (let round = 0; round < 30; round++) {
      const before = ring.producer.position();
      while (put(ring, (round * 7) % 90, next)) next += 1;
      t.equal(ring.producer.usedBytes() <= 256, true);
      t.equal(ring.producer.passed(ring.producer.position()), false, 'what is claimed has not passed');
      ring.producer.publish();
      t.ok(ring.consumer.unreadBytes() > 0 && ring.consumer.unreadBytes() <= 256);
      for (const value of drain(ring)) {
        if (value !== expected) t.fail(`${value} instead of ${expected}`);
        expected += 1;
      }
      t.equal(ring.producer.passed(before), true);
    }
    t.equal(expected, next);
    t.ok(ring.producer.passed(mark) && mark !== ring.producer.position());
  }
  t.end();
});

test('memory comes back only over a done prefix: pending and set-aside entries hold what follows', (t) => {
  const ring = tinyRing(512);
  for (let value = 0; value < 4; value++) put(ring, 8, value);
  ring.producer.publish();
  const offsets = [0, 1, 2, 3].map(() => ring.consumer.next());
  const [first, second, third, fourth] = offsets as [number, number, number, number];
  ring.consumer.markDelivered(second);
  ring.consumer.mark(third, EntryState.setAside, 9);
  ring.consumer.markDelivered(fourth);
  t.equal(ring.consumer.advance(), 0, 'the first is pending');
  ring.consumer.markDelivered(first);
  t.equal(ring.consumer.advance(), first);
  t.equal(ring.consumer.advance(), second);
  t.equal(ring.consumer.advance(), 0, 'the third is set aside, and not settled yet');
  ring.consumer.release();
  t.equal(ring.producer.oldest(), third);
  t.equal(ring.producer.usedBytes(), 2 * entryBytes(8));
  new RingConsumer(ring.arena, ring.place).mark(third, EntryState.settled, 9);
  t.equal(ring.consumer.advance(), third);
  t.equal(ring.consumer.advance(), fourth);
  t.equal(ring.consumer.advance(), 0);
  t.end();
});

test('outcome, reason and attempts share a word without disturbing each other; attempts saturate', (t) => {
  const ring = tinyRing(256);
  put(ring, 8, 1);
  ring.producer.publish();
  const offset = ring.consumer.next();
  const stateWord = (): number => ring.arena.words[(offset + entry.state) >>> 2]!;
  t.equal(ring.consumer.countAttempt(offset), 1);
  t.equal(ring.consumer.countAttempt(offset), 2);
  ring.consumer.mark(offset, EntryState.setAside, 0xff);
  t.equal(stateWord() & stateMask, EntryState.setAside);
  t.equal((stateWord() >>> reasonShift) & 0xff, 0xff);
  t.equal(stateWord() >>> attemptsShift, 2);
  let attempts = 2;
  for (let count = 0; count < attemptsMax + 5; count++) attempts = ring.consumer.countAttempt(offset);
  t.equal(attempts, attemptsMax);
  t.equal(stateWord() & stateMask, EntryState.setAside, 'the outcome survives the counting');
  t.end();
});

test('a successor finds every entry that was not released, with the outcomes that its predecessor wrote', (t) => {
  const ring = tinyRing(512);
  for (let value = 0; value < 5; value++) put(ring, 20, value);
  ring.producer.publish();
  const offsets = [0, 1, 2, 3].map(() => ring.consumer.next());
  ring.consumer.markDelivered(offsets[0]!);
  ring.consumer.markDelivered(offsets[2]!);
  ring.consumer.advance();
  ring.consumer.release();
  const successor = new RingConsumer(ring.arena, ring.place);
  const found: unknown[] = [];
  for (let offset = successor.next(); offset !== 0; offset = successor.next()) {
    found.push([valueAt(ring, offset), ring.arena.words[(offset + entry.state) >>> 2]! & stateMask]);
  }
  t.same(found, [
    [1, EntryState.pending],
    [2, EntryState.delivered],
    [3, EntryState.pending],
    [4, EntryState.pending],
  ]);
  t.end();
});

test('a successor told a later tail than the published one starts there', (t) => {
  const ring = tinyRing(512);
  put(ring, 20, 1);
  put(ring, 20, 2);
  ring.producer.publish();
  ring.consumer.markDelivered(ring.consumer.next());
  ring.consumer.advance();
  const successor = new RingConsumer(ring.arena, ring.place, ring.consumer.donePosition());
  t.equal(valueAt(ring, successor.next()), 2);
  t.end();
});

test('a producer opened on a ring in use goes on behind what is published', (t) => {
  const ring = tinyRing(256);
  put(ring, 20, 1);
  ring.producer.publish();
  put(ring, 20, 66);
  const producer = new RingProducer(ring.arena, ring.place);
  const again = { ...ring, producer };
  put(again, 20, 2);
  producer.publish();
  t.same(drain(again), [1, 2]);
  t.end();
});

test('a place that breaks the layout is a failed assertion', (t) => {
  const place = { controlOffset: 128, entriesOffset: 640, capacity: 256 };
  t.throws(() => checkPlace({ ...place, capacity: 128 }), /within its limits/);
  t.throws(() => checkPlace({ ...place, capacity: 2 ** 31 }), /within its limits/);
  t.throws(() => checkPlace({ ...place, capacity: 768 }), /power of two/);
  t.throws(() => checkPlace({ ...place, controlOffset: 64 }), /aligned/);
  t.throws(() => checkPlace({ ...place, entriesOffset: 648 }), /aligned/);
  t.end();
});

test('releasing more than was read, or a tail ahead of head, is a failed assertion', (t) => {
  const ring = tinyRing(256);
  put(ring, 20, 1);
  ring.producer.publish();
  t.throws(() => new RingConsumer(ring.arena, ring.place, 400), /not ahead/);
  t.end();
});

test('a ring works as well above 2 GiB of the arena as below', (t) => {
  const place = { controlOffset: 2 ** 31 + 2 ** 20, entriesOffset: 2 ** 31 + 2 ** 20 + 512, capacity: 256 };
  const arena = createArena(place.entriesOffset + place.capacity);
  const producer = new RingProducer(arena, place);
  const high = { arena, place, producer, consumer: new RingConsumer(arena, place) };
  for (let round = 0; round < 10; round++) {
    t.ok(put(high, 40, round));
    producer.publish();
    t.same(drain(high), [round]);
  }
  t.end();
});
