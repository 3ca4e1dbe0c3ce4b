/**
 * A process that works on a DLQ until it is killed: test/dlq/kill.test.ts starts it, nobody else. Main thread.
 *
 * It spills numbered events in bursts and prints `w N` when all events below N are acknowledged as written. With `replay` it
 * also takes spills out, prints `d ID` for each (a delivery), sets every seventh aside anew instead, and checkpoints behind
 * itself. It prints with synchronous writes: what it said before its death was said.
 */
import { writeSync } from 'node:fs';
import { Kind } from '../../src/dlq/layout.ts';
import { Appended } from '../../src/dlq/series.ts';
import { eventOf, longDataOf, Queue } from './queue.ts';

const [directory, fsyncKind, first, mode] = process.argv.slice(2) as [string, 'each' | 'none', string, string];
const queue = await Queue.open({ teardown: () => undefined }, directory, {
  fsync: { kind: fsyncKind },
  segmentBytes: 8_192,
  blockBytes: 1_024,
});

/** Takes out what is there; every seventh event is not delivered but comes back. */
async function replay(): Promise<void> {
  const cursor = queue.dlq.cursor(0);
  while (await cursor.load()) {
    while (cursor.next()) {
      const event = queue.current();
      const id = Number(event.data.split(':')[0]);
      if (id % 7 !== 0 || event.attempts > 0) writeSync(1, `d ${id}\n`);
      else if (queue.offer({ ...event, attempts: 1 }, Kind.spill) !== Appended.ok) {
        cursor.unread();
        await queue.dlq.flush();
      }
    }
    queue.dlq.checkpoint(0, cursor.position);
  }
}

writeSync(1, 'r\n');
for (let id = Number(first); ; ) {
  for (let burst = 0; burst < 20; burst++, id++) await queue.append({ ...eventOf(id, longDataOf(id)), attempts: 0 });
  await queue.dlq.flush();
  writeSync(1, `w ${id}\n`);
  if (mode === 'replay') await replay();
}
