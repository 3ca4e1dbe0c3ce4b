/**
 * What a lane remembers of partition keys: hash key, shard, and the index in the aggregate that is open now. Lane worker.
 *
 * Senders repeat their keys. A key that is found here costs some 30 ns instead of an MD5 (150 ns), a search in the shard map
 * and a search in the aggregate's key table. It is a cache: open addressing over a fixed block of memory, at most
 * {@link probesMax} places per key, and where all are taken the first is overwritten. Forgetting a key costs time, never truth:
 * at worst an aggregate lists the key twice, which every KPL decoder accepts.
 *
 * ```
 *  place (24 words)  0 length in bytes (0: free; negative: a long key, known by its MD5)
 *                    1 shard    2 version of the shard map    3 aggregate    4 index in it
 *                    5..16 the key's bytes, zero-filled (long keys: 5..8 the MD5)
 *                    17..20 hash key
 * ```
 * What every event asks for stands in front: for keys of up to 12 bytes it is half a cache line.
 */
import { assert } from '../base/assert.ts';
import type { Arena } from '../ring/arena.ts';
import { hashKeyOfMd5 } from './hash-key.ts';
import { md5Short } from './md5.ts';

/** Words of one place, and what stands where in it. */
const placeWords = 24;
export const place = { length: 0, shard: 1, mapVersion: 2, aggregate: 3, index: 4, key: 5, hashKey: 17 } as const;

/** Longest key, in bytes, that is compared by its bytes: UUIDs and most identifiers. Longer ones are hashed each time. */
const keyBytesMax = 48;

/** Places looked at before one is overwritten. */
const probesMax = 8;

/** Masks of the last, partly used word of a key, by the number of bytes used; memory is little-endian on all targets. */
const lastWordMask = [0, 0xff, 0xffff, 0xffffff];

export class KeyTable {
  /** All places; {@link find} gives the index of a place's first word. Two views of the same memory. */
  readonly words: Int32Array;
  readonly unsigned: Uint32Array;
  readonly #arena: Arena;
  readonly #arenaWords: Int32Array;
  readonly #mask: number;
  readonly #digest = new Uint32Array(4);

  /** `places`: a power of two; 96 bytes of memory each, touched as keys come. */
  constructor(arena: Arena, places: number) {
    assert(places >= probesMax && (places & (places - 1)) === 0, 'the number of places is a power of two');
    this.words = new Int32Array(places * placeWords);
    this.unsigned = new Uint32Array(this.words.buffer);
    this.#arena = arena;
    this.#arenaWords = arena.words;
    this.#mask = places - 1;
  }

  /** The place of the key at `offset` (aligned to 4) of the arena: found, or filled with its hash key and no shard. */
  find(offset: number, length: number): number {
    if (length > keyBytesMax) return this.#findLong(offset, length);
    const source = this.#arenaWords;
    const places = this.words;
    const first = offset >>> 2;
    const full = length >>> 2;
    let hash = length;
    for (let i = 0; i < full; i++) hash = mix(hash ^ (source[first + i] as number));
    const rest = length & 3;
    const last = rest === 0 ? 0 : (source[first + full] as number) & (lastWordMask[rest] as number);
    if (rest !== 0) hash = mix(hash ^ last);
    hash ^= hash >>> 15;

    let slot = hash & this.#mask;
    for (let probe = 0; probe < probesMax; probe++) {
      const base = slot * placeWords;
      const held = places[base] as number;
      if (held === 0) return this.#fill(base, offset, length, full, last);
      if (held === length && (rest === 0 || places[base + place.key + full] === last)) {
        let i = 0;
        while (i < full && places[base + place.key + i] === source[first + i]) i++;
        if (i === full) return base;
      }
      slot = (slot + 1) & this.#mask;
    }
    return this.#fill((hash & this.#mask) * placeWords, offset, length, full, last);
  }

  #fill(base: number, offset: number, length: number, full: number, last: number): number {
    const places = this.words;
    places[base] = length;
    for (let i = 0; i < full; i++) places[base + place.key + i] = this.#arenaWords[(offset >>> 2) + i] as number;
    if ((length & 3) !== 0) places[base + place.key + full] = last;
    md5Short(this.#arena.bytes, offset, length, this.#digest, 0);
    return this.#found(base);
  }

  /** A place that now belongs to the key of {@link #digest}. */
  #found(base: number): number {
    hashKeyOfMd5(this.#digest, 0, this.unsigned, base + place.hashKey);
    this.words[base + place.mapVersion] = 0;
    this.words[base + place.aggregate] = 0;
    return base;
  }

  #findLong(offset: number, length: number): number {
    const places = this.unsigned;
    const digest = this.#digest;
    md5Short(this.#arena.bytes, offset, length, digest, 0);
    const home = (digest[0] as number) & this.#mask;
    for (let probe = 0; probe < probesMax; probe++) {
      const base = ((home + probe) & this.#mask) * placeWords;
      const held = this.words[base] as number;
      if (held === 0) return this.#fillLong(base, length);
      if (held !== -length) continue;
      let i = 0;
      while (i < 4 && places[base + place.key + i] === digest[i]) i++;
      if (i === 4) return base;
    }
    return this.#fillLong(home * placeWords, length);
  }

  #fillLong(base: number, length: number): number {
    this.words[base] = -length;
    for (let i = 0; i < 4; i++) this.unsigned[base + place.key + i] = this.#digest[i] as number;
    return this.#found(base);
  }
}

/** One round of a multiplicative hash; only the spread over places depends on it. */
function mix(value: number): number {
  const product = Math.imul(value, 0x9e3779b1);
  return product ^ (product >>> 13);
}
