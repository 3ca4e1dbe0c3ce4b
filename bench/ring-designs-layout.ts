/**
 * What the threads of bench/ring-designs agree on: where everything lies in the arena, how a frame looks, and what a worker is
 * started with. Both threads; moves no bytes itself.
 *
 * ```
 *  frame   +0 u32 data length, little-endian   +4 partition key (10 bytes)   +14 data
 * ```
 */
import { controlBytes, type RingPlace } from '../src/ring/layout.ts';
import type { ChunkPlace } from './ring-designs-chunks.ts';

export const blockBytes = 262_144;
export const keyBytes = 10;
export const frameHeaderBytes = 4 + keyBytes;

/** What each design may hold on its way to the consumers, all of them together. */
export const budgetBytes = 16 * 1024 * 1024;
/** A consumer's own area, where it gathers what it copied: of the size of an aggregate. */
export const gatherBytes = 1024 * 1024;

export type Design = 'copied' | 'copied by set' | 'chunks';

/** What one consumer thread is started with. */
export interface ConsumerStart {
  readonly memory: WebAssembly.Memory;
  readonly design: Design;
  readonly ring: RingPlace;
  readonly chunks: ChunkPlace;
  readonly gatherOffset: number;
  /** Offset of its three words of control: +0 asleep, +4 events finished, +8 checksum. */
  readonly reportOffset: number;
}

export interface Plan {
  readonly design: Design;
  readonly consumers: number;
  readonly eventBytes: number;
  readonly events: number;
}

/** Offsets of everything, one part after the other, each aligned to 4 KiB. */
export interface Places {
  readonly arenaBytes: number;
  /** Where blocks land: one that is used again and again, or the slab of all chunks. */
  readonly landingOffset: number;
  readonly blocks: number;
  readonly starts: readonly Omit<ConsumerStart, 'memory'>[];
}

export function placesOf(plan: Plan): Places {
  let end = 4096;
  const take = (bytes: number): number => {
    const offset = end;
    end += (bytes + 4095) & -4096;
    return offset;
  };
  const blocks = plan.design === 'chunks' ? budgetBytes / blockBytes : 1;
  const landingOffset = take(blocks * blockBytes);
  const slots = 2 ** Math.ceil(Math.log2(budgetBytes / (frameHeaderBytes + plan.eventBytes)));
  const starts = Array.from({ length: plan.consumers }, () => ({
    design: plan.design,
    ring: {
      controlOffset: take(controlBytes),
      entriesOffset: take(budgetBytes / plan.consumers),
      capacity: budgetBytes / plan.consumers,
    },
    chunks: {
      headOffset: take(128),
      tailOffset: take(128),
      doneOffset: take(4 * blocks),
      ringOffset: take(8 * slots),
      slots,
      slabOffset: landingOffset,
      chunkBytes: blockBytes,
      chunks: blocks,
    },
    gatherOffset: take(gatherBytes),
    reportOffset: take(128),
  }));
  return { arenaBytes: end, landingOffset, blocks, starts };
}
