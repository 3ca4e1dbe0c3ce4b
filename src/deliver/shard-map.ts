/**
 * Keeps a stream's shard ranges: asks ListShards at start, on a timer with jitter, and on evidence that the map is old. Lane
 * worker. One question at a time; a failed one is asked again with backoff. It never guesses: until a complete map is known,
 * {@link ranges} is undefined and nothing is aggregated.
 */
import { toPlainError } from '../base/errors.ts';
import { ShardRanges } from '../batch/shard-ranges.ts';
import type { Kinesis } from '../edges/kinesis.ts';
import type { Random } from '../edges/random.ts';
import { backoffMs } from './retry.ts';

/** Between two refreshes without evidence; each is jittered by half, so that hosts do not ask together. */
const refreshMs = 60_000;

export class ShardMap {
  ranges: ShardRanges | undefined;
  /** True once the first answer or failure is in: before, it is worth a short wait. */
  asked = false;
  readonly #kinesis: Kinesis;
  readonly #random: Random;
  readonly #onChange: (cause: string) => void;
  #asking = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(kinesis: Kinesis, random: Random, onChange: (cause: string) => void) {
    this.#kinesis = kinesis;
    this.#random = random;
    this.#onChange = onChange;
  }

  /** Asks now unless a question is on its way. */
  refresh(): void {
    if (this.#asking || this.#closed) return;
    this.#asking = true;
    clearTimeout(this.#timer);
    this.#kinesis.listShards().then(
      (shards) => this.#answered(ShardRanges.of((this.ranges?.version ?? 0) + 1, shards)),
      (error: unknown) => this.#failed(`${toPlainError(error).code}: ${toPlainError(error).message}`),
    );
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #answered(ranges: ShardRanges | undefined): void {
    if (ranges === undefined) return this.#failed('the open shards do not cover the hash range without gap or overlap');
    this.#failures = 0;
    const same = this.ranges !== undefined && this.ranges.shardIds.join() === ranges.shardIds.join();
    if (!same) this.ranges = ranges;
    this.#settle(
      refreshMs * (0.75 + this.#random.share() / 2),
      same ? undefined : `${ranges.shardIds.length} open shards`,
    );
  }

  #failed(cause: string): void {
    this.#failures++;
    this.#settle(500 + backoffMs(this.#random, this.#failures + 3), this.asked ? undefined : cause);
  }

  #settle(nextMs: number, change: string | undefined): void {
    this.#asking = false;
    const first = !this.asked;
    this.asked = true;
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.refresh(), nextMs);
    this.#timer.unref();
    if (first || change !== undefined) this.#onChange(change ?? '');
  }
}
