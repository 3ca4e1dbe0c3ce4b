/**
 * Events of a stated age, and the books of a queue that may drop some. Used by the tests of retention.
 */
import { type Event, eventOf, type Queue } from './queue.ts';

/** Of events that are to be retained or dropped: enough for many segments. */
export const retainedData = 'x'.repeat(200);

/** Event number `id`, first seen `ageMs` ago. */
export function agedEvent(id: number, ageMs: number, stream = 0): Event {
  return { ...eventOf(id, retainedData), stream, firstSeenUs: (Date.now() - ageMs) * 1000 };
}

/** All that was appended is in the queue, or booked as dropped. */
export function conserved(t: { equal: (a: unknown, b: unknown) => unknown }, queue: Queue, appended: number): void {
  const { spilled, dead } = queue.dlq.holdings(undefined);
  t.equal(spilled + dead + queue.dropped.reduce((sum, events) => sum + events, 0), appended);
}
