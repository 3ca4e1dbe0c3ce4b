/**
 * Lane: some fifty seeded mistakes in the DLQ, each built into a copy and hunted for with the tests that should find it; and the
 * same tests on a copy without a mistake, which must all hold.
 *
 *   node dist/test/long/disk-mutants.js [--seed N] [--scale SHARE]        about ten minutes on two idle cores
 *
 * Only an assertion that fails counts: a test that hangs, or a build that dies at once, has found nothing.
 */
import { build } from '../fault/mutants/build.ts';
import { failureOf, hunt } from '../fault/mutants/hunt.ts';
import { diskMutants } from '../fault/mutants/mutants.ts';
import { type Lane, runLane } from './parts/lane.ts';

/** Side by side: builds that wait for their disks leave a core idle. */
const atOnce = 2;
/** Of all mistakes that are hunted for. */
const caughtShare = 0.95;

await runLane('disk-mutants: the tests find seeded mistakes', async (lane) => {
  const mutants = diskMutants.slice(0, lane.sized(diskMutants.length, 5));
  const finders = [...new Set(mutants.flatMap((mutant) => mutant.finders))].sort();
  await sideBySide(finders, async (finder) => {
    await onCopy(lane, undefined, async (copy) => {
      const failure = await failureOf(copy, finder, lane.seed);
      lane.check(`without a mistake ${finder} holds`, failure === undefined, failure);
    });
  });
  const missed: string[] = [];
  await sideBySide(mutants, async (mutant) => {
    await onCopy(lane, mutant, async (copy) => {
      const found = await hunt(copy, mutant.finders, lane.seed);
      if (found === undefined) missed.push(mutant.name);
      lane.line(
        `${found === undefined ? 'MISSED' : 'caught'} ${mutant.name}${found === undefined ? '' : `: ${found.finder}, ${found.claim}`}`,
      );
    });
  });
  const caught = mutants.length - missed.length;
  lane.check(
    `${caughtShare * 100} % of the mistakes are caught`,
    caught >= caughtShare * mutants.length,
    `${caught} of ${mutants.length}`,
  );
});

async function onCopy(
  lane: Lane,
  mutant: (typeof diskMutants)[number] | undefined,
  work: (copy: ReturnType<typeof build>) => Promise<void>,
): Promise<void> {
  const copy = build(mutant);
  lane.teardown(async () => copy.remove());
  try {
    await work(copy);
  } finally {
    copy.remove();
  }
}

async function sideBySide<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const one = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}
