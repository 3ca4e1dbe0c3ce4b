/**
 * The life of a DLQ on a model disk, drawn from a seed, and what must be true of the disk that it leaves: for the tests of this
 * folder. Test processes only.
 *
 * ```
 *   live: append bursts · flush (acknowledged) · take out and checkpoint (done) · dead letters · close and open again
 *      │ a fault of the disk, a crash, the end
 *      ▼
 *   story: which events were acknowledged, which were done ──▶ inspect: opens what is left with a healthy disk:
 *                                                              acknowledged = done or still there, unaltered, and it goes on
 * ```
 * Time is virtual: a failed write's waiting costs nothing, and a run depends on its seed alone.
 */
import { Keys } from '../../src/dlq/encryption.ts';
import { Kind } from '../../src/dlq/layout.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { Appended } from '../../src/dlq/series.ts';
import { type Arena, createArena } from '../../src/ring/arena.ts';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { VirtualTime } from '../deliver/virtual-time.ts';
import { type Event, eventOf, longDataOf, Queue, type QueueOptions } from '../dlq/queue.ts';
import { type Image, isOrdered, ModelDisk } from './model-disk.ts';

export const directory = '/state/dlq';

export const startMs = 1_000_000;
/** Virtual: nothing that the DLQ is asked for takes longer, whatever the disk does. */
const hangMs = 5_000;
const streams = 2;
const sizes = {
  reserveBytes: 2_048,
  segmentBytes: 4_096,
  blockBytes: 1_024,
  blockCount: 4,
  windowBytes: 16_384,
  windowCount: 2,
};
const arena: Arena = createArena(65_536 + 2 * 1024 ** 2 + 4 * 1_024 + 2 * 16_384);

/** What is known of a life from outside, by numbers of events. */
export interface Story {
  readonly acknowledged: Set<number>;
  /** Delivered, before the place of the replay was told to the DLQ. */
  readonly done: Set<number>;
  readonly deadAcknowledged: Set<number>;
  /** Numbers below were offered. */
  next: number;
  /** What must never happen, and did. */
  readonly broken: string[];
  /** How many turns are over. */
  turns: number;
  /** Its segments are encrypted. */
  isSealed: boolean;
}

export interface LifePlan {
  readonly seed: number;
  readonly fsync: QueueOptions['fsync'] & object;
  /** Bursts, flushes and replays. */
  readonly turns: number;
  /** At its end it takes out all that is there, and tells nobody. */
  readonly reads?: true;
  /** Its segments are encrypted. */
  readonly isSealed?: boolean;
}

const key = Buffer.from('a key for disks that are no more');

export function emptyStory(): Story {
  return {
    acknowledged: new Set(),
    done: new Set(),
    deadAcknowledged: new Set(),
    next: 0,
    broken: [],
    turns: 0,
    isSealed: false,
  };
}

/** Lives until all turns are over, or the disk has crashed. */
export async function live(disk: ModelDisk, plan: LifePlan, story: Story = emptyStory()): Promise<Story> {
  const time = new VirtualTime(startMs);
  story.isSealed = plan.isSealed === true;
  let isOver = false;
  const life = turns(disk, plan, time, story).finally(() => {
    isOver = true;
  });
  life.catch((error: unknown) => {
    // A disk that cannot be opened ends a start with its own error, as it should.
    if (!isOrdered(error)) story.broken.push(`the life ended: ${(error as Error).stack ?? String(error)}`);
  });
  const hasEnded = (): boolean => isOver || disk.isCrashed;
  for (let turn = -1; turn < story.turns && !hasEnded(); ) {
    turn = story.turns;
    await time.pass(time.nowMs + hangMs, () => hasEnded() || story.turns > turn);
  }
  if (!hasEnded()) story.broken.push(`turn ${story.turns} hangs`);
  return story;
}

async function turns(disk: ModelDisk, plan: LifePlan, time: VirtualTime, story: Story): Promise<void> {
  const dice = new RandomSequence(plan.seed);
  let queue = await open(disk, plan, time);
  for (; story.turns < plan.turns; story.turns++) {
    const choice = dice.next();
    if (choice < 0.55) await burst(queue, dice, story, time);
    else if (choice < 0.9) await replay(queue, dice, story);
    else if (choice < 0.95) await new Promise<void>((resolve) => void time.after(300, resolve));
    else {
      await queue.dlq.close();
      queue = await open(disk, plan, time);
    }
  }
  if (plan.reads) await queue.replay();
  await queue.dlq.close();
}

/** Opens the queue on a disk. */
export function open(disk: ModelDisk, { fsync, seed, isSealed }: LifePlan, time: VirtualTime): Promise<Queue> {
  const dice = new RandomSequence(seed + disk.steps);
  const clock = { nowMs: () => time.nowMs, after: time.after };
  return Queue.open({ teardown: () => undefined }, directory, {
    ...sizes,
    fsync,
    files: disk,
    clock,
    arena,
    randomWord: () => dice.below(2 ** 32),
    keys: isSealed === true ? new Keys(key) : undefined,
  });
}

/** Even numbers go to the first stream; every eleventh is a dead letter. */
export const isDead = (id: number): boolean => id % 11 === 5;
export const attempted = (id: number): Event => ({
  ...eventOf(id, longDataOf(id)),
  stream: id % streams,
  reason: isDead(id) ? Reason.rejected : Reason.saturated,
});

async function burst(queue: Queue, dice: RandomSequence, story: Story, time: VirtualTime): Promise<void> {
  const fresh: number[] = [];
  for (let count = 1 + dice.below(8); count > 0; count--) {
    const id = story.next;
    story.next += 1;
    const answer = await offer(queue, attempted(id), isDead(id) ? Kind.dead : Kind.spill, time);
    if (answer === Appended.ok) fresh.push(id);
  }
  if (dice.next() < 0.3) return;
  if (!(await queue.dlq.flush())) return;
  for (const id of fresh) (isDead(id) ? story.deadAcknowledged : story.acknowledged).add(id);
}

/** A disk that takes nothing for a while is offered the event again; one that refuses it has refused it. */
export async function offer(queue: Queue, event: Event, kind: Kind, time: VirtualTime): Promise<Appended> {
  for (let tries = 0; tries < 5; tries++) {
    const answer = queue.offer(event, kind);
    if (answer !== Appended.busy) return answer;
    await new Promise<void>((resolve) => {
      queue.dlq.whenWritable(resolve);
      time.after(1_000, resolve);
    });
  }
  return Appended.full;
}

/** Takes some out of each stream; one in nine is not delivered, but set aside anew. */
async function replay(queue: Queue, dice: RandomSequence, story: Story): Promise<void> {
  for (let stream = 0; stream < streams; stream++) {
    const cursor = queue.dlq.cursor(stream);
    if (!(await cursor.load())) continue;
    for (let left = dice.below(12); left > 0 && cursor.next(); left--) {
      const event = queue.current(stream);
      const id = numberOf(event, story);
      if (id % 9 !== 0) story.done.add(id);
      else if (queue.offer(event) !== Appended.ok) {
        cursor.unread();
        break;
      }
    }
    queue.dlq.checkpoint(stream, cursor.position);
  }
}

/** Opens what is left on a healthy disk, and says what is wrong with it. */
export async function inspect(image: Image, story: Story, seed: number): Promise<readonly string[]> {
  const disk = new ModelDisk(image, new RandomSequence(seed));
  const time = new VirtualTime(startMs);
  const broken = [...story.broken];
  let isOver = false;
  const plan: LifePlan = { seed, fsync: { kind: 'each' }, turns: 1, isSealed: story.isSealed };
  const look = judge(disk, plan, time, story, broken)
    .catch((error: unknown) => broken.push(`it does not open: ${(error as Error).stack ?? String(error)}`))
    .finally(() => {
      isOver = true;
    });
  await time.pass(startMs + hangMs, () => isOver);
  if (isOver) await look;
  else broken.push('the opening hangs');
  return broken;
}

async function judge(
  disk: ModelDisk,
  plan: LifePlan,
  time: VirtualTime,
  story: Story,
  broken: string[],
): Promise<void> {
  const queue = await open(disk, plan, time);
  const holdings = queue.dlq.holdings(undefined);
  const events = await queue.replay();
  const lookedAt: Story = { ...story, broken };
  const there = new Set(events.map((event) => numberOf(event, lookedAt)));
  const lost = [...story.acknowledged].filter((id) => !there.has(id) && !story.done.has(id));
  if (lost.length > 0) broken.push(`lost: ${lost.slice(0, 8).join(' ')}`);
  const damaged = queue.reported('damaged_events').reduce((sum, report) => sum + Number(report['events']), 0);
  if (holdings.spilled !== events.length + damaged) {
    broken.push(`it counted ${holdings.spilled} spills and gave ${events.length}`);
  }
  if (holdings.dead < story.deadAcknowledged.size) {
    broken.push(`${holdings.dead} of ${story.deadAcknowledged.size} dead letters`);
  }
  // It goes on: what is appended now is there for the next one.
  queue.checkpoint();
  const last = story.next + 1 + (story.next % 11 === 4 ? 1 : 0);
  if (queue.offer(attempted(last)) !== Appended.ok) broken.push('it takes nothing');
  if (!(await queue.dlq.close())) broken.push('it does not close');
  const after = disk.afterPowerCut('nothing', new RandomSequence(1));
  const leftovers = [...after.keys()].filter((path) => path.endsWith('.tmp'));
  if (leftovers.length > 0) broken.push(`left behind: ${leftovers.join(' ')}`);
  const next = await open(new ModelDisk(after, new RandomSequence(1)), plan, time);
  const kept = (await next.replay()).map((event) => numberOf(event, { ...lookedAt, next: last + 1 }));
  if (kept.length !== 1 || kept[0] !== last) broken.push(`the next one finds ${kept.length} events instead of 1`);
  await next.dlq.close();
}

/** The number of an event that is as it was appended. */
function numberOf(event: Event, { next, broken }: Pick<Story, 'next' | 'broken'>): number {
  const id = Number(event.data.split(':')[0]);
  const expected = id < next ? attempted(id) : undefined;
  const same = (Object.keys(event) as (keyof Event)[]).every((field) => event[field] === expected?.[field]);
  if (!same) broken.push(`altered: ${JSON.stringify(event).slice(0, 120)}`);
  return id;
}
