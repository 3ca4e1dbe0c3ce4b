/** Sleeping and waking on one thread: waitAsync lists the sleeper, so both orders of publish and sleep can be played. */
import { test } from 'tap';
import { control } from '../../src/ring/layout.ts';
import { RingWaiter } from '../../src/ring/waiting.ts';
import { put, tinyRing } from './tiny-ring.ts';

/** The waiter of a tiny ring and a look at its SLEEPING word. */
function sleeper() {
  const ring = tinyRing(256);
  const sleepingWord = (ring.place.controlOffset + control.sleeping) >>> 2;
  return {
    ring,
    waiter: new RingWaiter(ring.arena, [ring.place]),
    sleeping: () => Atomics.load(ring.arena.words, sleepingWord),
  };
}

test('a publish between the last look and the sleep is not slept over', (t) => {
  const { ring, waiter, sleeping } = sleeper();
  t.equal(ring.consumer.next(), 0);
  const seen = ring.consumer.headSeen();
  put(ring, 8, 1);
  ring.producer.publish();
  ring.producer.wake();
  t.equal(waiter.sleep([seen]), undefined);
  t.equal(sleeping(), 0, 'and the ring does not believe in a sleeper');
  t.end();
});

test('a sleeper is woken by the next publish, once', async (t) => {
  const { ring, waiter, sleeping } = sleeper();
  ring.consumer.next();
  const asleep = waiter.sleep([ring.consumer.headSeen()]);
  t.ok(asleep instanceof Promise);
  t.equal(sleeping(), 1);
  put(ring, 8, 1);
  ring.producer.publish();
  ring.producer.wake();
  t.equal(sleeping(), 0, 'the waker cleared the flag');
  t.equal(await asleep, 'ok');
  t.not(ring.consumer.next(), 0);
});

test('a ring without a sleeper is not notified', (t) => {
  const { ring } = sleeper();
  put(ring, 8, 1);
  ring.producer.publish();
  const notify = Atomics.notify;
  let notified = 0;
  Atomics.notify = () => {
    notified += 1;
    return 0;
  };
  t.teardown(() => {
    Atomics.notify = notify;
  });
  ring.producer.wake();
  t.equal(notified, 0);
  t.end();
});

test('a flag that a dead worker left behind costs one idle notify, and its successor sleeps and wakes as usual', async (t) => {
  const { ring, waiter, sleeping } = sleeper();
  ring.consumer.next();
  void waiter.sleep([ring.consumer.headSeen()]);
  const successor = new RingWaiter(ring.arena, [ring.place]);
  const asleep = successor.sleep([ring.consumer.headSeen()]);
  t.equal(sleeping(), 1);
  put(ring, 8, 1);
  ring.producer.publish();
  ring.producer.wake();
  t.equal(await asleep, 'ok');
});
