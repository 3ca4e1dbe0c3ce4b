/**
 * Campaigns against a start of the DLQ on what a life has left, with a fault of its own. Test processes only; tests run them short,
 * the long lanes long.
 */
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import type { Story } from './disk-events.ts';
import { callsOf, type Findings, hasSafeCheckpoints, planOf, stepsOf, Tally, watch } from './disk-findings.ts';
import { inspect } from './disk-inspection.ts';
import type { LifePlan } from './disk-life.ts';
import { openOn } from './disk-openings.ts';
import { type DiskFault, faultKinds, type Image, ModelDisk } from './model-disk.ts';

/** The life that went before a second fault, up to some moment. */
interface First {
  readonly plan: LifePlan;
  readonly what: string;
  readonly image: Image;
  readonly story: Story;
  readonly dice: RandomSequence;
}

/** What lives leave when they are killed or their power goes, as images with their stories, for ever. */
async function* firstFaults(seed: number, count: number, canLosePower: boolean): AsyncGenerator<First> {
  for (let life = seed; ; life++) {
    const plan = planOf(life, 30);
    const dice = new RandomSequence(life);
    const steps = stepsOf(await callsOf(plan), count, dice);
    const firsts: First[] = [];
    await watch(plan, steps, ({ step, disk, story }) => {
      const isKill = !canLosePower || dice.next() < 0.5;
      const image = isKill ? disk.afterKill() : disk.afterPowerCut('subset', dice);
      firsts.push({
        plan,
        what: `seed ${life}, ${isKill ? 'killed' : 'power gone'} before ${step}`,
        image,
        story,
        dice,
      });
    });
    yield* firsts;
  }
}

/** A second fault while the disk that the first one left is opened and read; then a third opening, of what that left. */
export async function secondFaults(seed: number, pairs: number): Promise<Findings> {
  const tally = new Tally();
  for await (const { plan, what, image, story, dice } of firstFaults(seed, 10, true)) {
    const second = new ModelDisk(image, new RandomSequence(dice.below(2 ** 32)));
    const kind = faultKinds[dice.below(faultKinds.length)] as DiskFault['kind'];
    second.fault = { kind, step: 1 + dice.below(40), isLasting: dice.next() < 0.3 };
    await openOn(second, plan, story, false);
    const broken = await inspect(leftBy(second, dice), story, plan.seed, {
      hasSafeCheckpoints: hasSafeCheckpoints(plan),
    });
    tally.add(`${what}, then ${kind} at call ${second.fault.step}`, story, second.fired > 0, broken);
    if (tally.cases >= pairs || tally.isEnough) break;
  }
  return tally;
}

/**
 * A segment cannot be read, while what can be is delivered; and sometimes its name cannot be changed, or that not be made durable.
 * Then it can be read again: what is in it is there, or lies beside the others for an operator.
 */
export async function unreadableSegments(seed: number, count: number): Promise<Findings> {
  const tally = new Tally();
  for await (const { plan, what, image, story, dice } of firstFaults(seed, 20, false)) {
    const segments = [...image.keys()].filter((path) => path.endsWith('.seg'));
    if (segments.length === 0) continue;
    const bad = segments[dice.below(segments.length)] as string;
    const second = new ModelDisk(image, new RandomSequence(dice.below(2 ** 32)));
    second.spoil(bad);
    const calls = [['rename'], ['syncdir'], ['rename', 'syncdir']][dice.below(3)] as string[];
    const step = 1 + dice.below(60);
    if (dice.next() < 0.7) second.fault = { kind: 'EIO', step, isLasting: dice.next() < 0.7, calls };
    else if (dice.next() < 0.5) second.fault = { kind: 'crash', step, isLasting: false };
    await openOn(second, plan, story, true);
    // Without any syncs a power cut may take all.
    const left = hasSafeCheckpoints(plan) ? leftBy(second, dice) : second.afterKill();
    const broken = await inspect(left, story, plan.seed, { hasSafeCheckpoints: hasSafeCheckpoints(plan) });
    tally.add(`${what}, ${bad} unreadable, ${JSON.stringify(second.fault)}`, story, true, broken);
    if (tally.cases >= count || tally.isEnough) break;
  }
  return tally;
}

function leftBy(disk: ModelDisk, dice: RandomSequence): Image {
  return dice.next() < 0.5 ? disk.afterKill() : disk.afterPowerCut('subset', dice);
}
