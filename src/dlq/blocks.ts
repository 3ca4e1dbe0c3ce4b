/**
 * The memory in which entries wait for the disk: a pool of equal blocks of the arena, shared by both series. Main thread.
 *
 * A unit is what one write takes: one block full of whole entries, or a chain of blocks with a single entry that is larger
 * than a block. A unit begins and ends with an entry, so it can move to another segment when a write fails. Written blocks
 * are kept until they are synced, and given back earlier (oldest first) only when the pool runs dry and the policy allows.
 */
import { assert } from '../base/assert.ts';
import { frameEntriesBytesMax, frameOverheadBytes } from './frames.ts';
import type { Kind } from './layout.ts';
import type { BlockArea } from './options.ts';
import { type Tally, tallyOf } from './tally.ts';

/** Neighbouring entries of a unit that are encrypted together. */
export interface UnitFrame {
  /** Bytes of its entries. */
  length: number;
  readonly firstSequence: number;
  lastSequence: number;
}

/** What one write takes. Mutable: one object per block, reused by nobody. */
export interface Unit {
  /** Arena offsets of its blocks, in order; empty once they were given back. */
  blocks: number[];
  /** Bytes of entries; all blocks but the last are full. */
  length: number;
  /** All of its entries, in order; empty: they are written in clear. */
  readonly frames: UnitFrame[];
  firstSequence: number;
  lastSequence: number;
  /** First-seen time of its oldest event, in microseconds. */
  oldestUs: number;
  /** That of its youngest. */
  newestUs: number;
  /** The segment before it is closed before this unit is written. */
  readonly startsSegment: boolean;
  /** The header of the segment that it starts has its place already. */
  isHeaderCounted: boolean;
  /** Where it was written in its segment. */
  position: number;
  readonly tally: Tally;
}

export function newUnit(kind: Kind, blocks: number[], startsSegment: boolean, streams: number): Unit {
  return {
    blocks,
    length: 0,
    frames: [],
    firstSequence: 0,
    lastSequence: 0,
    oldestUs: Number.POSITIVE_INFINITY,
    newestUs: 0,
    startsSegment,
    isHeaderCounted: startsSegment,
    position: 0,
    tally: tallyOf(kind, streams),
  };
}

/** What it takes in a segment. */
export function unitBytes({ length, frames }: Unit): number {
  return length + frames.length * frameOverheadBytes;
}

/** Puts the entry that comes next, of `bytes`, into a frame. Returns what a new one adds. */
export function addToFrames({ frames }: Unit, bytes: number, sequence: number): number {
  const last = frames[frames.length - 1];
  if (last !== undefined && last.length + bytes <= frameEntriesBytesMax) {
    last.length += bytes;
    last.lastSequence = sequence;
    return 0;
  }
  frames.push({ length: bytes, firstSequence: sequence, lastSequence: sequence });
  return frameOverheadBytes;
}

export class BlockPool {
  readonly blockBytes: number;
  readonly count: number;
  readonly #free: number[] = [];
  readonly #reclaimers: (() => boolean)[] = [];
  #waiting: (() => void)[] = [];

  constructor(area: BlockArea) {
    assert(area.offset > 0 && area.offset % 8 === 0 && area.length % 8 === 0, 'blocks are aligned to 8 bytes');
    assert(area.length >= 512 && area.count >= 2, 'at least two blocks of at least 512 bytes');
    this.blockBytes = area.length;
    this.count = area.count;
    for (let index = area.count - 1; index >= 0; index--) this.#free.push(area.offset + index * area.length);
  }

  /** Registers a way to give back blocks that are written but not synced; it returns false when it has none. */
  onDry(reclaim: () => boolean): void {
    this.#reclaimers.push(reclaim);
  }

  /** Takes `count` blocks, or none: undefined. */
  take(count: number): number[] | undefined {
    while (this.#free.length < count) {
      if (!this.#reclaimers.some((reclaim) => reclaim())) return undefined;
    }
    return this.#free.splice(this.#free.length - count);
  }

  giveBack(unit: Unit): void {
    if (unit.blocks.length === 0) return;
    this.#free.push(...unit.blocks);
    unit.blocks = [];
    assert(this.#free.length <= this.count, 'no block is given back twice');
    this.wake();
  }

  /** Runs `resume` once when an append that was refused as busy may succeed, or be refused for another reason. */
  whenWritable(resume: () => void): void {
    this.#waiting.push(resume);
  }

  wake(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) queueMicrotask(resume);
  }
}
