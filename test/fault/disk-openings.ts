/** A later opening of a disk that a life left, with a fault of its own. Test processes only; for the campaigns. */
import { Kind } from '../../src/dlq/layout.ts';
import { checkpointMs } from '../../src/dlq/options.ts';
import { Appended } from '../../src/dlq/series.ts';
import { VirtualTime } from '../deliver/virtual-time.ts';
import { attempted, isDead, numberOf, type Story } from './disk-events.ts';
import { offer, open, type Run, startMs } from './disk-queue.ts';
import { isOrdered, type ModelDisk } from './model-disk.ts';

/** Longest that an opening with all that it reads may take on a disk that fails; virtual. */
const openingMs = 60_000;

/** Opens, reads all and closes, as far as the disk lets it; `delivers`: what is read is delivered, and new events come. */
export async function openOn(disk: ModelDisk, plan: Run, story: Story, delivers: boolean): Promise<void> {
  const time = new VirtualTime(startMs);
  let isOver = false;
  const look = async (): Promise<void> => {
    const queue = await open(disk, { seed: plan.seed + 3e6, fsync: plan.fsync }, time);
    const events = await queue.replay();
    if (delivers) {
      for (const event of events) story.done.add(numberOf(event, story));
      queue.checkpoint();
      await addSome();
      await new Promise<void>((resolve) => void time.after(2 * checkpointMs, resolve));
      await addSome();
    }
    await queue.dlq.close();

    async function addSome(): Promise<void> {
      const fresh: number[] = [];
      for (let count = 4; count > 0; count--) {
        const id = story.next++;
        const kind = isDead(id) ? Kind.dead : Kind.spill;
        if ((await offer(queue, attempted(id), kind, time)) === Appended.ok) fresh.push(id);
      }
      if (await queue.dlq.flush()) for (const id of fresh) story.acknowledged.add(id);
    }
  };
  const looking = look()
    .catch((error: unknown) => {
      if (!isOrdered(error)) story.broken.push(`the second opening: ${(error as Error).stack ?? String(error)}`);
    })
    .finally(() => {
      isOver = true;
    });
  await time.pass(time.nowMs + openingMs, () => isOver || disk.isCrashed);
  if (isOver) await looking;
  else if (!disk.isCrashed) story.broken.push('the second opening hangs');
}
