/**
 * Campaigns against the DLQ: many lives on the model disk, each with a fault of its own, and what was found wrong in any. Test
 * processes only; tests run them short, the long lanes long.
 */
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { copyOf, type Story } from './disk-events.ts';
import { inspect } from './disk-inspection.ts';
import { type LifePlan, live } from './disk-life.ts';
import { openOn } from './disk-openings.ts';
import { type DiskFault, faultKinds, type Image, ModelDisk } from './model-disk.ts';
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

/** Of what is promised without a journal, and with one. */
const policies: readonly Pick<LifePlan, 'fsync' | 'journal'>[] = [
  { fsync: { kind: 'each' }, journal: false },
  { fsync: { kind: 'interval', intervalMs: 200 }, journal: false },
  { fsync: { kind: 'each' }, journal: true },
  { fsync: { kind: 'interval', intervalMs: 200 }, journal: true },
  { fsync: { kind: 'none' }, journal: true },
  { fsync: { kind: 'bytes', bytes: 6_000 }, journal: true },
];

function planOf(seed: number, turns: number): LifePlan {
  return { seed, turns, ...(policies[seed % policies.length] as (typeof policies)[number]) };
}

/** The calls that a life without faults makes. */
async function callsOf(plan: LifePlan): Promise<readonly string[]> {
  const disk = new ModelDisk(new Map(), new RandomSequence(plan.seed));
  await live(disk, plan);
  return disk.trace;
}

async function crashed(plan: LifePlan, step: number): Promise<{ readonly disk: ModelDisk; readonly story: Story }> {
  const disk = new ModelDisk(new Map(), new RandomSequence(plan.seed));
  disk.fault = { kind: 'crash', step, isLasting: false };
  return { disk, story: await live(disk, plan) };
}

const hasSafeCheckpoints = ({ fsync }: LifePlan): boolean => fsync.kind !== 'none';

/** The process ends before one of its calls; the kernel has all that it wrote. */
export async function kills(seed: number, count: number): Promise<Findings> {
  const tally = new Tally();
  for (let life = seed; tally.cases < count && !tally.isEnough; life++) {
    const plan = planOf(life, 30);
    const dice = new RandomSequence(life);
    const calls = await callsOf(plan);
    for (let i = 0; i < 10 && !tally.isEnough; i++) {
      const { disk, story } = await crashed(plan, 1 + dice.below(calls.length));
      const broken = await inspect(disk.afterKill(), story, life, { isWhole: true, hasSafeCheckpoints: true });
      tally.add(`seed ${life}, killed before ${disk.steps}`, story, disk.fired > 0, broken);
    }
  }
  return tally;
}

/** Calls behind which a disk is between two states that are both right. */
const changes = ['open create', 'open replace', 'write', 'truncate', 'rename', 'unlink'];

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
    for (let i = 0; i < 3 && !tally.isEnough; i++) {
      const { disk, story } = await crashed(plan, stepBehindChange(calls, dice));
      const told = copyOf(story);
      for (const how of powerCuts) {
        for (let again = how === 'nothing' || how === 'lengths' ? 1 : 3; again > 0; again--) {
          const image = disk.afterPowerCut(how, dice);
          const what = `seed ${life}, power gone before ${disk.steps} (behind ${calls[disk.steps - 2]}), kept: ${how}`;
          const broken = await inspect(image, told, life, { hasSafeCheckpoints: hasSafeCheckpoints(plan) });
          tally.add(what, told, disk.hasPending, broken);
        }
      }
    }
  }
  return tally;
}

/** Each call of a life fails in each way, once and from then on; afterwards the power goes. */
export async function failedCalls(seed: number, lives: number): Promise<Findings> {
  const tally = new Tally();
  for (let life = seed; life < seed + lives && !tally.isEnough; life++) {
    const plan = { ...planOf(life, 12), ...failurePolicies[life % failurePolicies.length] } as LifePlan;
    const { length } = await callsOf(plan);
    for (let step = 1; step <= length && !tally.isEnough; step++) {
      for (const kind of faultKinds) {
        for (const isLasting of kind === 'crash' ? [false] : [false, true]) {
          await failedCall(plan, { kind, step, isLasting }, tally);
        }
      }
    }
  }
  return tally;
}

/** Where a sync that fails puts nothing at risk: what is not synced is in memory, or was promised to nobody. */
const failurePolicies = policies.filter(({ fsync, journal }) => fsync.kind === 'each' || journal);

async function failedCall(plan: LifePlan, fault: DiskFault, tally: Tally): Promise<void> {
  const disk = new ModelDisk(new Map(), new RandomSequence(plan.seed));
  disk.fault = fault;
  const story = await live(disk, plan);
  const { kind, step, isLasting } = fault;
  const what = `seed ${plan.seed}, ${kind}${isLasting ? ' from' : ' at'} call ${step}`;
  const image = disk.afterPowerCut('nothing', new RandomSequence(step));
  tally.add(what, story, disk.fired > 0, await inspect(image, story, plan.seed, { hasSafeCheckpoints: hasSafeCheckpoints(plan) }));
}

/** A second fault while the disk that the first one left is opened and read; then a third opening, of what that left. */
export async function secondFaults(seed: number, pairs: number): Promise<Findings> {
  const tally = new Tally();
  for (let life = seed; tally.cases < pairs && !tally.isEnough; life++) {
    const plan = planOf(life, 30);
    const dice = new RandomSequence(life);
    const { disk, story } = await crashed(plan, 1 + dice.below((await callsOf(plan)).length));
    const told = copyOf(story);
    for (let i = 0; i < 10 && !tally.isEnough; i++) {
      const isKill = dice.next() < 0.5;
      const second = new ModelDisk(isKill ? disk.afterKill() : disk.afterPowerCut('subset', dice), new RandomSequence(life + i));
      const kind = faultKinds[dice.below(faultKinds.length)] as DiskFault['kind'];
      second.fault = { kind, step: 1 + dice.below(40), isLasting: dice.next() < 0.3 };
      const then = copyOf(told);
      await openOn(second, plan, then, false);
      const what = `seed ${life}, ${isKill ? 'killed' : 'power gone'} before ${disk.steps}, then ${kind} at call ${second.fault.step}`;
      const left = leftBy(second, dice);
      tally.add(what, then, second.fired > 0, await inspect(left, then, life, { hasSafeCheckpoints: hasSafeCheckpoints(plan) }));
    }
  }
  return tally;
}

/**
 * A segment cannot be read, while what can be is delivered; and sometimes its name cannot be changed, or that not be made durable.
 * Then it can be read again: what is in it is there, or lies beside the others for an operator.
 */
export async function unreadableSegments(seed: number, count: number): Promise<Findings> {
  const tally = new Tally();
  for (let life = seed; tally.cases < count && !tally.isEnough; life++) {
    const plan = planOf(life, 30);
    const dice = new RandomSequence(life);
    const { disk, story } = await crashed(plan, 1 + dice.below((await callsOf(plan)).length));
    const told = copyOf(story);
    for (let i = 0; i < 10 && !tally.isEnough; i++) {
      const image = disk.afterKill();
      const segments = [...image.keys()].filter((path) => path.endsWith('.seg'));
      if (segments.length === 0) break;
      const second = new ModelDisk(image, new RandomSequence(life + i));
      const bad = segments[dice.below(segments.length)] as string;
      const calls = [['rename'], ['syncdir'], ['rename', 'syncdir']][dice.below(3)] as string[];
      const step = 1 + dice.below(60);
      if (dice.next() < 0.7) second.fault = { kind: 'EIO', step, isLasting: dice.next() < 0.7, calls };
      else if (dice.next() < 0.5) second.fault = { kind: 'crash', step, isLasting: false };
      second.spoil(bad);
      const then = copyOf(told);
      await openOn(second, plan, then, true);
      const what = `seed ${life}.${i}, ${bad} unreadable, ${JSON.stringify(second.fault)}`;
      const left = leftBy(second, dice);
      tally.add(what, then, true, await inspect(left, then, life, { hasSafeCheckpoints: hasSafeCheckpoints(plan) }));
    }
  }
  return tally;
}

function leftBy(disk: ModelDisk, dice: RandomSequence): Image {
  return dice.next() < 0.5 ? disk.afterKill() : disk.afterPowerCut('subset', dice);
}
