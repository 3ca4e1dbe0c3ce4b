/**
 * Fills a directory with what an earlier run could have left, by the real writer: numbered events of several streams, in many
 * segments, and some dead letters. For tests and lanes that start a daemon on it; the process that calls it only writes.
 */
import { readdirSync } from 'node:fs';
import { entryBytes, Kind } from '../../src/dlq/layout.ts';
import { Appended } from '../../src/dlq/series.ts';
import type { NumberedEvents } from '../daemon/numbered-events.ts';
import { Queue } from './queue.ts';

/** Half of the events belong to the first, the rest to the others in turns. */
export const backlogStreams = ['orders', 'clicks', 'audit', 'views'] as const;

/** Every so many events, a dead letter that will never be delivered: its number is beyond those of the spills. */
const eventsPerDeadLetter = 50;

/** Whether the spill `id` is of the first stream. */
export function isOfFirst(id: number): boolean {
  return id % 2 === 0;
}

export interface BacklogPlan {
  readonly directory: string;
  /** About so many, and bytes in them. */
  readonly segments: number;
  readonly bytes: number;
  readonly events: NumberedEvents;
}

export interface Backlog {
  /** Spills are numbered [0, spilled), over all streams. */
  readonly spilled: number;
  readonly dead: number;
  readonly segments: number;
}

export async function writeBacklog({ directory, segments, bytes, events }: BacklogPlan): Promise<Backlog> {
  const endings: (() => unknown)[] = [];
  const ending = { teardown: (end: () => unknown): void => void endings.push(end) };
  const streams = [...backlogStreams];
  const queue = await Queue.open(ending, directory, {
    streams,
    eventBytesMax: streams.map(() => 1024 ** 2),
    maxBytes: 2 * bytes + 1024 ** 3,
    segmentBytes: Math.ceil(bytes / segments),
    blockBytes: 64 * 1024,
    blockCount: 32,
  });
  const count = Math.floor(bytes / entryBytes(6, false, 8, (events.dataOf(0).length + events.dataOf(39).length) / 2));
  let spilled = 0;
  let dead = 0;
  for (let i = 0; i < count; ) {
    const isDead = i % eventsPerDeadLetter === 0;
    const id = isDead ? count + dead : spilled;
    const stream = isOfFirst(id) ? 0 : 1 + (id % 3);
    const kind = isDead ? Kind.dead : Kind.spill;
    const answer = queue.offerBytes(stream, events.keyOf(id), events.dataOf(id), kind);
    if (answer === Appended.full) throw new Error('the disk is full or failing');
    if (answer === Appended.busy) {
      await new Promise<void>((resolve) => queue.dlq.whenWritable(resolve));
      continue;
    }
    i += 1;
    if (isDead) dead += 1;
    else spilled += 1;
  }
  await queue.close();
  const written = readdirSync(directory).filter((name) => name.endsWith('.seg')).length;
  return { spilled, dead, segments: written };
}

/** Configuration for a {@link Rig}: the other streams of a backlog, which go to the same place as the first. */
export function backlogConfig(endpoint: string, caFile: string | undefined, lines = ''): string {
  const others = backlogStreams.slice(1).map(
    (name) => `
[[stream]]
name = "${name}"
stream_name = "orders"
region = "us-east-1"
endpoint = "${endpoint}"
${caFile === undefined ? '' : `ca_file = "${caFile}"`}
${lines}`,
  );
  return others.join('');
}
