/** What the tests of encrypted segments share: keys, a queue with one, and where frames lie. Only tests import it. */
import { type Test } from 'tap';
import type { Work, WorkCounts } from '../../src/dlq/dead-letters.ts';
import { Keys } from '../../src/dlq/encryption.ts';
import { Queue, type QueueOptions } from './queue.ts';

export const key = Buffer.from('0123456789abcdef0123456789ABCDEF');

export const otherKey = Buffer.from('another key, as long as this one');

export const open = (t: Test, directory: string, options: QueueOptions = {}): Promise<Queue> =>
  Queue.open(t, directory, { keys: new Keys(key), ...options });

export const work = ({ dlq }: Queue, what: Partial<Work>): Promise<WorkCounts> =>
  dlq.deadLetters.run({
    filter: {},
    isStopped: () => false,
    onProgress: () => undefined,
    onGone: () => undefined,
    ...what,
  });

/** Where the frames of a segment lie, and the numbers of their events, which are their sequences. */
export function framesOf(bytes: Buffer): { from: number; to: number; ids: number[] }[] {
  const frames: { from: number; to: number; ids: number[] }[] = [];
  for (let at = 64; at < bytes.length; ) {
    const to = at + 80 + bytes.readUInt32LE(at + 4);
    const [first, last] = [Number(bytes.readBigUInt64LE(at + 8)), Number(bytes.readBigUInt64LE(at + 16))];
    frames.push({ from: at, to, ids: Array.from({ length: last - first + 1 }, (_, index) => first + index) });
    at = to;
  }
  return frames;
}
