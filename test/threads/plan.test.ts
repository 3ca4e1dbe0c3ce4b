import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { controlBytes } from '../../src/ring/layout.ts';
import { type ArenaPlan, arenaSizes, type PlanInput, planArena } from '../../src/threads/plan.ts';

const MiB = 1024 ** 2;
const streams = fc.array(
  fc.record({
    aggregateBytes: fc.integer({ min: 1024, max: MiB }),
    recordBytesMax: fc.integer({ min: 1024, max: 10 * MiB }),
    bodyBytes: fc.integer({ min: 90_000, max: 15 * MiB }),
    requestsInFlight: fc.integer({ min: 1, max: 16 }),
  }),
  { minLength: 1, maxLength: 5 },
);
const inputs = fc.record({
  lanes: fc.integer({ min: 1, max: 8 }),
  memoryBudgetBytes: fc.integer({ min: 32 * MiB, max: 3_000 * MiB }),
  streams,
});

/** Every area that a plan hands out. */
function areas(plan: ArenaPlan): { offset: number; length: number }[] {
  return [
    plan.landing,
    plan.randomKeys,
    plan.keyScratch,
    ...[plan.dlqBlocks, plan.replayWindows].flatMap(({ offset, length, count }) =>
      Array.from({ length: count }, (_, i) => ({ offset: offset + i * length, length })),
    ),
    ...plan.lanes.flatMap(({ streams: places }) =>
      places.flatMap(({ ring, aggregates, bodies }) => [
        { offset: ring.controlOffset, length: controlBytes },
        { offset: ring.entriesOffset, length: ring.capacity },
        aggregates,
        ...bodies,
      ]),
    ),
  ];
}

function faultOf(input: PlanInput): string | undefined {
  const sizes = arenaSizes(input);
  if (sizes.ringBytes === 0) {
    if (input.memoryBudgetBytes >= sizes.budgetBytesLeast) return 'the least budget is not enough';
    return arenaSizes({ ...input, memoryBudgetBytes: sizes.budgetBytesLeast }).ringBytes === 0
      ? 'the budget that it asks for is not enough'
      : undefined;
  }
  const plan = planArena(input);
  if (plan.length > input.memoryBudgetBytes) return 'the arena exceeds the budget';
  const placed = areas(plan).sort((a, b) => a.offset - b.offset);
  let end = 65_536;
  for (const { offset, length } of placed) {
    if (offset < end) return `two areas overlap at ${offset}`;
    end = offset + length;
  }
  return end <= plan.length ? undefined : 'an area leaves the arena';
}

t.test(
  'the arena stays within the budget, its areas do not overlap, and a budget that is too small is told what is enough',
  async (t) => {
    const seed = randomInt(2 ** 31);
    t.comment(`seed ${seed}`);
    fc.assert(
      fc.property(inputs, (input) => {
        const fault = faultOf(input);
        if (fault !== undefined) throw new Error(fault);
      }),
      { seed, numRuns: 300 },
    );
  },
);

t.test('a ring takes several of the largest events', async (t) => {
  const one = { aggregateBytes: 262_144, bodyBytes: 12 * MiB, requestsInFlight: 4 };
  const least = (recordBytesMax: number): number =>
    arenaSizes({ lanes: 1, memoryBudgetBytes: 32 * MiB, streams: [{ ...one, recordBytesMax }] }).budgetBytesLeast;
  t.ok(least(10 * MiB) - least(MiB) >= 8 * 9 * MiB);
});

t.test('two streams with default sizes fit the default budget', async (t) => {
  const one = {
    aggregateBytes: 262_144,
    recordBytesMax: MiB,
    bodyBytes: Math.ceil((8 * MiB * 4) / 3) + 836_096,
    requestsInFlight: 4,
  };
  t.ok(arenaSizes({ lanes: 1, memoryBudgetBytes: 256 * MiB, streams: [one, one] }).ringBytes > 0);
});
