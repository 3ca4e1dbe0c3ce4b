import t from 'tap';
import { watchedEventsMax } from '../../src/base/limits.ts';
import { FrameAnswers } from '../../src/ingress/frame-answers.ts';
import { RingWatch } from '../../src/ingress/ring-watch.ts';
import { Fate, Watch } from '../../src/ingress/watch.ts';
import { type Below, seeded } from '../stress/seeded.ts';
import { listening } from './feeding.ts';

const silent = (): void => {};

/** Steps over all that have their fate; their fates. */
function steps(watch: Watch): Fate[] {
  const fates: Fate[] = [];
  for (let fate = watch.next(); fate !== Fate.pending; fate = watch.next()) fates.push(fate);
  return fates;
}

t.test('fates that come in any order are stepped over by number, in windows of any size', async (t) => {
  const seed = Date.now() >>> 0;
  t.comment(`seed ${seed}`);
  const below: Below = seeded(seed);
  const watch = new Watch(Number.POSITIVE_INFINITY, silent);
  const expected: Fate[] = [];
  const seen: Fate[] = [];
  let open: number[] = [];
  for (let round = 0; round < 300; round++) {
    for (let events = below(1 + below(400)); events > 0; events--) {
      const atOnce = below(10) === 0 ? Fate.told : Fate.pending;
      watch.judge(atOnce);
      expected.push(atOnce);
      if (atOnce === Fate.pending) open.push(watch.judged);
    }
    const left: number[] = [];
    for (const number of open) {
      if (below(3) === 0) {
        left.push(number);
        continue;
      }
      const fate = [Fate.delivered, Fate.onDisk, Fate.rejected][below(3)] as Fate;
      watch.place(number, { shardId: 's', sequenceNumber: String(number) }, number);
      watch.settle(number, fate);
      expected[number - 1] = fate;
    }
    open = left;
    for (let fate = watch.next(); fate !== Fate.pending; fate = watch.next()) {
      seen.push(fate);
      const isPlaced = fate === Fate.told || watch.record?.sequenceNumber === String(watch.done);
      if (!isPlaced) t.fail(`event ${watch.done} has the place of ${watch.record?.sequenceNumber}`);
    }
    if (watch.done !== (open[0] ?? watch.judged + 1) - 1) t.fail(`done ${watch.done}, but ${open[0]} is pending`);
  }
  t.equal(watch.pending, open.length);
  t.strictSame(seen, expected.slice(0, watch.done));
  t.equal(watch.delivered, expected.filter((fate) => fate === Fate.delivered).length);
});

t.test(
  'a full window holds a sender up until half of it is free; what is refused meanwhile is only counted',
  async (t) => {
    const watch = new Watch(0, silent);
    let resumed = 0;
    for (let number = 1; number <= watchedEventsMax; number++) watch.judge(Fate.pending);
    t.ok(watch.full);
    for (let i = 0; i < 1_000_000; i++) watch.judge(Fate.told);
    watch.whenRoom(() => resumed++);
    for (let number = 1; number < watchedEventsMax; number++) watch.settle(number, Fate.delivered);
    t.equal(steps(watch).length, watchedEventsMax - 1);
    t.equal(resumed, 0, 'the refused ones are behind one that is pending');
    t.ok(watch.full);
    watch.settle(watchedEventsMax, Fate.delivered);
    t.strictSame(steps(watch), [Fate.delivered, Fate.told]);
    t.equal(watch.done, watchedEventsMax + 1_000_000);
    t.equal(watch.pending, 0);
    t.equal(resumed, 1);
    t.notOk(watch.full);
    for (let i = 0; i < watchedEventsMax; i++) watch.judge(Fate.pending);
    watch.whenRoom(() => resumed++);
    const first = watch.done + 1;
    for (let i = 0; i < watchedEventsMax / 2 - 1; i++) watch.settle(first + i, Fate.delivered);
    steps(watch);
    t.equal(resumed, 1);
    watch.settle(watch.done + 1, Fate.delivered);
    steps(watch);
    t.equal(resumed, 2);
  },
);

t.test(
  'a ring settles what its tail has passed, across the wrap of positions, and spares senders that are gone',
  async (t) => {
    const seed = Date.now() >>> 0;
    t.comment(`seed ${seed}`);
    const below: Below = seeded(seed);
    const ring = new RingWatch();
    const senders = [new Watch(0, silent), new Watch(0, silent), new Watch(0, silent)];
    const gone = new Watch(0, silent);
    gone.close();
    const expected = senders.map((): Fate[] => []);
    const live: { position: number; sender: number; number: number }[] = [];
    // Positions wrap in the middle of this.
    let position = 0x7fff_ff00 - 40_000;
    let tail = position;
    for (let round = 0; round < 400; round++) {
      for (let events = below(1 + below(60)); events > 0; events--) {
        position = (position + 32 + 8 * below(20)) | 0;
        const sender = below(5);
        if (sender === 4) continue; // an event of a sender that does not watch
        const watch = senders[sender];
        if (watch === undefined) {
          ring.add(position, gone, 1);
          continue;
        }
        ring.add(position, watch, watch.judged + 1);
        watch.judge(Fate.pending);
        expected[sender]?.push(Fate.delivered);
        live.push({ position, sender, number: watch.judged });
      }
      const taken = live[below(live.length + 1)];
      if (taken !== undefined) {
        t.equal(ring.at(taken.position)?.number, taken.number);
        ring.settled(taken.position, Fate.onDisk);
        ring.settled((taken.position + 8) | 0, Fate.rejected);
        (expected[taken.sender] as Fate[])[taken.number - 1] = Fate.onDisk;
      }
      const passed = below(live.length + 1);
      if (passed > 0) tail = live.splice(0, passed).at(-1)?.position as number;
      const touched = new Set<Watch>();
      ring.passed(tail, (watch) => touched.add(watch));
      t.notOk(touched.has(gone));
    }
    ring.passed(position, () => {});
    t.equal(ring.count, 0);
    senders.forEach((watch, sender) => t.strictSame(steps(watch), expected[sender]));
  },
);

t.test('receipts of neighbours in one record are one frame; what is not known is said to be so', async (t) => {
  const answers = new FrameAnswers();
  const [first, second] = [
    { shardId: 'shardId-000000000000', sequenceNumber: '1' },
    { shardId: 'shardId-000000000001', sequenceNumber: '2' },
  ];
  answers.receipt(1, first, 0);
  answers.receipt(2, first, 1);
  answers.receipt(3, second, 7);
  answers.receipt(4, first, 2);
  answers.receipt(5, first, 4);
  answers.receipt(6, undefined, 0);
  answers.receipt(7, undefined, 0);
  answers.receipt(9, undefined, 0);
  const { told, push } = listening();
  push(answers.take(9));
  t.strictSame(told.receipts, [
    { first: 1, count: 2, record: { ...first, subSequence: 0 } },
    { first: 3, count: 1, record: { ...second, subSequence: 7 } },
    { first: 4, count: 1, record: { ...first, subSequence: 2 } },
    { first: 5, count: 1, record: { ...first, subSequence: 4 } },
    { first: 6, count: 2, record: undefined },
    { first: 9, count: 1, record: undefined },
  ]);
  t.strictSame(told.acks, [9]);
});
