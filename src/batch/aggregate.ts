/**
 * One KPL aggregate while it fills. Lane worker; created and filled by the aggregator, one per shard that has open events.
 *
 * It is built in place in its piece of the arena, so that each event's data is copied once, from the ring to where the record
 * will be read from. The partition keys belong before the records but become known with them; they grow in a table of their
 * own and are moved in front of the records when the aggregate is closed.
 *
 * ```
 *   start                 start + half           records
 *   | key table, growing →  | (room for the moved  | records, growing →           | MD5 |
 *   |                       |  magic + tables) ←   |                              |
 * ```
 */
import { assert } from '../base/assert.ts';
import type { Arena } from '../ring/arena.ts';
import { entry, flagHashKey } from '../ring/layout.ts';
import { formatHashKey, hashKeyOfBytes, hashKeyWords } from './hash-key.ts';
import { type KeyTable, place } from './key-table.ts';
import { envelopeBytes, magic, tag, varintBytes, writeVarint } from './kpl.ts';
import type { Md5Group } from './md5-group.ts';

/** Events that one aggregate may hold, whatever their size: bounds the list of their offsets (256 KiB of memory). */
export const aggregateEventsMax = 65_536;

export class Aggregate {
  /** Offsets in the arena of the ring entries inside, in order; the first {@link count} are valid. */
  offsets = new Uint32Array(1024);
  count = 0;
  /** Identifies this filling in the key table; never 0, never the same twice within 2^31 fillings. */
  stamp = 0;
  shard = -1;
  /** Where the record lies in the arena, and its bytes; valid from {@link close} on. */
  recordOffset = 0;
  recordLength = 0;
  /** Hash key of the first event: where the whole record goes. */
  readonly hashKey = new Uint32Array(hashKeyWords);

  readonly #arena: Arena;
  readonly #start: number;
  readonly #bytesMax: number;
  readonly #records: number;
  #bytesMost = 0;
  #keysEnd = 0;
  #keyCount = 0;
  #recordsEnd = 0;
  #hashKeys: string[] = [];
  #hashKeyBytes = 0;

  constructor(arena: Arena, start: number, bytesMax: number) {
    this.#arena = arena;
    this.#start = start;
    this.#bytesMax = bytesMax;
    this.#records = start + bytesMax + 32;
  }

  /** `bytesMost`: the size at which it is full, if that is less than its place holds. */
  open(shard: number, stamp: number, bytesMost: number): void {
    this.#bytesMost = Math.min(bytesMost, this.#bytesMax);
    this.count = 0;
    this.shard = shard;
    this.stamp = stamp;
    this.#keysEnd = this.#start;
    this.#keyCount = 0;
    this.#recordsEnd = this.#records;
    this.#hashKeys = [];
    this.#hashKeyBytes = 0;
  }

  /**
   * Adds the ring entry at `offset`, whose key stands at `keyPlace` of `keys`. False, and nothing changed, when the aggregate
   * would exceed its size: close it first. An empty aggregate takes any event that fits a record by itself.
   */
  add(offset: number, keys: KeyTable, keyPlace: number): boolean {
    const { words, bytes, copy } = this.#arena;
    const keyWord = words[(offset + entry.key) >>> 2] as number;
    const keyLength = keyWord & 0xffff;
    const ehkLength = (keyWord & flagHashKey) === 0 ? 0 : 16;
    const keyOffset = offset + entry.payload + ehkLength;
    const dataLength = (words[(offset + entry.length) >>> 2] as number) - ehkLength - keyLength;
    const known = keys.words[keyPlace + place.aggregate] === this.stamp;
    const index = known ? (keys.words[keyPlace + place.index] as number) : this.#keyCount;
    let body = 2 + varintBytes(index) + varintBytes(dataLength) + dataLength;
    let ehkIndex = -1;
    let ehkText = '';
    if (ehkLength !== 0) {
      ehkText = this.#hashKeyText(offset + entry.payload);
      ehkIndex = this.#hashKeys.indexOf(ehkText);
      body += 1 + varintBytes(ehkIndex < 0 ? this.#hashKeys.length : ehkIndex);
    }
    const keyBytes = known ? 0 : 1 + varintBytes(keyLength) + keyLength;
    const ehkBytes = ehkText !== '' && ehkIndex < 0 ? 2 + ehkText.length : 0;
    const recordBytes = 1 + varintBytes(body) + body;
    if (this.#wouldExceed(recordBytes, keyBytes, ehkBytes)) return false;

    if (!known) {
      bytes[this.#keysEnd] = tag.partitionKey;
      const at = writeVarint(bytes, this.#keysEnd + 1, keyLength);
      copy(at, keyOffset, keyLength);
      this.#keysEnd = at + keyLength;
      keys.words[keyPlace + place.aggregate] = this.stamp;
      keys.words[keyPlace + place.index] = index;
      this.#keyCount++;
    }
    if (ehkBytes !== 0) {
      ehkIndex = this.#hashKeys.push(ehkText) - 1;
      this.#hashKeyBytes += ehkBytes;
    }
    let at = this.#recordsEnd;
    bytes[at] = tag.record;
    at = writeVarint(bytes, at + 1, body);
    bytes[at] = tag.partitionKeyIndex;
    at = writeVarint(bytes, at + 1, index);
    if (ehkLength !== 0) {
      bytes[at] = tag.explicitHashKeyIndex;
      at = writeVarint(bytes, at + 1, ehkIndex);
    }
    bytes[at] = tag.data;
    at = writeVarint(bytes, at + 1, dataLength);
    copy(at, keyOffset + keyLength, dataLength);
    this.#recordsEnd = at + dataLength;
    this.#list(offset);
    if (this.count === 1) {
      if (ehkLength !== 0) hashKeyOfBytes(bytes, offset + entry.payload, this.hashKey, 0);
      else
        for (let i = 0; i < hashKeyWords; i++) this.hashKey[i] = keys.unsigned[keyPlace + place.hashKey + i] as number;
    }
    return true;
  }

  #wouldExceed(recordBytes: number, keyBytes: number, ehkBytes: number): boolean {
    if (this.count === 0) return false;
    const tables = this.#keysEnd - this.#start + keyBytes + this.#hashKeyBytes + ehkBytes;
    const records = this.#recordsEnd - this.#records + recordBytes;
    return (
      envelopeBytes + 1 + tables + records > this.#bytesMost ||
      tables > this.#bytesMax / 2 ||
      this.count === aggregateEventsMax
    );
  }

  #hashKeyText(offset: number): string {
    hashKeyOfBytes(this.#arena.bytes, offset, scratchHashKey, 0);
    return formatHashKey(scratchHashKey, 0);
  }

  #list(offset: number): void {
    if (this.count === this.offsets.length) {
      const longer = new Uint32Array(2 * this.offsets.length);
      longer.set(this.offsets);
      this.offsets = longer;
    }
    this.offsets[this.count++] = offset;
  }

  /** Completes the record in place, but for its MD5: see {@link enterMd5}. */
  close(): void {
    const { buffer, copy, bytes } = this.#arena;
    assert(this.count > 0, 'an aggregate holds at least one event');
    let protobuf = this.#records;
    for (let i = this.#hashKeys.length - 1; i >= 0; i--) {
      const text = this.#hashKeys[i] as string;
      protobuf -= text.length + 2;
      bytes[protobuf] = tag.explicitHashKey;
      bytes[protobuf + 1] = text.length;
      buffer.write(text, protobuf + 2, 'latin1');
    }
    const keysLength = this.#keysEnd - this.#start;
    protobuf -= keysLength;
    copy(protobuf, this.#start, keysLength);
    const start = protobuf - magic.length;
    bytes.set(magic, start);
    this.recordOffset = start;
    this.recordLength = this.#recordsEnd + 16 - start;
  }

  /** Has the closed record's MD5 written by the group's next digest. */
  enterMd5(group: Md5Group): void {
    group.add(this.recordOffset + magic.length, this.#recordsEnd);
  }
}

const scratchHashKey = new Uint32Array(hashKeyWords);
