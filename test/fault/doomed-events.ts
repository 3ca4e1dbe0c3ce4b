/**
 * Events of the lives that end in a kill: made again from their number by whoever judges. Both processes use it; pure.
 *
 * What is compared is a digest of all that must not change: attempts and reason are the DLQ's to change.
 */
import { createHash } from 'node:crypto';
import { type Event, eventOf } from '../dlq/queue.ts';

export const streamNames = ['orders', 'clicks'] as const;

const dataBytesMost = 300;
/** Some are longer than the blocks of 1 KiB in which they wait for the disk. */
const longDataBytes = 2_500;

/** Every so manieth is a dead letter, and of the others every third goes into a ring and the journal. */
export const isDead = (id: number): boolean => id % 41 === 7;
export const isJournalled = (id: number): boolean => id % 3 === 0 && !isDead(id);

export function doomedEvent(id: number): Event {
  const length = id % 61 === 11 ? longDataBytes : (id * 7_919) % dataBytesMost;
  const data = `${id}:`.padEnd(length, String.fromCharCode(97 + (id % 26)));
  return { ...eventOf(id, data), stream: id % streamNames.length, attempts: 0 };
}

export function idOf({ data }: Event): number {
  return Number(data.split(':')[0]);
}

export function digestOf({ stream, firstSeenUs, key, hashKey, data }: Event): string {
  const text = [stream, firstSeenUs, key, hashKey, data].join('\n');
  return createHash('md5').update(text).digest('base64url');
}
