import t, { type Test } from 'tap';
import { Parking } from '../../src/deliver/parking.ts';
import { put, type TinyRing, tinyRing, valueAt } from '../ring/tiny-ring.ts';

interface Rig {
  readonly ring: TinyRing;
  readonly parking: Parking;
  /** Values of the entries that were set aside, message by message. */
  readonly told: number[][];
  parked: number;
}

function createRig(capacity = 4_096): Rig {
  const ring = tinyRing(capacity);
  const told: number[][] = [];
  const made: Rig = {
    ring,
    told,
    parked: 0,
    parking: new Parking(
      ring.consumer,
      (offsets) => told.push([...offsets].map((offset) => valueAt(ring, offset) as number)),
      () => made.parked++,
    ),
  };
  return made;
}

function enter({ ring }: Rig, ...values: number[]): void {
  for (const value of values) put(ring, 8, value);
  ring.producer.publish();
}

/** Reads entries as the lane does while it is parked. */
function read({ ring, parking }: Rig): void {
  for (let offset = ring.consumer.next(); offset !== 0; offset = ring.consumer.next()) parking.add(offset);
}

function states({ parking }: Rig): string {
  return [parking.isBegun && 'begun', parking.isParked && 'parked', parking.isTold && 'told'].filter(Boolean).join(' ');
}

async function parkAt(t: Test, rig: Rig): Promise<void> {
  rig.parking.begin(1_000);
  t.equal(states(rig), 'begun');
  rig.parking.take();
  t.equal(states(rig), 'begun parked');
}

t.test('it waits until all is judged, or for a second', async (t) => {
  const { parking } = createRig();
  parking.begin(1_000);
  t.ok(parking.mayTake(true, 1_000));
  t.notOk(parking.mayTake(false, 1_999));
  t.ok(parking.mayTake(false, 2_000));
  t.equal(parking.tick(1_500), 2_000, 'it wants to be called when that is over');
  parking.begin(1_900);
  t.ok(parking.mayTake(false, 2_000), 'asked again meanwhile, it waits no longer');
});

t.test('all that is not delivered leaves in the order of the ring: what was read, then what was not', async (t) => {
  const parked = createRig();
  enter(parked, 1, 2, 3, 4);
  const offsets = [1, 2, 3, 4].map(() => parked.ring.consumer.next());
  for (const delivered of [0, 2]) parked.ring.consumer.markDelivered(offsets[delivered] as number);
  enter(parked, 5, 6);
  await parkAt(t, parked);
  t.equal(parked.parked, 0);
  parked.parking.tick(1_001);
  t.equal(parked.parked, 0, 'two are still unread');
  read(parked);
  t.equal(parked.parking.tick(1_002), Number.POSITIVE_INFINITY);
  t.strictSame(parked.told.flat(), [2, 4, 5, 6]);
  t.strictSame([parked.parked, states(parked)], [1, 'begun parked told']);
});

t.test('it is told once, and what comes later is set aside as well', async (t) => {
  const parked = createRig();
  await parkAt(t, parked);
  parked.parking.tick(1_001);
  enter(parked, 7);
  read(parked);
  parked.parking.tick(1_002);
  t.strictSame([parked.parked, parked.told], [1, [[7]]]);
});

t.test('the end tells what was read last, and then it can begin anew', async (t) => {
  const parked = createRig();
  await parkAt(t, parked);
  enter(parked, 8);
  read(parked);
  parked.parking.end();
  t.strictSame([parked.told, states(parked)], [[[8]], '']);
  await parkAt(t, parked);
});

t.test('thousands go in messages of bounded length', async (t) => {
  const parked = createRig(2 ** 19);
  enter(parked, ...Array.from({ length: 9_000 }, (_, i) => i));
  await parkAt(t, parked);
  read(parked);
  parked.parking.tick(1_001);
  t.strictSame(
    parked.told.map(({ length }) => length),
    [4_096, 4_096, 808],
  );
  t.strictSame(
    parked.told.flat(),
    Array.from({ length: 9_000 }, (_, i) => i),
  );
});
