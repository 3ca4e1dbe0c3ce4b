import t from 'tap';
import { planDay } from '../../../bench/demo/plan.ts';
import type { Sample } from '../../../bench/demo/sampler.ts';
import type { Day } from '../../../bench/demo/story.ts';
import { backlogChart, sendersText, shortcomings } from '../../../bench/demo/summary.ts';

const events = 1_000;
const sample = (ms: number, waiting: number): Sample => ({
  ms,
  accepted: events,
  delivered: events - waiting,
  waiting,
  onDisk: waiting,
  diskBytes: 60 * waiting,
  breaker: 'closed',
  arriving: 0,
  delivering: 0,
});
const good: Day = {
  chapters: planDay(events, 1).map((chapter) => ({
    chapter,
    startMs: 0,
    accepted: 1,
    refused: 0,
    ackUs: [1_500, 500],
  })),
  times: { diedMs: 2_000, breakerOpenMs: 2_100, backMs: 6_000, breakerClosedMs: 6_400, drainedMs: 7_000 },
  samples: Array.from({ length: 100 }, (_, i) => sample(i * 100, i > 20 && i < 65 ? 200 * (i - 20) : 0)),
  ledger: {
    received: events,
    refused: 0,
    accepted: events,
    delivered: events,
    inFlight: 0,
    dlq: 0,
    dropped: 0,
    recovered: 0,
  },
  daemonExit: 0,
  found: { read: events + 7, lost: 0, altered: 0, duplicates: 7 },
};

t.test('a good day has no shortcomings, and duplicates are none', async (t) => {
  t.strictSame(shortcomings(good, events), []);
});

t.test('every way in which a day can fail is named', async (t) => {
  const { ledger, found, times } = good;
  const failed: readonly (readonly [Partial<Day>, RegExp])[] = [
    [{ ledger: { ...ledger, received: 999, accepted: 999, delivered: 999 } }, /received 999 of 1,000/],
    [{ ledger: { ...ledger, refused: 1 } }, /received is not accepted \+ refused/],
    [{ ledger: { ...ledger, delivered: 999 } }, /not all accounted for/],
    [{ ledger: { ...ledger, accepted: 990, delivered: 990, refused: 10 } }, /10 events were refused/],
    [{ ledger: { ...ledger, delivered: 997, dlq: 3 } }, /3 accepted events were not delivered/],
    [{ found: { ...found, lost: 2 } }, /2 events are lost/],
    [{ found: { ...found, altered: 1 } }, /1 events were altered/],
    [{ times: { ...times, breakerOpenMs: 0 } }, /breaker did not open/],
    [{ samples: [sample(0, 0)] }, /nothing was spilled/],
    [{ daemonExit: null }, /ended with a signal/],
  ];
  for (const [change, says] of failed) t.match(shortcomings({ ...good, ...change }, events).join('; '), says);
});

t.test("the outage stands below the backlog's curve where it was", async (t) => {
  for (const columns of [60, 100, 120]) {
    const lines = backlogChart(good.samples, good.times, columns).split('\n');
    t.ok(lines.every((line) => line.length <= columns));
    const axis = lines[2]?.search(/[┤┼]/) ?? 0;
    const mark = lines.at(-2) ?? '';
    const perSecond = (columns - axis - 2) / 9.9;
    t.ok(Math.abs(mark.indexOf('├') - axis - 2 * perSecond) <= 2, mark);
    t.ok(Math.abs(mark.indexOf('┤') - axis - 6 * perSecond) <= 2, mark);
  }
});

t.test("the senders' table has a row for each chapter, with aligned columns", async (t) => {
  const lines = sendersText(good.chapters).split('\n');
  t.equal(lines.length, 6);
  t.equal(new Set(lines.map((line) => line.length)).size, 1);
  t.match(lines[1], /^morning +2 .* 500 us +1\.50 ms +1\.50 ms$/);
});
