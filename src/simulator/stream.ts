/**
 * A stream and its shards: hash ranges, sequence numbers, budgets, counts, and the records kept. Made by account.ts.
 *
 * A sequence number has 56 digits: 40 that are the shard's own, derived from its creation time the way AWS does it, then a
 * counter of 16 digits. So it grows within a shard, costs no arithmetic on big numbers, and can be read back.
 */
import { Fifo } from './fifo.ts';
import { hashKeyMax, hashOfKey } from './hash-key.ts';

const counterDigits = 16;
const prefixDigits = 40;

/** A record as it is kept. `n` numbers the user events of a stream from 1; this record holds `n` .. `n + events - 1`. */
export interface KeptRecord {
  readonly shard: Shard;
  readonly n: number;
  readonly events: number;
  readonly counter: number;
  readonly partitionKey: string;
  readonly explicitHashKey: string | undefined;
  readonly data: Buffer;
  readonly arrivalMs: number;
}

/** What a shard may still take under the fault `throttle`. A budget may go into debt by its last record. */
interface Budget {
  bytes: number;
  records: number;
  refilledMs: number;
}

export class Shard {
  readonly stream: Stream;
  readonly id: string;
  readonly startingHash: bigint;
  readonly endingHash: bigint;
  readonly kept = new Fifo<KeptRecord>();
  readonly #prefix: string;
  #nextCounter = 1;
  #budget: Budget | undefined;
  /** Records and bytes (data and partition keys) taken since the start or the last reset. */
  records = 0;
  bytes = 0;

  constructor(stream: Stream, index: number, startingHash: bigint, endingHash: bigint) {
    this.stream = stream;
    this.id = `shardId-${String(index).padStart(12, '0')}`;
    this.startingHash = startingHash;
    this.endingHash = endingHash;
    // AWS: the hex digit 2, seconds of creation (9 digits), the shard's last digit, a counter (16), and 20 digits more.
    const seconds = Math.floor(stream.createdMs / 1_000);
    const hex = `2${seconds.toString(16).padStart(9, '0')}${(index & 15).toString(16)}${'0'.repeat(36)}`;
    // The last six digits of the prefix tell shards apart whose index ends in the same hexadecimal digit.
    const prefix = BigInt(`0x${hex}`)
      .toString()
      .slice(0, prefixDigits - 6);
    this.#prefix = prefix + String(index).padStart(6, '0');
  }

  get nextCounter(): number {
    return this.#nextCounter;
  }

  sequenceNumber(counter: number): string {
    return this.#prefix + String(counter).padStart(counterDigits, '0');
  }

  /** The counter in one of this shard's sequence numbers; undefined for any other text. */
  counterOf(sequenceNumber: string): number | undefined {
    if (sequenceNumber.length !== prefixDigits + counterDigits || !sequenceNumber.startsWith(this.#prefix)) {
      return undefined;
    }
    return Number(sequenceNumber.slice(prefixDigits));
  }

  /** Counts a record of `bytes` as taken; returns the counter of its sequence number. */
  take(bytes: number): number {
    this.records++;
    this.bytes += bytes;
    return this.#nextCounter++;
  }

  /** Whether the shard's budgets allow a record of `bytes` now, and if so, spends them. Budgets hold one second's worth. */
  spend(bytes: number, nowMs: number, bytesPerSecond: number, recordsPerSecond: number): boolean {
    const budget = this.#budget ?? { bytes: bytesPerSecond, records: recordsPerSecond, refilledMs: nowMs };
    this.#budget = budget;
    const seconds = Math.max(0, nowMs - budget.refilledMs) / 1_000;
    budget.refilledMs = nowMs;
    budget.bytes = Math.min(bytesPerSecond, budget.bytes + seconds * bytesPerSecond);
    budget.records = Math.min(recordsPerSecond, budget.records + seconds * recordsPerSecond);
    if (budget.records < 1 || budget.bytes < Math.min(bytes, bytesPerSecond)) return false;
    budget.bytes -= bytes;
    budget.records -= 1;
    return true;
  }

  /** Forgets counts, budgets and kept records; the counter goes on, so sequence numbers stay unique. */
  forget(): void {
    this.kept.clear();
    this.#budget = undefined;
    this.records = 0;
    this.bytes = 0;
  }
}

export type StreamMode = 'PROVISIONED' | 'ON_DEMAND';

export class Stream {
  readonly name: string;
  readonly arn: string;
  readonly createdMs: number;
  readonly mode: StreamMode;
  maxRecordSizeInKiB: number;
  readonly shards: readonly Shard[];
  readonly kept = new Fifo<KeptRecord>();
  /** Number of the next user event. */
  nextEvent = 1;
  /** KPL aggregates among the records taken, those of which the KCL would drop events, and how many events. */
  aggregates = 0;
  droppedAggregates = 0;
  droppedEvents = 0;
  /** Records that had to make room for younger ones. */
  evictedRecords = 0;

  constructor(
    name: string,
    arn: string,
    shardCount: number,
    maxRecordSizeInKiB: number,
    mode: StreamMode,
    nowMs: number,
  ) {
    this.name = name;
    this.mode = mode;
    this.arn = arn;
    this.createdMs = nowMs;
    this.maxRecordSizeInKiB = maxRecordSizeInKiB;
    const width = (hashKeyMax + 1n) / BigInt(shardCount);
    this.shards = Array.from({ length: shardCount }, (_, index) => {
      const last = index === shardCount - 1;
      const start = width * BigInt(index);
      return new Shard(this, index, start, last ? hashKeyMax : start + width - 1n);
    });
  }

  /** The shard that a record with this key goes to. The explicit hash key must have been checked. */
  shardFor(partitionKey: string, explicitHashKey: string | undefined): Shard {
    const [only] = this.shards;
    if (this.shards.length === 1 && only !== undefined) return only;
    return this.shardAt(explicitHashKey === undefined ? hashOfKey(partitionKey) : BigInt(explicitHashKey));
  }

  shardAt(hash: bigint): Shard {
    let low = 0;
    let high = this.shards.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.shards[middle] as Shard).endingHash < hash) low = middle + 1;
      else high = middle;
    }
    return this.shards[low] as Shard;
  }

  /** Forgets counts, budgets and kept records; event numbers begin anew. */
  forget(): void {
    this.kept.clear();
    this.nextEvent = 1;
    for (const shard of this.shards) shard.forget();
    this.aggregates = 0;
    this.droppedAggregates = 0;
    this.droppedEvents = 0;
    this.evictedRecords = 0;
  }
}
