/**
 * A saturated ring, shared by a greedy sender and nine that ask for little: the real admission, on a clock of the test's own.
 */
import t from 'tap';
import { BreakerState } from '../../src/breaker/breaker.ts';
import { SaturationBreaker } from '../../src/breaker/saturation.ts';
import { Admission } from '../../src/ingress/admission.ts';
import { Sender } from '../../src/ingress/fair-shares.ts';
import { firstRefusal } from '../../src/ingress/intake.ts';
import { MainCounters } from '../../src/observe/counters.ts';
import { createArena } from '../../src/ring/arena.ts';
import { RingConsumer } from '../../src/ring/consumer.ts';
import { RingProducer } from '../../src/ring/producer.ts';

const [counters, breakerWord, controls, entries, event] = [65_536, 70_000 >>> 2, 73_728, 1 << 20, 90_112];
const capacity = 1 << 20;
const modestSenders = 9;
const tickMs = 2;
/** Events that the lane takes in a tick, and that a modest sender offers: half of its equal share. */
const laneTakes = 40;
const modestOffers = 2;

interface Shares {
  readonly greedy: number;
  /** Of what each modest sender has offered. */
  readonly modest: readonly number[];
  /** Events of all that entered, of what the lane takes. */
  readonly goodput: number;
  readonly openings: number;
}

/** Four seconds of ten times the load. `apart`: the senders are told apart. */
function contend(apart: boolean): Shares {
  const arena = createArena(4 * 1024 ** 2);
  const place = { controlOffset: controls, entriesOffset: entries, capacity };
  const ring = new RingProducer(arena, place);
  const lane = new RingConsumer(arena, place);
  let nowMs = 0;
  let openings = 0;
  const marks = { capacityBytes: capacity, openAt: 0.9, closeAt: 0.6, openAfterMs: 200 };
  const saturation = new SaturationBreaker(marks, (_, to) => {
    if (to === BreakerState.open) openings++;
  });
  const admission = new Admission({
    arena,
    clock: { nowMs: () => nowMs, nowUs: () => nowMs * 1_000 },
    startedMs: 0,
    counters: new MainCounters(arena, counters),
    streams: new Map([['orders', 0]]),
    policies: [{ overflow: 'refuse', eventBytesMax: 1_024 }],
    lanes: 1,
    rings: [{ ring, saturation, breakerWord }],
    overflow: { spill: () => 'full', writable: false },
    orders: [undefined],
    randomKeys: { offset: event, length: 1_024 },
    share: () => 0.5,
    published: () => undefined,
  });
  const senders = Array.from({ length: 1 + modestSenders }, () => new Sender());
  const accepted = senders.map(() => 0);
  let ticks = 0;
  for (; nowMs < 4_000; nowMs += tickMs) {
    // The second half counts; the greedy one always comes first.
    const counts = nowMs >= 2_000;
    if (counts) ticks++;
    senders.forEach((sender, i) => {
      if (apart) admission.feeds(sender);
      const offers = i === 0 ? 10 * laneTakes : modestOffers;
      for (let n = 0; n < offers; n++) {
        const verdict = admission.offer(0, event, 3, event + 3, 100, 0, 1);
        if (verdict < firstRefusal && counts) accepted[i] = (accepted[i] ?? 0) + 1;
      }
      admission.commit();
    });
    for (let n = 0; n < laneTakes; n++) {
      const offset = lane.next();
      if (offset === 0) break;
      lane.markDelivered(offset);
    }
    while (lane.advance() !== 0);
    lane.release();
  }
  admission.close();
  const [greedy = 0, ...modest] = accepted;
  const sum = accepted.reduce((total, each) => total + each, 0);
  return {
    greedy: greedy / (ticks * laneTakes),
    modest: modest.map((each) => each / (ticks * modestOffers)),
    goodput: sum / (ticks * laneTakes),
    openings,
  };
}

t.test(
  'a greedy sender gets what the others leave of a saturated ring, and the lane has all that it can take',
  async (t) => {
    const { greedy, modest, goodput, openings } = contend(true);
    t.ok(Math.min(...modest) >= 0.98, `each modest sender: ${modest.map((share) => share.toFixed(2)).join(' ')}`);
    t.ok(greedy >= 0.45, `the greedy one: ${greedy.toFixed(2)} of the lane`);
    t.ok(goodput >= 0.95 && goodput <= 1.05, `goodput ${goodput.toFixed(3)}`);
    t.equal(openings, 1);
  },
);

t.test('were they not told apart, it would starve them', async (t) => {
  const { modest } = contend(false);
  t.ok(Math.max(...modest) < 0.6, modest.map((share) => share.toFixed(2)).join(' '));
});

t.test('a sender is without room from the first event that is turned away until all of a read are taken', async (t) => {
  const sender = new Sender();
  t.equal(sender.withoutRoomMs(true, 1_000), 0);
  sender.turnedAway++;
  t.equal(sender.withoutRoomMs(true, 5_000), 0);
  t.equal(sender.withoutRoomMs(false, 9_000), 4, 'a read without an event says nothing');
  sender.turnedAway++;
  t.equal(sender.withoutRoomMs(true, 25_000), 20);
  t.equal(sender.withoutRoomMs(true, 30_000), 0);
});
