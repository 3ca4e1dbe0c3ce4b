/**
 * One PutRecords request while it is built, sent and judged. Lane worker; a stream's lane has a fixed number of them, each
 * with its own piece of the arena for the body, reused for ever.
 *
 * A batch knows which ring entries each of its records carries, so that an outcome per record becomes an outcome per event:
 * record `i` carries `offsets[ends[i - 1] .. ends[i])`.
 */
import { createHash, type Hash } from 'node:crypto';
import { requestRecordsMax } from '../base/limits.ts';
import type { Aggregate } from './aggregate.ts';
import type { ShardRanges } from './shard-ranges.ts';

export class Batch {
  /** Offset in the arena where the body begins, and its length so far. */
  readonly start: number;
  readonly capacity: number;
  length = 0;
  records = 0;
  /** Data and partition keys of all records in bytes, as Kinesis counts them. */
  payloadBytes = 0;
  /** When it was last sent. */
  sentMs = 0;
  /** Whole-request attempts so far. */
  attempts = 0;
  /** SHA-256 of the finished body in hex. */
  sha256 = '';
  events = 0;
  #hash: Hash = createHash('sha256');
  #hashed = 0;
  offsets = new Uint32Array(4096);
  readonly ends = new Uint32Array(requestRecordsMax);
  /** Index in {@link ranges} of the shard that each record was aimed at, or -1. */
  readonly shards = new Int32Array(requestRecordsMax);
  /** 1: the record is an aggregate. */
  readonly aggregated = new Uint8Array(requestRecordsMax);
  /** The map by which its records were made. */
  ranges: ShardRanges | undefined;
  /** Its events are somebody else's: the answer is of no account. */
  abandoned = false;

  constructor(start: number, capacity: number) {
    this.start = start;
    this.capacity = capacity;
  }

  clear(): void {
    this.length = 0;
    this.records = 0;
    this.payloadBytes = 0;
    this.attempts = 0;
    this.events = 0;
    this.sha256 = '';
    this.ranges = undefined;
    this.abandoned = false;
    this.#hash = createHash('sha256');
    this.#hashed = 0;
  }

  /** Enters a record that carries one event. */
  enterSingle(offset: number, shard: number): void {
    this.#reserve(1);
    this.offsets[this.events++] = offset;
    this.#enter(shard, 0);
  }

  /** Enters a record that carries an aggregate's events. */
  enterAggregate(aggregate: Aggregate): void {
    this.#reserve(aggregate.count);
    this.offsets.set(aggregate.offsets.subarray(0, aggregate.count), this.events);
    this.events += aggregate.count;
    this.#enter(aggregate.shard, 1);
  }

  #enter(shard: number, aggregated: number): void {
    this.shards[this.records] = shard;
    this.aggregated[this.records] = aggregated;
    this.ends[this.records++] = this.events;
  }

  #reserve(more: number): void {
    if (this.events + more <= this.offsets.length) return;
    const longer = new Uint32Array(Math.max(2 * this.offsets.length, this.events + more));
    longer.set(this.offsets.subarray(0, this.events));
    this.offsets = longer;
  }

  /** Index in {@link offsets} of record `i`'s first event. */
  firstEvent(i: number): number {
    return i === 0 ? 0 : (this.ends[i - 1] as number);
  }

  /** Copies of the offsets of record `i`'s events. */
  eventsOf(i: number): Uint32Array {
    return this.offsets.slice(this.firstEvent(i), this.ends[i]);
  }

  /** The arena's bytes that make the body. */
  body(buffer: Buffer): Buffer {
    return buffer.subarray(this.start, this.start + this.length);
  }

  /** Hashes what was appended since the last call, while it is still in the cache. Nothing before {@link length} may change after. */
  absorb(buffer: Buffer): void {
    this.#hash.update(buffer.subarray(this.start + this.#hashed, this.start + this.length));
    this.#hashed = this.length;
  }

  /** Completes the body's SHA-256, which the signature covers. Once: a request that is sent again has the same body. */
  seal(buffer: Buffer): void {
    this.absorb(buffer);
    this.sha256 = this.#hash.digest('hex');
  }
}
