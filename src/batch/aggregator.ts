/**
 * Sorts a stream's events into one open aggregate per shard and hands full ones on as records. Lane worker; called by the
 * delivery loop for every event. Pure but for the arena.
 *
 * An aggregate holds events of one shard only (by the shard map), because consumers drop a whole aggregate when one of its
 * events belongs elsewhere. While no shard map is known, and for events that are too large to share a record, each event goes
 * as a record of its own.
 *
 * Closed aggregates wait until there are {@link groupMax} of them, or until {@link Aggregator.finish}: their MD5s are computed
 * together, at a quarter of the cost of one by one.
 */
import { aggregatePlaceBytes } from '../base/limits.ts';
import type { Arena } from '../ring/arena.ts';
import { entry, flagHashKey } from '../ring/layout.ts';
import { Aggregate } from './aggregate.ts';
import { hashKeyOfBytes, hashKeyWords } from './hash-key.ts';
import { KeyTable, place } from './key-table.ts';
import { envelopeBytes, magic } from './kpl.ts';
import { groupMax, type Md5Group } from './md5-group.ts';
import type { ShardRanges } from './shard-ranges.ts';

/** Bytes that one event's tags, lengths and indexes take in an aggregate at the most, beside key and data. */
const eventOverheadBytes = 40;

/** Takes completed records. The aggregator's caller keeps room for those that it has pending, and for one more. */
export interface RecordSink {
  /** A complete aggregate; its events are `aggregate.offsets[0 .. count)`. */
  aggregated(aggregate: Aggregate): void;
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
  readonly #md5: Md5Group;
  readonly #free: Aggregate[] = [];
  /** Closed aggregates whose MD5 is not computed yet. */
  readonly #pending: Aggregate[] = [];
  /** Bytes of the records that are closed and not handed on. */
  pendingBytes = 0;
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
    md5: Md5Group,
    sink: RecordSink,
  ) {
    this.#arena = arena;
    this.#md5 = md5;
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

  /** Records that are closed and not handed on. */
  get pendingRecords(): number {
    return this.#pending.length;
  }

  /** Adds the ring entry at `offset`. Completes at most one record, which is pending or handed to the sink. */
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
    this.#openOrder.splice(this.#openOrder.indexOf(open), 1);
    this.#close(open);
    this.#openFor(shard).add(offset, this.#keys, keyPlace);
  }

  /** Closes the aggregate that is open longest. False when none is open. */
  flushOne(): boolean {
    const oldest = this.#openOrder.shift();
    if (oldest === undefined) return false;
    this.#open[oldest.shard] = undefined;
    this.#close(oldest);
    return true;
  }

  /** Hands all pending records to the sink. */
  finish(): void {
    for (const aggregate of this.#pending) aggregate.enterMd5(this.#md5);
    this.#md5.digest();
    for (const aggregate of this.#pending) {
      this.#sink.aggregated(aggregate);
      this.#free.push(aggregate);
    }
    this.#pending.length = 0;
    this.pendingBytes = 0;
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
    if (this.#free.length === 0) {
      if (this.#pending.length === 0) this.flushOne();
      this.finish();
    }
    const aggregate = this.#free.pop() as Aggregate;
    this.#openOrder.push(aggregate);
    this.#stamp = this.#stamp === 0x7fff_ffff ? 1 : this.#stamp + 1;
    aggregate.open(shard, this.#stamp);
    this.#open[shard] = aggregate;
    return aggregate;
  }

  /** One event alone goes without the envelope, unless its data could be taken for an envelope. */
  #close(aggregate: Aggregate): void {
    const first = aggregate.offsets[0] as number;
    if (aggregate.count === 1 && !this.#looksAggregated(first)) {
      this.#sink.single(first, aggregate.hashKey, 0);
      this.#free.push(aggregate);
      return;
    }
    aggregate.close();
    this.#pending.push(aggregate);
    this.pendingBytes += aggregate.recordLength + 1;
    if (this.#pending.length === groupMax) this.finish();
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
