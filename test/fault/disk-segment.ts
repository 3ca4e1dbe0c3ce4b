/** One whole segment of the DLQ, for tests that damage it byte by byte. Test processes only. */
import { Kind } from '../../src/dlq/layout.ts';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { VirtualTime } from '../deliver/virtual-time.ts';
import { attempted, emptyStory, isDead, type Story } from './disk-events.ts';
import { directory, offer, open, startMs } from './disk-queue.ts';
import { ModelDisk } from './model-disk.ts';

/** A segment of spills of about so many bytes, and what is known of them. */
export async function segmentOf(
  length: number,
): Promise<{ readonly path: string; readonly bytes: Uint8Array; readonly story: Story }> {
  const disk = new ModelDisk(new Map(), new RandomSequence(length));
  const time = new VirtualTime(startMs);
  const story = emptyStory();
  let isOver = false;
  const filling = fill(disk, length, time, story).finally(() => {
    isOver = true;
  });
  await time.pass(Number.POSITIVE_INFINITY, () => isOver);
  await filling;
  const path = `${directory}/spill-0000000001.seg`;
  return { path, bytes: disk.afterKill().get(path) as Uint8Array, story };
}

async function fill(disk: ModelDisk, length: number, time: VirtualTime, story: Story): Promise<void> {
  const queue = await open(disk, { seed: length, fsync: { kind: 'each' } }, time);
  for (let bytes = 200; bytes < length; story.next++) {
    const event = attempted(story.next);
    if (isDead(story.next) || event.stream !== 0 || event.data.length > 200) continue;
    await offer(queue, event, Kind.spill, time);
    story.acknowledged.add(story.next);
    bytes += 64 + event.data.length + event.key.length;
  }
  await queue.dlq.close();
}
