/**
 * Campaigns against the DLQ: many lives on the model disk, each with a fault of its own, and what was found wrong in any. Test
 * processes only; tests run them short, the long lanes long.
 */
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { copyOf, emptyStory } from './disk-events.ts';
import {
  callsOf,
  type Findings,
  hasSafeCheckpoints,
  type Left,
  planOf,
  policies,
  stepsOf,
  Tally,
  watch,
} from './disk-findings.ts';
import { inspect } from './disk-inspection.ts';
import { type LifePlan, live } from './disk-life.ts';
import { type DiskFault, faultKinds, ModelDisk } from './model-disk.ts';
import { powerCuts } from './model-file.ts';

/** The process ends before one of its calls; the kernel has all that it wrote. */
export async function kills(seed: number, count: number): Promise<Findings> {
  const tally = new Tally();
  for (let life = seed; tally.cases < count && !tally.isEnough; life++) {
    const plan = planOf(life, 30);
    const steps = stepsOf(await callsOf(plan), 20, new RandomSequence(life));
    const left: Left[] = [];
    const end = await watch(plan, steps, ({ step, disk, story }) => {
      left.push({ what: `seed ${life}, killed before ${step}`, image: disk.afterKill(), story, struck: true });
    });
    await tally.inspect(left, end, life, { isWhole: true, hasSafeCheckpoints: true });
  }
  return tally;
}

/** Calls behind which a disk is between two states that are both right. */
const changes = ['open create', 'open replace', 'write', 'write through', 'truncate', 'rename', 'unlink'];

/** A step right behind a call that changes the disk, of each kind as often; one in four anywhere. */
function stepBehindChange(calls: readonly string[], dice: RandomSequence): number {
  const kinds = changes.filter((change) => calls.includes(change));
  if (kinds.length === 0 || dice.next() < 0.25) return 1 + dice.below(calls.length);
  const kind = kinds[dice.below(kinds.length)];
  const places = calls.flatMap((call, index) => (call === kind ? [index] : []));
  // Steps count from 1: the call at `index` is step `index + 1`.
  return (places[dice.below(places.length)] as number) + 2;
}

/** The power goes: of what was not synced, any part may be there. `every`: how all lives are; absent: in turns. */
export async function powerFailures(
  seed: number,
  images: number,
  every?: Pick<LifePlan, 'fsync' | 'journal'>,
): Promise<Findings> {
  const tally = new Tally();
  for (let life = seed; tally.cases < images && !tally.isEnough; life++) {
    const plan = { ...planOf(life, 30), ...every };
    const dice = new RandomSequence(life);
    const calls = await callsOf(plan);
    const steps = new Set([1, 2, 3, 4].map(() => stepBehindChange(calls, dice)));
    const left: Left[] = [];
    const end = await watch(plan, steps, ({ step, disk, story }) => {
      for (const how of powerCuts) {
        for (let again = how === 'nothing' || how === 'lengths' ? 1 : 3; again > 0; again--) {
          const what = `seed ${life}, power gone before ${step} (behind ${calls[step - 2]}), kept: ${how}`;
          left.push({ what, image: disk.afterPowerCut(how, dice), story, struck: disk.hasPending });
        }
      }
    });
    await tally.inspect(left, end, life, { hasSafeCheckpoints: hasSafeCheckpoints(plan) });
  }
  return tally;
}

/** Each call of a life fails in each way, once and from then on; afterwards the power goes. */
export async function failedCalls(seed: number, lives: number): Promise<Findings> {
  const tally = new Tally();
  for (let life = seed; life < seed + lives && !tally.isEnough; life++) {
    const plan = { ...planOf(life, 12), ...failurePolicies[life % failurePolicies.length] } as LifePlan;
    for (const step of rarestFirst(await callsOf(plan))) {
      if (tally.isEnough) break;
      for (const kind of faultKinds) {
        for (const isLasting of kind === 'crash' ? [false] : [false, true]) {
          await failedCall(plan, { kind, step, isLasting }, tally);
        }
      }
    }
  }
  return tally;
}

/** All steps; first those of calls that are few: a mistake about them shows soon. */
function rarestFirst(calls: readonly string[]): readonly number[] {
  const count = (call: string | undefined): number => calls.filter((other) => other === call).length;
  const steps = calls.map((_, index) => index + 1);
  return steps.sort((a, b) => count(calls[a - 1]) - count(calls[b - 1]) || a - b);
}

/** Where a sync that fails puts nothing at risk: what is not synced is in memory, or was promised to nobody. */
const failurePolicies = policies.filter(({ fsync, journal }) => fsync.kind === 'each' || journal);

/** The power goes at the end of the life, and for every second fault soon after the call: what was begun anew is not finished then. */
async function failedCall(plan: LifePlan, fault: DiskFault, tally: Tally): Promise<void> {
  const disk = new ModelDisk(new Map(), new RandomSequence(plan.seed));
  const { kind, step, isLasting } = fault;
  const what = `seed ${plan.seed}, ${kind}${isLasting ? ' from' : ' at'} call ${step}`;
  const dice = new RandomSequence(plan.seed + step);
  const soon = dice.next() < 0.5 ? step + 1 + dice.below(30) : 0;
  const left: Left[] = [];
  const soFar = emptyStory();
  disk.onStep = (now) => {
    if (now !== soon || disk.fired === 0) return;
    const image = disk.afterPowerCut(dice.next() < 0.5 ? 'nothing' : 'subset', dice);
    left.push({ what: `${what}, power gone before ${now}`, image, story: copyOf(soFar), struck: true });
  };
  disk.fault = fault;
  const story = await live(disk, plan, soFar);
  await tally.inspect(left, emptyStory(), plan.seed, { hasSafeCheckpoints: hasSafeCheckpoints(plan) });
  const image = disk.afterPowerCut('nothing', new RandomSequence(step));
  tally.add(
    what,
    story,
    disk.fired > 0,
    await inspect(image, story, plan.seed, { hasSafeCheckpoints: hasSafeCheckpoints(plan) }),
  );
}
