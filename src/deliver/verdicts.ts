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
  /** Distinguishes answers: what proves of one record how Kinesis placed it holds for all of its answer. */
  readonly answer: number;
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
   * could read; and where records are not placed by key, consumers drop every aggregate. That may have changed since: a record whose
   * first event, by which it was sent, lies outside its shard was not placed by key, nor was any other of its answer.
   */
  judge(
    survey: Survey,
    isInside: (offset: number, range: Uint32Array) => boolean,
    onJudged: (verdict: HeldVerdict, delivered: boolean) => void,
  ): void {
    const held = this.#held;
    this.#held = held.filter(({ round }) => round >= survey.rounds);
    const spread = new Set<number>();
    for (const { shardId, offsets, answer } of held) {
      const range = survey.rangeOf(shardId);
      if (range !== undefined && !isInside(offsets[0] as number, range)) spread.add(answer);
    }
    for (const verdict of held) {
      if (verdict.round >= survey.rounds) continue;
      const isPlaced = survey.placesByKey === true && !spread.has(verdict.answer);
      const range = isPlaced ? survey.rangeOf(verdict.shardId) : undefined;
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
