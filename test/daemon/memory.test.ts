import fc from 'fast-check';
import t from 'tap';
import { laneRingBytesMin } from '../../src/base/limits.ts';
import { chosenLanes, memoryPlan } from '../../src/daemon/memory.ts';

const stream = { requestsInFlight: 4, batchBytes: 4 * 1024 ** 2, batchRecords: 500, recordBytesMax: 1024 ** 2 };

t.test('the terms of the plan never sum to more than the budget', async () => {
  const demand = fc.record({
    lanes: fc.integer({ min: 1, max: 64 }),
    memoryBudgetBytes: fc.integer({ min: 32 * 1024 ** 2, max: 2 ** 40 }),
    streams: fc.array(
      fc.record({
        requestsInFlight: fc.integer({ min: 1, max: 64 }),
        batchBytes: fc.integer({ min: 65_536, max: 10 * 1024 ** 2 }),
        batchRecords: fc.integer({ min: 1, max: 500 }),
        recordBytesMax: fc.integer({ min: 1024, max: 10 * 1024 ** 2 }),
      }),
      { minLength: 1, maxLength: 5 },
    ),
  });
  fc.assert(
    fc.property(demand, (given) => {
      const plan = memoryPlan(given);
      const sum = plan.landingBytes + given.lanes * (plan.laneRequestBytes + plan.laneRingBytes);
      const works = plan.laneRingBytes >= plan.laneRingBytesLeast;
      return works
        ? sum <= given.memoryBudgetBytes
        : given.memoryBudgetBytes < plan.budgetBytesLeast + given.lanes * 4096;
    }),
  );
});

t.test('a ring holds two of the largest events, however small the events are', async (t) => {
  const plan = (recordBytesMax: number): number =>
    memoryPlan({ lanes: 1, memoryBudgetBytes: 2 ** 30, streams: [{ ...stream, recordBytesMax }] }).laneRingBytesLeast;
  t.equal(plan(1024), laneRingBytesMin);
  t.equal(plan(10 * 1024 ** 2), 20 * 1024 ** 2);
});

t.test('request buffers are counted for the stream that needs the most, not for each', async (t) => {
  const plan = (...streams: (typeof stream)[]): number =>
    memoryPlan({ lanes: 1, memoryBudgetBytes: 2 ** 30, streams }).laneRequestBytes;
  t.equal(plan(stream, { ...stream, requestsInFlight: 1 }), plan(stream));
  t.ok(plan(stream, { ...stream, requestsInFlight: 8 }) > plan(stream));
});

t.test('unasked, lanes leave a core to the main thread and stay few', async (t) => {
  t.strictSame([1, 2, 3, 4, 96].map(chosenLanes), [1, 1, 2, 3, 4]);
});
