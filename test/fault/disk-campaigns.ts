/**
 * Campaigns against the DLQ: many lives on the model disk, each with a fault of its own, and what was found wrong in any. Test
 * processes only; tests run them short, the long lanes long, and the script of seeded mistakes until one is caught.
 */
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { VirtualTime } from '../deliver/virtual-time.ts';
import { inspect, type LifePlan, live, open, type Story } from './disk-life.ts';
import { type DiskFault, faultKinds, type Image, isOrdered, ModelDisk } from './model-disk.ts';
import { powerCuts } from './model-file.ts';

export interface Findings {
  /** Disks that were looked at. */
  readonly cases: number;
  /** Of them, those on which the ordered fault struck, or something was not synced. */
  readonly struck: number;
  /** Acknowledged events that were asked for. */
  readonly acknowledged: number;
  /** What must not be: with the seed and the fault that showed it. */
  readonly broken: readonly string[];
}

class Tally {
  cases = 0;
  struck = 0;
  acknowledged = 0;
  readonly broken: string[] = [];

  /** True: more of the same would say nothing new. */
  get isEnough(): boolean {
    return this.broken.length >= 5;
  }

  add(what: string, story: Story, struck: boolean, broken: readonly string[]): void {
    this.cases++;
    if (struck) this.struck++;
    this.acknowledged += story.acknowledged.size;
    if (broken.length > 0) this.broken.push(`${what}: ${broken[0]}`);
  }
}

const policies: readonly LifePlan['fsync'][] = [{ kind: 'each' }, { kind: 'interval', intervalMs: 200 }];

function planOf(
  seed: number,
  turns: number,
  fsync = policies[seed % policies.length] as LifePlan['fsync'],
  isSealed = false,
): LifePlan {
  return { seed, turns, fsync, isSealed };
}

/** How many calls a life without faults makes. */
async function stepsOf(plan: LifePlan): Promise<number> {
  const disk = new ModelDisk(new Map(), new RandomSequence(plan.seed));
  await live(disk, plan);
  return disk.steps;
}

async function crashed(plan: LifePlan, step: number): Promise<{ readonly disk: ModelDisk; readonly story: Story }> {
  const disk = new ModelDisk(new Map(), new RandomSequence(plan.seed));
  disk.fault = { kind: 'crash', step, isLasting: false };
  return { disk, story: await live(disk, plan) };
}

/** The process ends before one of its calls; the kernel has all that it wrote. `isSealed`: segments are encrypted. */
export async function kills(seed: number, count: number, isSealed = false): Promise<Findings> {
  const tally = new Tally();
  for (let life = seed; tally.cases < count && !tally.isEnough; life++) {
    const plan = planOf(life, 30, undefined, isSealed);
    const dice = new RandomSequence(life);
    const steps = await stepsOf(plan);
    for (let i = 0; i < 10; i++) {
      const { disk, story } = await crashed(plan, 1 + dice.below(steps));
      tally.add(
        `seed ${life}, killed before ${disk.steps}`,
        story,
        disk.fired > 0,
        await inspect(disk.afterKill(), story, life),
      );
    }
  }
  return tally;
}

/** The power goes: of what was not synced, any part may be there. `fsync`: the policy of all lives; absent: in turns. */
export async function powerFailures(
  seed: number,
  images: number,
  fsync?: LifePlan['fsync'],
  isSealed = false,
): Promise<Findings> {
  const tally = new Tally();
  for (let life = seed; tally.cases < images && !tally.isEnough; life++) {
    const plan = planOf(life, 30, fsync, isSealed);
    const dice = new RandomSequence(life);
    const steps = await stepsOf(plan);
    for (let i = 0; i < 3; i++) {
      const { disk, story } = await crashed(plan, 1 + dice.below(steps));
      for (const how of powerCuts) {
        for (let again = how === 'nothing' || how === 'lengths' ? 1 : 3; again > 0; again--) {
          const image = disk.afterPowerCut(how, dice);
          const what = `seed ${life}, power gone before ${disk.steps}, kept: ${how}`;
          tally.add(what, story, disk.hasPending, await inspect(image, story, life));
        }
      }
    }
  }
  return tally;
}

/** Each call of a life (or one in `every`) fails in each way, once and from then on; afterwards the power goes. */
export async function failedCalls(seed: number, lives: number, isSealed = false, every = 1): Promise<Findings> {
  const tally = new Tally();
  for (let life = seed; life < seed + lives && !tally.isEnough; life++) {
    // With a sync now and then, what was written and not synced is at risk when the sync fails, and is reported as such.
    const plan = planOf(life, 12, { kind: 'each' }, isSealed);
    const steps = await stepsOf(plan);
    for (let step = 1; step <= steps; step += every) {
      for (const kind of faultKinds) {
        for (const isLasting of kind === 'crash' ? [false] : [false, true]) {
          await failedCall(plan, { kind, step, isLasting }, tally);
        }
      }
    }
  }
  return tally;
}

async function failedCall(plan: LifePlan, fault: DiskFault, tally: Tally): Promise<void> {
  const disk = new ModelDisk(new Map(), new RandomSequence(plan.seed));
  disk.fault = fault;
  const story = await live(disk, plan);
  const { kind, step, isLasting } = fault;
  const what = `seed ${plan.seed}, ${kind}${isLasting ? ' from' : ' at'} call ${step}`;
  const image = disk.afterPowerCut('nothing', new RandomSequence(step));
  tally.add(what, story, disk.fired > 0, await inspect(image, story, plan.seed));
}

/** A second fault while the disk that the first one left is opened and read; then a third opening, of what that left. */
export async function secondFaults(seed: number, pairs: number): Promise<Findings> {
  const tally = new Tally();
  for (let life = seed; tally.cases < pairs && !tally.isEnough; life++) {
    const plan = planOf(life, 30);
    const dice = new RandomSequence(life);
    const { disk, story } = await crashed(plan, 1 + dice.below(await stepsOf(plan)));
    for (let i = 0; i < 10; i++) {
      const isKill = dice.next() < 0.5;
      const image = isKill ? disk.afterKill() : disk.afterPowerCut('subset', dice);
      const second = new ModelDisk(image, new RandomSequence(life + i));
      const kind = faultKinds[dice.below(faultKinds.length)] as DiskFault['kind'];
      second.fault = { kind, step: 1 + dice.below(40), isLasting: dice.next() < 0.3 };
      const broken = await openOn(second, plan);
      const what = `seed ${life}, ${isKill ? 'killed' : 'power gone'} before ${disk.steps}, then ${kind} at call ${second.fault.step}`;
      for (const left of leftBy(second, dice)) {
        tally.add(what, story, second.fired > 0, [...broken, ...(await inspect(left, story, life))]);
      }
    }
  }
  return tally;
}

function leftBy(disk: ModelDisk, dice: RandomSequence): readonly Image[] {
  return [dice.next() < 0.5 ? disk.afterKill() : disk.afterPowerCut('subset', dice)];
}

/** Opens, reads all, closes, as far as the disk lets it. Nothing is delivered. */
async function openOn(disk: ModelDisk, plan: LifePlan): Promise<readonly string[]> {
  const time = new VirtualTime(1_000_000);
  const broken: string[] = [];
  let isOver = false;
  const look = async (): Promise<void> => {
    const queue = await open(disk, plan, time);
    await queue.replay();
    await queue.dlq.close();
  };
  const looking = look()
    .catch((error: unknown) => {
      if (!isOrdered(error)) broken.push(`the second opening: ${(error as Error).stack ?? String(error)}`);
    })
    .finally(() => {
      isOver = true;
    });
  await time.pass(time.nowMs + 60_000, () => isOver || disk.isCrashed);
  if (isOver) await looking;
  else if (!disk.isCrashed) broken.push('the second opening hangs');
  return broken;
}
