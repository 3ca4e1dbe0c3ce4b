/**
 * The life of a DLQ on a model disk, drawn from a seed: for the tests of this folder. Test processes only.
 *
 * ```
 *   live: append bursts · flush (acknowledged) · take out, deliver or set aside anew, and checkpoint (done) · dead letters come,
 *         are thrown away and sent again · events enter rings and the journal, and leave them · close and open again
 *      │ a fault of the disk, a crash, the end
 *      ▼
 *   story: which events were acknowledged, which were done ──▶ disk-inspection.ts
 * ```
 * Time is virtual: a failed write's waiting costs nothing, and a run depends on its seed alone.
 */
import { Kind } from '../../src/dlq/layout.ts';
import { checkpointMs } from '../../src/dlq/options.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { Appended } from '../../src/dlq/series.ts';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { VirtualTime } from '../deliver/virtual-time.ts';
import type { Event, Queue } from '../dlq/queue.ts';
import {
  attempted,
  comesBack,
  emptyStory,
  isDead,
  isJournalled,
  numberOf,
  type Story,
  streams,
} from './disk-events.ts';
import { hangMs, offer, open, type Run, startMs } from './disk-queue.ts';
import { DiskRings } from './disk-rings.ts';
import { isOrdered, type ModelDisk } from './model-disk.ts';

export interface LifePlan extends Run {
  /** Bursts, flushes and replays. */
  readonly turns: number;
  /** Some senders have their events acknowledged at level `disk`: there is a journal. */
  readonly journal: boolean;
}

/** Lives until all turns are over, or the disk has crashed. */
export async function live(disk: ModelDisk, plan: LifePlan, story: Story = emptyStory()): Promise<Story> {
  const time = new VirtualTime(startMs);
  let isOver = false;
  const life = new Life(disk, plan, time, story).turns().finally(() => {
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

/** Handed out, and not known to be delivered. */
interface InFlight {
  readonly id: number;
  readonly event: Event;
  /** Everything up to it is done when this is. */
  readonly position: number;
}

class Life {
  readonly #disk: ModelDisk;
  readonly #plan: LifePlan;
  readonly #time: VirtualTime;
  readonly #story: Story;
  readonly #dice: RandomSequence;
  #queue!: Queue;
  #rings: DiskRings | undefined;
  #inFlight: InFlight[][] = [];

  constructor(disk: ModelDisk, plan: LifePlan, time: VirtualTime, story: Story) {
    this.#disk = disk;
    this.#plan = plan;
    this.#time = time;
    this.#story = story;
    this.#dice = new RandomSequence(plan.seed);
  }

  async turns(): Promise<void> {
    await this.#open();
    for (; this.#story.turns < this.#plan.turns; this.#story.turns++) {
      const choice = this.#dice.next();
      if (choice < 0.5) await this.#burst();
      else if (choice < 0.85) await this.#replay();
      else if (choice < 0.9) await this.#wait(300);
      else if (choice < 0.94) await this.#workOnLetters();
      else {
        if (!(await this.#close())) return;
        await this.#open();
      }
    }
    await this.#close();
  }

  async #open(): Promise<void> {
    this.#queue = await open(this.#disk, this.#plan, this.#time);
    this.#inFlight = Array.from({ length: streams }, () => []);
    this.#rings = this.#plan.journal ? new DiskRings(this.#queue, this.#story) : undefined;
  }

  /** False: what was in the rings has found no place, and the process is over. */
  async #close(): Promise<boolean> {
    const isEmpty = (await this.#rings?.empty((event, kind) => offer(this.#queue, event, kind, this.#time))) ?? true;
    if (!isEmpty) return false;
    await this.#queue.dlq.close();
    // What gave its memory to newer events and is lost then is what nobody was promised.
    const mayLose = !this.#plan.journal && this.#plan.fsync.kind !== 'each';
    if (!mayLose && this.#queue.reported('at_risk').length > 0) this.#story.broken.push('what was promised is at risk');
    return true;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#time.after(ms, resolve));
  }

  async #burst(): Promise<void> {
    const story = this.#story;
    const dice = this.#dice;
    const fresh: number[] = [];
    const isAwaited = this.#rings !== undefined && dice.next() < 0.5;
    for (let count = 1 + dice.below(8); count > 0; count--) {
      const id = story.next;
      story.next += 1;
      if (this.#rings !== undefined && isJournalled(id)) {
        this.#rings.enter(id);
        continue;
      }
      const answer = await offer(this.#queue, attempted(id), isDead(id) ? Kind.dead : Kind.spill, this.#time);
      if (answer !== Appended.ok) continue;
      if (isAwaited && !isDead(id)) this.#rings?.spilled(id);
      else fresh.push(id);
    }
    await this.#commit();
    if (isAwaited || dice.next() < 0.3) return;
    if (!(await this.#queue.dlq.flush())) return;
    for (const id of fresh) story.acknowledged.add(id);
  }

  /** Senders of level `disk` wait for their answers, sometimes; then some of their events leave the rings. */
  async #commit(): Promise<void> {
    const rings = this.#rings;
    if (rings === undefined) return;
    rings.commit();
    for (let tries = 0; this.#dice.next() < 0.8 && !rings.isQuiet && tries < 20; tries++) await this.#wait(5);
    if (this.#dice.next() < 0.6) rings.giveBack(this.#dice);
  }

  /** Takes some out of each stream; some of those that are on their way are delivered, or set aside anew. */
  async #replay(): Promise<void> {
    for (let stream = 0; stream < streams; stream++) {
      const cursor = this.#queue.dlq.cursor(stream);
      const inFlight = this.#inFlight[stream] as InFlight[];
      if (await cursor.load()) {
        for (let left = this.#dice.below(12); left > 0 && cursor.next(); left--) {
          const event = this.#queue.current(stream);
          inFlight.push({ id: numberOf(event, this.#story), event, position: cursor.position });
        }
      }
      const arriving = this.#dice.next() < 0.5 ? inFlight.length : this.#dice.below(inFlight.length + 1);
      for (let left = arriving; left > 0 && this.#arrives(inFlight[0] as InFlight, stream); left--) inFlight.shift();
    }
    // The checkpoint is written, and segments go, before the next thing happens.
    if (this.#dice.next() < 0.4) await this.#wait(checkpointMs + 10);
  }

  /** False: it could not be set aside anew. */
  #arrives({ id, event, position }: InFlight, stream: number): boolean {
    if (!comesBack(id)) this.#story.done.add(id);
    else if (
      this.#queue.offer({ ...event, reason: attempted(id).reason, attempts: attempted(id).attempts }) !== Appended.ok
    )
      return false;
    this.#queue.dlq.checkpoint(stream, position);
    return true;
  }

  /** An operator throws away the dead letters of a stream, or sends all again. */
  async #workOnLetters(): Promise<void> {
    const isPurge = this.#dice.next() < 0.5;
    const { next, done } = this.#story;
    for (let stream = 0; stream < streams; stream++) {
      const { dlq } = this.#queue;
      // Whoever waits for a window gets one.
      dlq.cursor(stream).release();
    }
    if (isPurge) for (let id = 0; id < next; id++) if (isDead(id) && id % streams === 0) done.add(id);
    const work = {
      filter: isPurge ? { reasons: [Reason.rejected], streams: ['orders'] } : {},
      ...(isPurge ? {} : { replay: {} }),
      isStopped: () => false,
      onProgress: () => undefined,
      onGone: () => undefined,
    };
    await this.#queue.dlq.deadLetters.run(work).catch((error: unknown) => {
      const isOfTheDisk = isOrdered(error) || /^dlq_(unwritable|full)$/.test((error as { code?: string }).code ?? '');
      if (!isOfTheDisk) throw error;
    });
  }
}
