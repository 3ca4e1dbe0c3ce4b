/**
 * A shard: its hash range and ancestry, sequence numbers, budget, counts, and the records kept. Made by stream.ts; one that was
 * split or merged is closed, takes nothing more, and can still be read.
 *
 * A sequence number has 56 digits: 40 that are the shard's own, derived from its creation time the way AWS does it, then a
 * counter of 16 digits. So it grows within a shard, costs no arithmetic on big numbers, and can be read back.
 */
import { Fifo } from './fifo.ts';
import type { Stream } from './stream.ts';

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

/** How fast budgets come back, and how many seconds' worth of it they hold and begin with. */
export interface Rates {
  readonly bytesPerSecond: number;
  readonly recordsPerSecond: number;
  readonly burstSeconds: number;
}

/** Hash keys from one to the other, both included. */
export interface HashRange {
  readonly startingHash: bigint;
  readonly endingHash: bigint;
}

/** How a shard came to be. */
export interface Birth {
  readonly openedMs: number;
  /** Stands in its sequence numbers: later than its parents', whose numbers have to be smaller, and so maybe not yet reached. */
  readonly numberSecond: number;
  /** Ids: none, of a shard that was split, or of two that were merged. Not the shards, which need not outlive the retention. */
  readonly parents: readonly string[];
}

export class Shard {
  readonly stream: Stream;
  /** Counts the stream's shards from 0; `id` ends with it. */
  readonly index: number;
  readonly id: string;
  readonly startingHash: bigint;
  readonly endingHash: bigint;
  readonly birth: Birth;
  readonly kept = new Fifo<KeptRecord>();
  readonly #prefix: string;
  #nextCounter = 1;
  #closed: { readonly closedMs: number; readonly counter: number } | undefined;
  #budget: Budget | undefined;
  /** Records and bytes (data and partition keys) taken since the start or the last reset. */
  records = 0;
  bytes = 0;

  constructor(stream: Stream, index: number, range: HashRange, birth: Birth) {
    this.stream = stream;
    this.index = index;
    this.id = `shardId-${String(index).padStart(12, '0')}`;
    this.startingHash = range.startingHash;
    this.endingHash = range.endingHash;
    this.birth = birth;
    // AWS: the hex digit 2, seconds of creation (9 digits), the shard's last digit, a counter (16), and 20 digits more.
    const hex = `2${birth.numberSecond.toString(16).padStart(9, '0')}${(index & 15).toString(16)}${'0'.repeat(36)}`;
    // The last six digits of the prefix tell shards apart whose index ends in the same hexadecimal digit.
    const prefix = BigInt(`0x${hex}`)
      .toString()
      .slice(0, prefixDigits - 6);
    this.#prefix = prefix + String(index % 1e6).padStart(6, '0');
  }

  /** When it was closed; undefined: it is open. */
  get closedMs(): number | undefined {
    return this.#closed?.closedMs;
  }

  /** The number behind its last record's, under which nothing is kept; undefined: it is open. */
  get endingSequenceNumber(): string | undefined {
    return this.#closed === undefined ? undefined : this.sequenceNumber(this.#closed.counter);
  }

  close(nowMs: number): void {
    this.#closed = { closedMs: nowMs, counter: this.#nextCounter++ };
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

  /** Whether the shard's budgets allow a record of `bytes` now, and if so, spends them. */
  spend(bytes: number, nowMs: number, { bytesPerSecond, recordsPerSecond, burstSeconds }: Rates): boolean {
    const [bytesMost, recordsMost] = [bytesPerSecond * burstSeconds, recordsPerSecond * burstSeconds];
    const budget = this.#budget ?? { bytes: bytesMost, records: recordsMost, refilledMs: nowMs };
    this.#budget = budget;
    const seconds = Math.max(0, nowMs - budget.refilledMs) / 1_000;
    budget.refilledMs = nowMs;
    budget.bytes = Math.min(bytesMost, budget.bytes + seconds * bytesPerSecond);
    budget.records = Math.min(recordsMost, budget.records + seconds * recordsPerSecond);
    if (budget.records < 1 || budget.bytes < Math.min(bytes, bytesMost)) return false;
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

/** HashKeyRange of answers. */
export function describeRange({ startingHash, endingHash }: HashRange): object {
  return { StartingHashKey: startingHash.toString(), EndingHashKey: endingHash.toString() };
}
