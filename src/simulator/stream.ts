/**
 * A stream: its shards, open and closed, which record goes to which of them, splitting and merging, and the records kept in
 * order of arrival. Made by account.ts.
 */
import { Fifo } from './fifo.ts';
import { hashKeyMax, hashOfKey } from './hash-key.ts';
import { type Birth, type HashRange, type KeptRecord, Shard } from './shard.ts';

export type StreamMode = 'PROVISIONED' | 'ON_DEMAND';
export type Distribution = 'USER_PARTITION_KEY' | 'AUTO';

export interface StreamSettings {
  readonly mode: StreamMode;
  readonly maxRecordSizeInKiB: number;
  readonly distribution: Distribution;
}

/** Closed shards that a stream remembers. AWS forgets them with the retention; under steady resharding that would be no bound. */
const closedShardsMax = 10_000;

export class Stream {
  readonly name: string;
  readonly arn: string;
  readonly createdMs: number;
  readonly mode: StreamMode;
  maxRecordSizeInKiB: number;
  /** AUTO: keys are ignored, records go around all open shards. */
  distribution: Distribution;
  /** By index, closed ones among them. */
  readonly shards: Shard[] = [];
  /** The open shards by their hash ranges, which leave no gap. */
  #open: readonly Shard[];
  #nextIndex = 0;
  #nextTurn = 0;
  readonly kept = new Fifo<KeptRecord>();
  /** Number of the next user event. */
  nextEvent = 1;
  /** KPL aggregates among the records taken, those of which the KCL would drop events, and how many events. */
  aggregates = 0;
  droppedAggregates = 0;
  droppedEvents = 0;
  /** Events that consumers get and whose sender never had a whole and true answer: what it may rightly have sent twice. */
  unansweredEvents = 0;
  /** Records that had to make room for younger ones. */
  evictedRecords = 0;
  splits = 0;
  merges = 0;

  /** Tells the stream from others that had its name: no two have the same. */
  readonly firstSecond: number;
  /** The latest second that stands in sequence numbers; the next stream of this name has to begin behind it. */
  numberSecond: number;

  constructor(name: string, arn: string, shardCount: number, settings: StreamSettings, birth: Birth) {
    this.name = name;
    this.arn = arn;
    this.createdMs = birth.openedMs;
    this.firstSecond = birth.numberSecond;
    this.numberSecond = birth.numberSecond;
    this.mode = settings.mode;
    this.maxRecordSizeInKiB = settings.maxRecordSizeInKiB;
    this.distribution = settings.distribution;
    const width = (hashKeyMax + 1n) / BigInt(shardCount);
    this.#open = Array.from({ length: shardCount }, (_, index) => {
      const startingHash = width * BigInt(index);
      const endingHash = index === shardCount - 1 ? hashKeyMax : startingHash + width - 1n;
      return this.#make({ startingHash, endingHash }, birth);
    });
  }

  get open(): readonly Shard[] {
    return this.#open;
  }

  #make(range: HashRange, birth: Birth): Shard {
    const shard = new Shard(this, this.#nextIndex++, range, birth);
    this.shards.push(shard);
    return shard;
  }

  /** The open shard that a record with this key goes to. The explicit hash key must have been checked. */
  shardFor(partitionKey: string, explicitHashKey: string | undefined): Shard {
    const [only] = this.#open;
    if (this.#open.length === 1 && only !== undefined) return only;
    if (this.distribution === 'AUTO') return this.#open[this.#nextTurn++ % this.#open.length] as Shard;
    return this.shardAt(explicitHashKey === undefined ? hashOfKey(partitionKey) : BigInt(explicitHashKey));
  }

  shardAt(hash: bigint): Shard {
    let low = 0;
    let high = this.#open.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#open[middle] as Shard).endingHash < hash) low = middle + 1;
      else high = middle;
    }
    return this.#open[low] as Shard;
  }

  /** Splits an open shard; `secondStart`, which lies within it and is not its start, begins the second child. */
  split(shard: Shard, secondStart: bigint, nowMs: number): void {
    const { startingHash, endingHash } = shard;
    const birth = this.#birthFrom([shard], nowMs);
    const children = [
      this.#make({ startingHash, endingHash: secondStart - 1n }, birth),
      this.#make({ startingHash: secondStart, endingHash }, birth),
    ];
    this.splits++;
    this.#replace([shard], children, nowMs);
  }

  /** Merges two open shards, of which `second` begins where `first` ends. */
  merge(first: Shard, second: Shard, nowMs: number): void {
    const range = { startingHash: first.startingHash, endingHash: second.endingHash };
    const child = this.#make(range, this.#birthFrom([first, second], nowMs));
    this.merges++;
    this.#replace([first, second], [child], nowMs);
  }

  #birthFrom(parents: readonly Shard[], nowMs: number): Birth {
    const seconds = parents.map(({ birth }) => birth.numberSecond + 1);
    const numberSecond = Math.max(Math.floor(nowMs / 1_000), ...seconds);
    this.numberSecond = Math.max(this.numberSecond, numberSecond);
    return { openedMs: nowMs, numberSecond, parents: parents.map(({ id }) => id) };
  }

  #replace(closing: readonly Shard[], opening: readonly Shard[], nowMs: number): void {
    for (const shard of closing) shard.close(nowMs);
    this.#open = this.#open.flatMap((shard) => (shard === closing[0] ? opening : closing.includes(shard) ? [] : shard));
    while (this.shards.length - this.#open.length > closedShardsMax) {
      this.shards.splice(
        this.shards.findIndex(({ closedMs }) => closedMs !== undefined),
        1,
      );
    }
  }

  /** Forgets counts, budgets and kept records; event numbers begin anew. */
  forget(): void {
    this.kept.clear();
    this.nextEvent = 1;
    for (const shard of this.shards) shard.forget();
    this.aggregates = 0;
    this.droppedAggregates = 0;
    this.droppedEvents = 0;
    this.unansweredEvents = 0;
    this.evictedRecords = 0;
    this.splits = 0;
    this.merges = 0;
  }
}
