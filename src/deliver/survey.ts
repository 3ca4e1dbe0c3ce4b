/**
 * What a lane knows of a stream: its open shards, how it places records, its record limit. Lane worker; one per stream.
 *
 * It asks DescribeStreamSummary and ListShards at start, on a timer with jitter, and on evidence that the answer is old; one
 * question at a time, and a failed one again with backoff. It never guesses: without the proof that records are placed by key, and
 * without a complete map, {@link Survey.aggregates} is false, because consumers drop an aggregate that holds an event of another
 * shard, and every aggregate of a stream that places records as it likes.
 */
import { createRequire } from 'node:module';
import type { LRUCache as MnemonistLruCache } from 'mnemonist';
import { SpillwayError, toPlainError } from '../base/errors.ts';
import { rememberedShardsMax } from '../base/limits.ts';
import { hashKeyWords, parseHashKey } from '../batch/hash-key.ts';
import { type ShardRange, ShardRanges } from '../batch/shard-ranges.ts';
import type { After, Clock } from '../edges/clock.ts';
import type { Kinesis, StreamSummary } from '../edges/kinesis.ts';
import type { Random } from '../edges/random.ts';
import type { DeliveryContext } from './context.ts';
import { classifyFailure } from './outcome.ts';
import { backoffMs } from './retry.ts';

// The package's ESM entry loads all of its structures (80 ms); this loads one.
const LruCache = createRequire(import.meta.url)('mnemonist/lru-cache') as typeof MnemonistLruCache;

/** Between two surveys without evidence; each is jittered by a quarter, so that hosts do not ask together. */
const refreshMs = 60_000;

/** Least time between two surveys on evidence: Kinesis allows 20 DescribeStreamSummary a second for a whole account. */
const evidenceMs = 250;

/** What a survey brought. */
export interface Findings {
  /** For people: what changed, or why nothing is known. */
  readonly cause: string;
  /** The map, the way of placing or the limit is another than before. */
  readonly changed: boolean;
  /** Kinesis answered; what it said is what {@link Survey} now says. */
  readonly answered: boolean;
}

/** What a survey asks of Kinesis. */
export type Questions = Pick<Kinesis, 'describe' | 'listShards'>;

export class Survey {
  /** The open shards; undefined: not known. */
  ranges: ShardRanges | undefined;
  /** Whether Kinesis places records by their hash key; undefined: it did not say so, or would not be asked. */
  placesByKey: boolean | undefined;
  recordBytesMax: number | undefined;
  /** True once the first answer or failure is in: before, it is worth a short wait. */
  asked = false;
  /** How often it has asked: an answer tells nothing of what was stored after the question. */
  rounds = 0;
  readonly #kinesis: Questions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #after: After;
  readonly #onFindings: (findings: Findings) => void;
  /** First and last hash key (two times four words) of shards by their id, closed ones too. */
  readonly #known: MnemonistLruCache<string, Uint32Array>;
  #createdMs = 0;
  #version = 0;
  #askedMs = 0;
  /** The stream that a map is of, by its creation: another of the same name has shards of the same ids. */
  readonly #creations = new WeakMap<ShardRanges, number>();
  /** The last round before a request found no stream; undefined: none did since. */
  #doubtedRound: number | undefined;
  #wanted = new Set<string>();
  #asking = false;
  /** There was evidence while it asked. */
  #askAgain = false;
  #failures = 0;
  #cancelNext = (): void => {};
  #closed = false;

  constructor(
    {
      kinesis,
      clock,
      random,
      after,
    }: Pick<DeliveryContext, 'clock' | 'random' | 'after'> & { readonly kinesis: Questions },
    onFindings: (findings: Findings) => void,
  ) {
    this.#kinesis = kinesis;
    this.#clock = clock;
    this.#random = random;
    this.#after = after;
    this.#onFindings = onFindings;
    this.#known = new LruCache(rememberedShardsMax);
  }

  /** Whether events may share a record. */
  get aggregates(): boolean {
    return this.placesByKey === true && this.ranges !== undefined;
  }

  /** First and last hash key of a shard, open or not, as two times four words; undefined: never heard of. */
  rangeOf(shardId: string): Uint32Array | undefined {
    return this.#known.get(shardId);
  }

  /** Whether a map is of the stream that was described last, and no request has found that one missing since. */
  isOfStream(ranges: ShardRanges): boolean {
    return this.#doubtedRound === undefined && this.#creations.get(ranges) === this.#createdMs;
  }

  /** A request found no stream of this name. If there is one again, it is another. */
  doubt(): void {
    this.#doubtedRound = this.rounds;
    this.refresh();
  }

  /**
   * Asks soon: on evidence that the map is old. At most once in {@link evidenceMs}, and after a failure not before its backoff.
   * `wanted`: shards that took records, and should be known afterwards even if they are closed by now.
   */
  refresh(wanted: Iterable<string> = []): void {
    for (const shardId of wanted) this.#wanted.add(shardId);
    this.#askAgain ||= this.#asking;
    // After a failure its backoff is running.
    if (this.#asking || this.#closed || this.#failures > 0) return;
    const waitMs = this.#askedMs + evidenceMs - this.#clock.nowMs();
    if (waitMs <= 0) this.#begin();
    else this.#askIn(waitMs);
  }

  #askIn(delayMs: number): void {
    this.#cancelNext();
    this.#cancelNext = this.#after(delayMs, () => this.#begin());
  }

  #begin(): void {
    this.#asking = true;
    this.#askAgain = false;
    this.rounds++;
    this.#askedMs = this.#clock.nowMs();
    this.#cancelNext();
    this.#ask().then(
      (changed) => this.#answered(changed),
      (error: unknown) => this.#failed(error),
    );
  }

  close(): void {
    this.#closed = true;
    this.#cancelNext();
  }

  /** Resolves to what changed, in words; empty: nothing. */
  async #ask(): Promise<string> {
    const summary = await this.#describe();
    const shards = await this.#kinesis.listShards(false);
    if (summary !== undefined && summary.createdMs !== this.#createdMs) {
      // Another stream of the same name: its shards may have the ids of the old one's.
      if (this.#createdMs !== 0) this.#known.clear();
      this.#createdMs = summary.createdMs;
    }
    this.#remember(shards);
    const wanted = [...this.#wanted];
    if (wanted.some((shardId) => !this.#known.has(shardId))) this.#remember(await this.#kinesis.listShards(true));
    for (const shardId of wanted) this.#wanted.delete(shardId);
    const ranges = ShardRanges.of(this.#version + 1, shards);
    if (ranges === undefined) {
      throw new SpillwayError('shard_map', 'the open shards do not cover the hash range without gap or overlap');
    }
    return this.#enter(ranges, summary);
  }

  /** Undefined where the stream may not be described: then nothing is proved. */
  async #describe(): Promise<StreamSummary | undefined> {
    try {
      return await this.#kinesis.describe();
    } catch (error) {
      const { code } = classifyFailure(error);
      if (code !== 'AccessDeniedException' && code !== 'UnknownOperationException') throw error;
      return undefined;
    }
  }

  #remember(shards: readonly ShardRange[]): void {
    for (const { shardId, startingHashKey, endingHashKey } of shards) {
      const [start, end] = [parseHashKey(startingHashKey), parseHashKey(endingHashKey)];
      if (start === undefined || end === undefined) continue;
      const range = new Uint32Array(2 * hashKeyWords);
      range.set(start, 0);
      range.set(end, hashKeyWords);
      this.#known.set(shardId, range);
    }
  }

  #enter(ranges: ShardRanges, summary: StreamSummary | undefined): string {
    const changes: string[] = [];
    const madeMs = this.ranges === undefined ? undefined : this.#creations.get(this.ranges);
    const isAnother = madeMs !== undefined && madeMs !== this.#createdMs;
    // Before, it could not be described.
    if (isAnother && madeMs !== 0) changes.push('another stream of this name');
    if (isAnother || this.ranges === undefined || !this.ranges.equals(ranges)) {
      this.ranges = ranges;
      this.#creations.set(ranges, this.#createdMs);
      this.#version = ranges.version;
      changes.push(`${ranges.shardIds.length} open shards`);
    }
    const placesByKey = summary?.placesByKey;
    if (!this.asked || this.placesByKey !== placesByKey) {
      this.placesByKey = placesByKey;
      if (placesByKey !== true) changes.push(placesByKey === false ? 'distribution AUTO' : 'distribution unknown');
      else if (this.asked) changes.push('distribution by partition key');
    }
    if (summary?.recordBytesMax !== this.recordBytesMax) {
      this.recordBytesMax = summary?.recordBytesMax;
      if (this.recordBytesMax !== undefined) changes.push(`records of at most ${this.recordBytesMax} bytes`);
    }
    return changes.join(', ');
  }

  #answered(changed: string): void {
    this.#failures = 0;
    if (this.#doubtedRound !== undefined && this.#doubtedRound < this.rounds) this.#doubtedRound = undefined;
    const nextMs = this.#askAgain ? evidenceMs : refreshMs * (0.75 + this.#random.share() / 2);
    this.#settle(nextMs, { cause: changed, changed: changed !== '', answered: true });
  }

  #failed(error: unknown): void {
    this.#failures++;
    const { code, message } = toPlainError(error);
    const cause = `${classifyFailure(error).code || code}: ${message}`;
    let changed = false;
    if (classifyFailure(error).code === 'ResourceNotFoundException' && this.ranges !== undefined) {
      // It was deleted: what comes in its place is another stream.
      this.ranges = undefined;
      this.#createdMs = 0;
      this.#known.clear();
      changed = true;
    }
    this.#settle(500 + backoffMs(this.#random, this.#failures + 3), { cause, changed, answered: false });
  }

  #settle(nextMs: number, findings: Findings): void {
    this.#asking = false;
    const first = !this.asked;
    this.asked = true;
    if (this.#closed) return;
    this.#askIn(nextMs);
    this.#onFindings(first ? { ...findings, changed: true } : findings);
  }
}
