/** Lives to look at, and what was found wrong in any. Test processes only; for the campaigns. */
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { copyOf, emptyStory, type Story } from './disk-events.ts';
import { type Expected, inspect } from './disk-inspection.ts';
import { type LifePlan, live } from './disk-life.ts';
import { type Image, ModelDisk } from './model-disk.ts';

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

export class Tally {
  cases = 0;
  struck = 0;
  acknowledged = 0;
  readonly broken: string[] = [];

  /** True: more of the same would say nothing new. */
  get isEnough(): boolean {
    return this.broken.length >= 3;
  }

  add(what: string, story: Story, struck: boolean, broken: readonly string[]): void {
    this.cases++;
    if (struck) this.struck++;
    this.acknowledged += story.acknowledged.size;
    if (broken.length > 0) this.broken.push(`${what}: ${broken[0]}`);
  }

  /** Looks at what a life left at some moments, and at whether it went well to its end. */
  async inspect(left: readonly Left[], end: Story, seed: number, expected: Expected): Promise<void> {
    for (const { what, image, story, struck } of left) {
      if (this.isEnough) return;
      this.add(what, story, struck, await inspect(image, story, seed, expected));
    }
    for (const what of end.broken) this.broken.push(`seed ${seed}: ${what}`);
  }
}

/** Of what is promised without a journal, and with one. */
export const policies: readonly Pick<LifePlan, 'fsync' | 'journal'>[] = [
  { fsync: { kind: 'each' }, journal: false },
  { fsync: { kind: 'interval', intervalMs: 200 }, journal: false },
  { fsync: { kind: 'each' }, journal: true },
  { fsync: { kind: 'interval', intervalMs: 200 }, journal: true },
  { fsync: { kind: 'none' }, journal: true },
  { fsync: { kind: 'bytes', bytes: 6_000 }, journal: true },
];

export function planOf(seed: number, turns: number): LifePlan {
  return { seed, turns, ...(policies[seed % policies.length] as (typeof policies)[number]) };
}

/** The calls that a life without faults makes. */
export async function callsOf(plan: LifePlan): Promise<readonly string[]> {
  const disk = new ModelDisk(new Map(), new RandomSequence(plan.seed));
  await live(disk, plan);
  return disk.trace;
}

/** A moment of a life, right before one of its calls. */
export interface Moment {
  readonly step: number;
  readonly disk: ModelDisk;
  readonly story: Story;
}

/** Lives, and has the disk looked at right before these calls; a life that goes wrong is told as well. */
export async function watch(
  plan: LifePlan,
  steps: ReadonlySet<number>,
  look: (moment: Moment) => void,
): Promise<Story> {
  const disk = new ModelDisk(new Map(), new RandomSequence(plan.seed));
  const story = emptyStory();
  disk.onStep = (step) => {
    if (steps.has(step)) look({ step, disk, story: copyOf(story) });
  };
  return live(disk, plan, story);
}

/** Steps of a life, drawn at random. */
export function stepsOf(calls: readonly string[], count: number, dice: RandomSequence): ReadonlySet<number> {
  return new Set(Array.from({ length: count }, () => 1 + dice.below(calls.length)));
}

/** A disk that is to be looked at, and what is known of it. */
export interface Left {
  readonly what: string;
  readonly image: Image;
  readonly story: Story;
  readonly struck: boolean;
}

export const hasSafeCheckpoints = ({ fsync }: LifePlan): boolean => fsync.kind !== 'none';
