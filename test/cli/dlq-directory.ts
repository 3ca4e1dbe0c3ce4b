/**
 * State directories with spills and dead letters in them, for the tests of `spillway dlq`: written by a real DLQ, in segments of
 * 64 KiB. Only tests import it; the test's teardown removes them.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Keys } from '../../src/dlq/encryption.ts';
import { Kind } from '../../src/dlq/layout.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { readSeries } from '../dlq/independent-reader.ts';
import { type Event, eventOf, Queue } from '../dlq/queue.ts';

export interface Teardown {
  teardown(end: () => unknown): void;
}

export function stateDirectory(t: Teardown): string {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-cli-dlq-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Dead letter number `id`: of two streams in turns, each with a reason of its own. Every fifth is no text. */
export function letterOf(id: number): Event {
  const stream = id % 2;
  const reason = stream === 0 ? Reason.rejected : Reason.tooLarge;
  const data = id % 5 === 0 ? `\xff\xfe letter ${id}` : `letter ${id}`;
  return { ...eventOf(id), stream, reason, data: data.padEnd(40 + (id % 60), '.') };
}

/** Fills `stateDir` with so many spills (ids 0 on) and dead letters (ids 0 on). */
export async function fill(
  stateDir: string,
  { spills = 0, letters = 0, keys }: { readonly spills?: number; readonly letters?: number; readonly keys?: Keys },
): Promise<void> {
  const ends: (() => unknown)[] = [];
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const queue = await Queue.open({ teardown: (end) => ends.push(end) }, join(stateDir, 'dlq'), {
    segmentBytes: 64 * 1024,
    keys,
  });
  for (let id = 0; id < spills; id++) await queue.append(eventOf(id), Kind.spill);
  for (let id = 0; id < letters; id++) await queue.append(letterOf(id), Kind.dead);
  for (const end of ends) await end();
}

/** The numbers of the letters that stand in a series, in the order of the files. */
export function idsIn(stateDir: string, series: 'spill' | 'dead'): number[] {
  return readSeries(join(stateDir, 'dlq'), series).map(({ data }) => Number(/letter (\d+)/.exec(data)?.[1]));
}

/** All names below a directory with their bytes, modes and times: what reading must not change. */
export function snapshot(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((item) => item.isFile() || item.isDirectory())
    .map((item) => {
      const path = join(item.parentPath, item.name);
      const { mode, mtimeMs, ino } = statSync(path);
      const bytes = item.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : '';
      return `${path} ${mode} ${mtimeMs} ${ino} ${bytes}`;
    })
    .sort();
}

/** Numbers from 0 on below `count` for which `isMeant`. */
export const ids = (count: number, isMeant: (id: number) => boolean): number[] =>
  Array.from({ length: count }, (_, id) => id).filter((id) => isMeant(id));
