/**
 * Records that Kinesis took on another shard than they were made for, until it is known what that means. Lane worker.
 *
 * A consumer built on the Kinesis Client Library drops an aggregate whole when one of its events lies outside the range of the shard
 * that took it. So an aggregate is delivered only if all its events lie inside; if one lies outside, all of them go again, and
 * nothing is doubled, because nobody will see the first. Without that knowledge the verdict waits for the next survey.
 *
 * Bounded by the ring, which holds the events all the while.
 */
import type { Survey } from './survey.ts';

export interface HeldVerdict {
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly offsets: Uint32Array;
  /** The way it took, see outlets.ts. */
  readonly outlet: number;
  /** Rounds that the survey had begun when the answer came: only a later one knows of what was stored. */
  readonly round: number;
}

export class HeldVerdicts {
  #held: HeldVerdict[] = [];

  get count(): number {
    return this.#held.length;
  }

  hold(verdict: HeldVerdict): void {
    this.#held.push(verdict);
  }

  /**
   * Judges by what `survey` found all that were held before it asked. A shard that it does not know after it was asked for takes part in nothing that consumers
   * could read; and where records are not placed by key, consumers drop every aggregate.
   */
  judge(
    survey: Survey,
    isInside: (offset: number, range: Uint32Array) => boolean,
    onJudged: (verdict: HeldVerdict, delivered: boolean) => void,
  ): void {
    const held = this.#held;
    this.#held = held.filter(({ round }) => round >= survey.rounds);
    for (const verdict of held) {
      if (verdict.round >= survey.rounds) continue;
      const range = survey.placesByKey === true ? survey.rangeOf(verdict.shardId) : undefined;
      onJudged(verdict, range !== undefined && verdict.offsets.every((offset) => isInside(offset, range)));
    }
  }

  /** Takes out those for which `isOverdue` holds. */
  takeOverdue(isOverdue: (verdict: HeldVerdict) => boolean): HeldVerdict[] {
    const overdue = this.#held.filter(isOverdue);
    if (overdue.length > 0) this.#held = this.#held.filter((verdict) => !overdue.includes(verdict));
    return overdue;
  }

  clear(): void {
    this.#held = [];
  }
}
