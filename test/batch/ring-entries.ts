/** Lays events out in an arena as a ring holds them. For tests of what reads them there; test processes only. */
import type { Arena } from '../../src/ring/arena.ts';
import { entry, flagHashKey } from '../../src/ring/layout.ts';

export class RingEntries {
  readonly #arena: Arena;
  #next: number;

  /** From `start` (aligned to 8) of the arena on. */
  constructor(arena: Arena, start: number) {
    this.#arena = arena;
    this.#next = start;
  }

  /** Offset of a new entry. */
  write(key: string, data: Uint8Array | string, hashKey: Uint8Array = Buffer.alloc(0)): number {
    const { words, bytes } = this.#arena;
    const payload = Buffer.concat([hashKey, Buffer.from(key), Buffer.from(data)]);
    const offset = this.#next;
    this.#next += (entry.payload + payload.length + 7) & -8;
    words[(offset + entry.length) >>> 2] = payload.length;
    words[(offset + entry.key) >>> 2] = Buffer.byteLength(key) | (hashKey.length === 0 ? 0 : flagHashKey);
    bytes.set(payload, offset + entry.payload);
    return offset;
  }
}
