import t from 'tap';
import { BreakerState } from '../../src/breaker/breaker.ts';
import { SaturationBreaker } from '../../src/breaker/saturation.ts';
import { Admission } from '../../src/ingress/admission.ts';
import { Verdict } from '../../src/ingress/intake.ts';
import { MainCounters } from '../../src/observe/counters.ts';
import { createArena } from '../../src/ring/arena.ts';
import { controlBytes } from '../../src/ring/layout.ts';
import { RingProducer } from '../../src/ring/producer.ts';

const [counters, breakerWord, controls, entries, event] = [65_536, 70_000 >>> 2, 73_728, 81_920, 131_072];

const limits = { capacityBytes: 4_096, openAt: 0.9, closeAt: 0.6, openAfterMs: 1_000 };

/** A stream whose destination is away; `dlq` says whether the DLQ takes what is to be spilled. */
function admissionBefore(
  dlq: { writable: boolean },
  saturation = new SaturationBreaker(limits, () => undefined),
  time?: { nowMs: number },
): Admission {
  const arena = createArena(1024 ** 2);
  arena.words[breakerWord] = BreakerState.open;
  const ring = new RingProducer(arena, { controlOffset: controls, entriesOffset: entries, capacity: 4_096 });
  const admission = new Admission({
    arena,
    clock: { nowMs: () => time?.nowMs ?? performance.now(), nowUs: () => performance.now() * 1000 },
    startedMs: 0,
    counters: new MainCounters(arena, counters),
    streams: new Map([['orders', 0]]),
    policies: [{ overflow: 'spill', eventBytesMax: 1_024 }],
    lanes: 1,
    rings: [{ ring, saturation, breakerWord }],
    overflow: {
      spill: () => (dlq.writable ? 'ok' : 'busy'),
      get writable() {
        return dlq.writable;
      },
    },
    orders: [undefined],
    randomKeys: { offset: event, length: 1_024 },
    share: () => 0.5,
    published: () => undefined,
  });
  admission.refresh();
  return admission;
}

t.test('a sender that the DLQ held up goes on in the moment in which the DLQ takes events again', async (t) => {
  t.ok(controlBytes <= entries - controls, 'the places do not overlap');
  const dlq = { writable: false };
  const admission = admissionBefore(dlq);
  t.teardown(() => admission.close());
  const offer = (): Verdict => admission.offer(0, event, 3, event + 3, 100, 0, 1);
  t.equal(offer(), Verdict.blocked);
  const verdicts: Verdict[] = [];
  admission.whenRoom(0, () => verdicts.push(offer()));
  admission.roomCame();
  t.strictSame(verdicts, [], 'not before');
  dlq.writable = true;
  admission.roomCame();
  t.strictSame(verdicts, [Verdict.spilled]);
});

t.test("a ring's breaker closes while the stream's keeps events out of it", async (t) => {
  const saturation = new SaturationBreaker(limits, () => undefined);
  const time = { nowMs: 0 };
  const admission = admissionBefore({ writable: true }, saturation, time);
  t.teardown(() => admission.close());
  saturation.update(4_000, 0, 0, false, time.nowMs);
  t.ok(saturation.isOpen);
  for (; time.nowMs < 1_000; time.nowMs += 10) {
    t.equal(admission.offer(0, event, 3, event + 3, 100, 0, 1), Verdict.spilled);
    admission.commit();
  }
  t.equal(saturation.state, BreakerState.closed);
});
