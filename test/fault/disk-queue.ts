/** The queue of the lives on the model disk: small, so that segments, blocks and windows run out often. Test processes only. */
import type { Kind } from '../../src/dlq/layout.ts';
import { Appended } from '../../src/dlq/series.ts';
import { type Arena, createArena } from '../../src/ring/arena.ts';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import type { VirtualTime } from '../deliver/virtual-time.ts';
import { type Event, Queue, type QueueOptions } from '../dlq/queue.ts';
import type { ModelDisk } from './model-disk.ts';

export const directory = '/state/dlq';

export const startMs = 1_000_000;
/** Virtual: nothing that the DLQ is asked for takes longer, whatever the disk does. */
export const hangMs = 5_000;
const sizes = {
  reserveBytes: 2_048,
  segmentBytes: 4_096,
  blockBytes: 1_024,
  blockCount: 4,
  windowBytes: 16_384,
  windowCount: 2,
};
const arena: Arena = createArena(65_536 + 2 * 1024 ** 2 + 4 * 1_024 + 2 * 16_384 + 8 * 4_096);

export interface Run {
  readonly seed: number;
  readonly fsync: QueueOptions['fsync'] & object;
}

/** Opens the queue on a disk. Another seed, or a disk that was used meanwhile, makes it another run. */
export function open(disk: ModelDisk, { fsync, seed }: Run, time: VirtualTime): Promise<Queue> {
  const dice = new RandomSequence(seed + disk.steps);
  const clock = { nowMs: () => time.nowMs, after: time.after };
  return Queue.open({ teardown: () => undefined }, directory, {
    ...sizes,
    fsync,
    files: disk,
    clock,
    arena,
    randomWord: () => dice.below(2 ** 32),
  });
}

/** A disk that takes nothing for a while is offered the event again; one that refuses it has refused it. */
export async function offer(queue: Queue, event: Event, kind: Kind, time: VirtualTime): Promise<Appended> {
  for (let tries = 0; tries < 5; tries++) {
    const answer = queue.offer(event, kind);
    if (answer !== Appended.busy) return answer;
    await new Promise<void>((resolve) => {
      queue.dlq.whenWritable(resolve);
      time.after(1_000, resolve);
    });
  }
  return Appended.full;
}
