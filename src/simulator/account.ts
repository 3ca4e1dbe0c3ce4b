/**
 * The simulated account: its streams by name, and the memory that their kept records may take together. One per simulator.
 * When a record would exceed that memory, the oldest records of all streams make room; their number is in the stats.
 */

import { unpackAsConsumer } from './consumer.ts';
import { Fifo } from './fifo.ts';
import type { KeptRecord, Shard } from './shard.ts';
import { type Distribution, Stream, type StreamMode } from './stream.ts';
import { ApiError } from './wire.ts';

export const accountId = '000000000000';
export const region = 'us-east-1';

/** What a kept record costs beside its data: objects, strings, queue entries. An estimate on the high side, in bytes. */
const recordOverheadBytes = 400;

export interface StreamSpec {
  readonly name: string;
  /** 1 unless given. */
  readonly shards?: number;
  /** 1024 unless given. */
  readonly maxRecordSizeInKiB?: number;
  /** PROVISIONED unless given. */
  readonly mode?: StreamMode;
  /** USER_PARTITION_KEY unless given; AUTO on an on-demand stream only. */
  readonly distribution?: Distribution;
}

/** How requests name a stream: by either. */
export interface StreamReference {
  readonly StreamName?: string;
  readonly StreamARN?: string;
}

/** Events for consumers that one call has stored: a call writes to one stream at most. */
export interface Stored {
  readonly stream: Stream;
  events: number;
}

export const maxRecordSizeInKiBDefault = 1_024;

export class Account {
  readonly #streams = new Map<string, Stream>();
  /** Of deleted streams, by name: the last second in their sequence numbers, which none of the next may have. */
  readonly #spentSeconds = new Map<string, number>();
  readonly #autoCreate: boolean;
  readonly #keepBytes: number;
  readonly #oldest = new Fifo<KeptRecord>();
  #keptBytes = 0;
  /** By the call that is running. */
  #stored: Stored | undefined;

  constructor(streams: readonly StreamSpec[], autoCreate: boolean, keepBytes: number) {
    this.#autoCreate = autoCreate;
    this.#keepBytes = keepBytes;
    for (const spec of streams) this.create(spec);
  }

  /** Throws ResourceInUseException. */
  create(spec: StreamSpec): Stream {
    const { name, shards = 1, maxRecordSizeInKiB = maxRecordSizeInKiBDefault } = spec;
    const { mode = 'PROVISIONED', distribution = 'USER_PARTITION_KEY' } = spec;
    if (this.#streams.has(name)) {
      throw new ApiError('ResourceInUseException', `Stream ${name} under account ${accountId} already exists.`);
    }
    const arn = `arn:aws:kinesis:${region}:${accountId}:stream/${name}`;
    const nowMs = Date.now();
    const numberSecond = Math.max(Math.floor(nowMs / 1_000), (this.#spentSeconds.get(name) ?? 0) + 1);
    const birth = { openedMs: nowMs, numberSecond, parents: [] };
    const stream = new Stream(name, arn, shards, { mode, maxRecordSizeInKiB, distribution }, birth);
    this.#streams.set(name, stream);
    return stream;
  }

  /** The stream that a validated request names; of an ARN, only its name counts. Throws ResourceNotFoundException. */
  resolve(request: StreamReference): Stream {
    const { name, stream } = this.lookUp(request);
    if (stream !== undefined) return stream;
    throw new ApiError('ResourceNotFoundException', `Stream ${name} under account ${accountId} not found.`);
  }

  /** The name in a validated request, and the stream of that name, where there is one or it is to be made. */
  lookUp(request: StreamReference): { readonly name: string; readonly stream: Stream | undefined } {
    const { StreamName, StreamARN } = request;
    const name = StreamName ?? (StreamARN ?? '').slice((StreamARN ?? '').lastIndexOf('/') + 1);
    const stream = this.#streams.get(name) ?? (this.#autoCreate ? this.create({ name }) : undefined);
    return { name, stream };
  }

  find(name: string): Stream | undefined {
    return this.#streams.get(name);
  }

  delete(stream: Stream): void {
    this.#streams.delete(stream.name);
    this.#spentSeconds.set(stream.name, stream.numberSecond);
    stream.forget();
  }

  /** All streams, by name. */
  list(): readonly Stream[] {
    return [...this.#streams.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Keeps a record that `shard` has taken under `counter`. `data` must not be shared with a buffer that is used again. */
  keep(
    shard: Shard,
    counter: number,
    partitionKey: string,
    explicitHashKey: string | undefined,
    data: Buffer,
    arrivalMs: number,
  ): void {
    const { stream } = shard;
    const unpacked = unpackAsConsumer(data, partitionKey, explicitHashKey, shard.startingHash, shard.endingHash);
    if (unpacked.aggregate) stream.aggregates++;
    // The KCL drops every aggregate of a stream whose records stand in shards that their keys do not tell.
    const events = unpacked.aggregate && stream.distribution === 'AUTO' ? 0 : unpacked.events.length;
    const dropped = unpacked.dropped + unpacked.events.length - events;
    if (dropped > 0) {
      stream.droppedAggregates++;
      stream.droppedEvents += dropped;
    }
    const n = stream.nextEvent;
    stream.nextEvent += events;
    this.#stored ??= { stream, events: 0 };
    this.#stored.events += events;
    const record: KeptRecord = { shard, n, events, counter, partitionKey, explicitHashKey, data, arrivalMs };
    this.#keptBytes += keptBytesOf(record);
    stream.kept.push(record);
    shard.kept.push(record);
    this.#oldest.push(record);
    while (this.#keptBytes > this.#keepBytes) this.#evict();
  }

  /** What the call that has just run has stored; asked once for each call. */
  takeStored(): Stored | undefined {
    const stored = this.#stored;
    this.#stored = undefined;
    return stored;
  }

  #evict(): void {
    const record = this.#oldest.shift();
    if (record === undefined) return;
    this.#keptBytes -= keptBytesOf(record);
    const { shard } = record;
    // A deleted stream's records are still in the common queue, but no longer in its own.
    if (shard.kept.at(0) !== record) return;
    shard.kept.shift();
    shard.stream.kept.shift();
    shard.stream.evictedRecords++;
  }

  /** Forgets all records and counts, keeps the streams. */
  forget(): void {
    for (const stream of this.#streams.values()) stream.forget();
    this.#oldest.clear();
    this.#keptBytes = 0;
  }
}

function keptBytesOf(record: KeptRecord): number {
  return record.data.length + 2 * record.partitionKey.length + recordOverheadBytes;
}
