/**
 * What stands between senders of ack level `disk` and the DLQ in a life on the model disk: a ring per stream, and who waits for the
 * disk. Test processes only; the journal is the real one.
 */
import type { DurableLog, DurableLogs, DurableWatch } from '../../src/dlq/durable-logs.ts';
import { Kind } from '../../src/dlq/layout.ts';
import { Appended } from '../../src/dlq/series.ts';
import type { RandomSequence } from '../../src/simulator/random-sequence.ts';
import type { Event, Queue } from '../dlq/queue.ts';
import { attempted, type Story, streams } from './disk-events.ts';

/** A ring as far as the journal looks at it: each event takes 8 bytes. */
class Ring {
  readonly ids: number[] = [];
  #entered = 0;

  enter(id: number): void {
    this.ids.push(id);
    this.#entered++;
  }

  position(): number {
    return 8 * this.#entered;
  }

  passed(position: number): boolean {
    return 8 * (this.#entered - this.ids.length) >= position;
  }
}

interface Wait {
  readonly log: DurableLog;
  readonly sequence: number;
  readonly id: number;
}

/** Small, so that lives see the journal's segments come and go. */
const journalOptions = { maxBytes: 16_384, commitWindowMs: 1, zeroAheadBytes: 16_384 };

export class DiskRings {
  readonly #queue: Queue;
  readonly #story: Story;
  readonly #rings: readonly Ring[] = Array.from({ length: streams }, () => new Ring());
  readonly #logs: DurableLogs;
  #waits: Wait[] = [];

  constructor(queue: Queue, story: Story) {
    this.#queue = queue;
    this.#story = story;
    const watch: DurableWatch = {
      durable: (log, sequence) => {
        for (const { id } of this.#over(log, sequence)) story.acknowledged.add(id);
      },
      lost: (log, sequence) => void this.#over(log, sequence),
      journalSynced: () => undefined,
    };
    this.#logs = queue.openJournal(this.#rings, watch, journalOptions);
    this.#logs.mustSync();
  }

  /** All who waited have heard. */
  get isQuiet(): boolean {
    return this.#waits.length === 0;
  }

  /** Into the ring and the journal, where that takes it. */
  enter(id: number): void {
    const event = attempted(id);
    if (this.#queue.offerJournal(event) !== Appended.ok) return;
    (this.#rings[event.stream] as Ring).enter(id);
    this.#wait('journal', id);
  }

  /** Its sender waits for a spill that the DLQ has taken. */
  spilled(id: number): void {
    this.#wait(attempted(id).stream, id);
  }

  commit(): void {
    for (const log of new Set<DurableLog>(['journal', ...this.#waits.map((wait) => wait.log)])) this.#logs.commit(log);
  }

  /** Some of the oldest events leave each ring: delivered, or set aside. */
  giveBack(dice: RandomSequence): void {
    for (const { ids } of this.#rings) {
      for (let left = dice.below(ids.length + 1); left > 0; left--) {
        const id = ids[0] as number;
        if (dice.next() < 0.3) {
          if (this.#queue.offer(attempted(id)) !== Appended.ok) break;
          this.#logs.journal.moved();
        } else this.#story.done.add(id);
        ids.shift();
      }
    }
    this.#logs.journal.trim();
  }

  /** Everything is set aside, as when the daemon ends. False: the DLQ does not take it. */
  async empty(offer: (event: Event, kind: Kind) => Promise<Appended>): Promise<boolean> {
    for (const { ids } of this.#rings) {
      for (; ids.length > 0; ids.shift()) {
        if ((await offer(attempted(ids[0] as number), Kind.spill)) !== Appended.ok) return false;
        this.#logs.journal.moved();
      }
    }
    return true;
  }

  #wait(log: DurableLog, id: number): void {
    this.#waits.push({ log, sequence: this.#logs.lastSequence(log), id });
  }

  /** Those who waited for this, and wait no longer. */
  #over(log: DurableLog, sequence: number): Wait[] {
    const isOver = (wait: Wait): boolean => wait.log === log && wait.sequence <= sequence;
    const over = this.#waits.filter(isOver);
    this.#waits = this.#waits.filter((wait) => !isOver(wait));
    return over;
  }
}
