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
import { compareHashKeys, hashKeyOfBytes, hashKeyWords } from './hash-key.ts';
import { KeyTable, place } from './key-table.ts';
import { envelopeBytes, magic } from './kpl.ts';
import { groupMax, type Md5Group } from './md5-group.ts';
import { type Gate, type RecordSink, taken } from './record-sink.ts';
import type { ShardRanges } from './shard-ranges.ts';

/** Bytes that one event's tags, lengths and indexes take in an aggregate at the most, beside key and data. */
const eventOverheadBytes = 40;

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
  #aggregates = false;
  readonly #gate: Gate;
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
    gate: Gate,
    sink: RecordSink,
  ) {
    this.#gate = gate;
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

  /**
   * The shard map from now on, and whether events may share a record. Undefined: none is known; then nothing is aggregated and
   * the gate is not asked. Flush, or take back, before.
   */
  setRanges(ranges: ShardRanges | undefined, aggregates: boolean): void {
    this.#ranges = ranges;
    this.#aggregates = aggregates;
    this.#open = [];
  }

  get openCount(): number {
    return this.#openOrder.length;
  }

  /** Records that are closed and not handed on. */
  get pendingRecords(): number {
    return this.#pending.length;
  }

  /**
   * Adds the ring entry at `offset`, and answers {@link taken}; or the index of its shard when it must wait for it, because no record
   * may be begun now or, unless `waited`, because others wait. Completes at most one record, which is pending or handed to the sink.
   */
  add(offset: number, waited: boolean): number {
    const words = this.#arena.words;
    const keyWord = words[(offset + entry.key) >>> 2] as number;
    const explicit = (keyWord & flagHashKey) !== 0;
    const payload = words[(offset + entry.length) >>> 2] as number;
    const keyPlace = this.#keys.find(offset + entry.payload + (explicit ? 16 : 0), keyWord & 0xffff);
    const ranges = this.#ranges;
    if (ranges === undefined) {
      this.#single(offset, keyPlace, explicit, -1);
      return taken;
    }
    const shard = explicit ? this.#explicitShard(offset, ranges) : this.#shardOf(keyPlace, ranges);
    if (!waited && (this.#gate.waiting[shard] as number) > 0) return shard;
    if (!this.#aggregates || payload + envelopeBytes + eventOverheadBytes > this.#bytesMax) {
      if (!this.#gate.mayOpen(shard)) return shard;
      this.#gate.opened(shard);
      this.#single(offset, keyPlace, explicit, shard);
      return taken;
    }
    const open = this.#open[shard];
    if (open !== undefined) {
      if (open.add(offset, this.#keys, keyPlace)) return taken;
      this.#openOrder.splice(this.#openOrder.indexOf(open), 1);
      this.#open[shard] = undefined;
      this.#close(open);
    }
    if (!this.#gate.mayOpen(shard)) return shard;
    this.#openFor(shard).add(offset, this.#keys, keyPlace);
    return taken;
  }

  /** Closes the aggregate that is open longest. False when none is open. */
  flushOne(): boolean {
    const oldest = this.#openOrder.shift();
    if (oldest === undefined) return false;
    this.#open[oldest.shard] = undefined;
    this.#close(oldest);
    return true;
  }

  /** Gives up all open aggregates; returns their events, those of each aggregate in their order. */
  takeBack(): Uint32Array[] {
    return this.#openOrder.splice(0).map((open) => {
      this.#free.push(open);
      this.#open[open.shard] = undefined;
      return open.offsets.slice(0, open.count);
    });
  }

  /** Forgets everything: what is open and what is pending. */
  discard(): void {
    this.takeBack();
    this.#free.push(...this.#pending.splice(0));
    this.pendingBytes = 0;
  }

  /** Whether the entry at `offset` belongs to the shard with this range (first and last hash key, two times four words). */
  isInside(offset: number, range: Uint32Array): boolean {
    const keyWord = this.#arena.words[(offset + entry.key) >>> 2] as number;
    let words: Uint32Array = this.#explicit;
    let index = 0;
    if ((keyWord & flagHashKey) !== 0) {
      hashKeyOfBytes(this.#arena.bytes, offset + entry.payload, words, 0);
    } else {
      index = this.#keys.find(offset + entry.payload, keyWord & 0xffff) + place.hashKey;
      words = this.#keys.unsigned;
    }
    return compareHashKeys(range, 0, words, index) <= 0 && compareHashKeys(words, index, range, hashKeyWords) <= 0;
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

  #single(offset: number, keyPlace: number, explicit: boolean, shard: number): void {
    if (explicit) {
      hashKeyOfBytes(this.#arena.bytes, offset + entry.payload, this.#explicit, 0);
      this.#sink.single(offset, this.#explicit, 0, shard);
    } else {
      this.#sink.single(offset, this.#keys.unsigned, keyPlace + place.hashKey, shard);
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
    aggregate.open(shard, this.#stamp, this.#gate.opened(shard));
    this.#open[shard] = aggregate;
    return aggregate;
  }

  /** One event alone goes without the envelope, unless its data could be taken for an envelope. */
  #close(aggregate: Aggregate): void {
    const first = aggregate.offsets[0] as number;
    if (aggregate.count === 1 && !this.#looksAggregated(first)) {
      this.#sink.single(first, aggregate.hashKey, 0, aggregate.shard);
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
