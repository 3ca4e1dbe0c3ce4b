/**
 * Sorts a stream's events into one open aggregate per shard and hands full ones on as records. Lane worker; called by the
 * delivery loop for every event. Pure but for the arena.
 *
 * An aggregate holds events of one shard only (by the shard map), because consumers drop a whole aggregate when one of its
 * events belongs elsewhere. While no shard map is known, and for events that are too large to share a record, each event goes
 * as a record of its own.
 */
import { aggregatePlaceBytes } from '../base/limits.ts';
import type { Arena } from '../ring/arena.ts';
import { entry, flagHashKey } from '../ring/layout.ts';
import { Aggregate } from './aggregate.ts';
import { hashKeyOfBytes, hashKeyWords } from './hash-key.ts';
import { KeyTable, place } from './key-table.ts';
import { envelopeBytes, magic } from './kpl.ts';
import type { ShardRanges } from './shard-ranges.ts';

/** Bytes that one event's tags, lengths and indexes take in an aggregate at the most, beside key and data. */
const eventOverheadBytes = 40;

/** Takes completed records. Each call needs room for one more record of the greatest size; the aggregator's caller sees to it. */
export interface RecordSink {
  /** A closed aggregate: the record lies at `dataOffset`, its events are `aggregate.offsets[0 .. count)`. */
  aggregated(aggregate: Aggregate, dataOffset: number, dataLength: number): void;
  /** One event as a record of its own: the ring entry at `offset`. `hashKey` is where it goes. */
  single(offset: number, hashKeys: Uint32Array, hashKeyIndex: number): void;
}

/** Keys that a lane remembers per stream; 96 bytes each, touched as keys come. */
const keyPlaces = 32_768;

export class Aggregator {
  readonly #arena: Arena;
  readonly #sink: RecordSink;
  readonly #bytesMax: number;
  readonly #keys: KeyTable;
  readonly #free: Aggregate[] = [];
  /** Open aggregates by shard index. */
  #open: (Aggregate | undefined)[] = [];
  /** The same in the order of their opening. Short: one per shard with traffic, at most as many as there are places. */
  readonly #openOrder: Aggregate[] = [];
  #ranges: ShardRanges | undefined;
  #stamp = 0;
  readonly #explicit = new Uint32Array(hashKeyWords);

  /**
   * `area`: where aggregates are built; as many of `bytesMax` as fit can be open at once. With more shards than that, the
   * aggregate that is open longest is closed early.
   */
  constructor(
    arena: Arena,
    area: { readonly offset: number; readonly length: number },
    bytesMax: number,
    sink: RecordSink,
  ) {
    this.#arena = arena;
    this.#sink = sink;
    this.#bytesMax = bytesMax;
    this.#keys = new KeyTable(arena, keyPlaces);
    const placeBytes = aggregatePlaceBytes(bytesMax);
    for (let i = 0; i < Math.floor(area.length / placeBytes); i++) {
      this.#free.push(new Aggregate(arena, area.offset + i * placeBytes, bytesMax));
    }
  }

  /** The shard map from now on; undefined: none is known (or none may be used), nothing is aggregated. Flush before. */
  setRanges(ranges: ShardRanges | undefined): void {
    this.#ranges = ranges;
    this.#open = [];
  }

  get openCount(): number {
    return this.#openOrder.length;
  }

  /** Adds the ring entry at `offset`. Hands at most one record to the sink. */
  add(offset: number): void {
    const words = this.#arena.words;
    const keyWord = words[(offset + entry.key) >>> 2] as number;
    const explicit = (keyWord & flagHashKey) !== 0;
    const payload = words[(offset + entry.length) >>> 2] as number;
    const keyPlace = this.#keys.find(offset + entry.payload + (explicit ? 16 : 0), keyWord & 0xffff);
    const ranges = this.#ranges;
    if (ranges === undefined || payload + envelopeBytes + eventOverheadBytes > this.#bytesMax) {
      this.#single(offset, keyPlace, explicit);
      return;
    }
    const shard = explicit ? this.#explicitShard(offset, ranges) : this.#shardOf(keyPlace, ranges);
    let open = this.#open[shard];
    if (open === undefined) open = this.#openFor(shard);
    if (open.add(offset, this.#keys, keyPlace)) return;
    this.#close(open);
    this.#reopen(open, shard);
    open.add(offset, this.#keys, keyPlace);
  }

  /** Closes the aggregate that is open longest. False when none is open. Hands one record to the sink. */
  flushOne(): boolean {
    const oldest = this.#openOrder.shift();
    if (oldest === undefined) return false;
    this.#close(oldest);
    this.#open[oldest.shard] = undefined;
    this.#free.push(oldest);
    return true;
  }

  #shardOf(keyPlace: number, ranges: ShardRanges): number {
    const places = this.#keys.words;
    if (places[keyPlace + place.mapVersion] === ranges.version) return places[keyPlace + place.shard] as number;
    const shard = ranges.find(this.#keys.unsigned, keyPlace + place.hashKey);
    places[keyPlace + place.shard] = shard;
    places[keyPlace + place.mapVersion] = ranges.version;
    return shard;
  }

  #explicitShard(offset: number, ranges: ShardRanges): number {
    hashKeyOfBytes(this.#arena.bytes, offset + entry.payload, this.#explicit, 0);
    return ranges.find(this.#explicit, 0);
  }

  #single(offset: number, keyPlace: number, explicit: boolean): void {
    if (explicit) {
      hashKeyOfBytes(this.#arena.bytes, offset + entry.payload, this.#explicit, 0);
      this.#sink.single(offset, this.#explicit, 0);
    } else {
      this.#sink.single(offset, this.#keys.unsigned, keyPlace + place.hashKey);
    }
  }

  #openFor(shard: number): Aggregate {
    if (this.#free.length === 0) this.flushOne();
    const aggregate = this.#free.pop() as Aggregate;
    this.#openOrder.push(aggregate);
    this.#begin(aggregate, shard);
    return aggregate;
  }

  /** An aggregate that was closed because it was full starts again for the same shard, as the youngest. */
  #reopen(aggregate: Aggregate, shard: number): void {
    this.#openOrder.splice(this.#openOrder.indexOf(aggregate), 1);
    this.#openOrder.push(aggregate);
    this.#begin(aggregate, shard);
  }

  #begin(aggregate: Aggregate, shard: number): void {
    this.#stamp = this.#stamp === 0x7fff_ffff ? 1 : this.#stamp + 1;
    aggregate.open(shard, this.#stamp);
    this.#open[shard] = aggregate;
  }

  /** One event alone goes without the envelope, unless its data could be taken for an envelope. */
  #close(aggregate: Aggregate): void {
    const first = aggregate.offsets[0] as number;
    if (aggregate.count === 1 && !this.#looksAggregated(first)) {
      this.#sink.single(first, aggregate.hashKey, 0);
      return;
    }
    const dataOffset = aggregate.close();
    this.#sink.aggregated(aggregate, dataOffset, aggregate.closedLength);
  }

  #looksAggregated(offset: number): boolean {
    const { words, bytes } = this.#arena;
    const keyWord = words[(offset + entry.key) >>> 2] as number;
    const data = offset + entry.payload + ((keyWord & flagHashKey) === 0 ? 0 : 16) + (keyWord & 0xffff);
    const length = offset + entry.payload + (words[(offset + entry.length) >>> 2] as number) - data;
    if (length <= envelopeBytes) return false;
    for (let i = 0; i < magic.length; i++) if (bytes[data + i] !== magic[i]) return false;
    return true;
  }
}
