/**
 * What a killed daemon left in its spill segments, found without its own reader: whole entries are those whose event is there
 * to its last byte. And tears in the last segment, as a crash in the middle of a write leaves them.
 */
import { appendFileSync, readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { eventMark, type NumberedEvents } from '../../daemon/numbered-events.ts';

/** Entries begin and end at multiples of this (the format's padding). */
const alignment = 8;

/** Spill segments, oldest first: their numbers are in their names. */
export function spillSegments(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => /^spill-\d+\.seg$/.test(name));
  return names.sort().map((name) => join(directory, name));
}

/** Numbers of the events that stand whole, and as they were sent, in one of the files. */
export function wholeEvents(paths: readonly string[], events: NumberedEvents): Set<number> {
  const found = new Set<number>();
  for (const path of paths) {
    const bytes = readFileSync(path);
    for (let at = bytes.indexOf(eventMark); at !== -1; at = bytes.indexOf(eventMark, at + 1)) {
      const id = events.idOf(bytes.subarray(at));
      if (id < 0) continue;
      const end = at + events.dataOf(id).length;
      const padding = (alignment - (end % alignment)) % alignment;
      if (end + padding <= bytes.length && events.isUnaltered(id, bytes.subarray(at, end))) found.add(id);
    }
  }
  return found;
}

/** Cuts the file somewhere in its last entries, or appends what is none; returns what was done. `random`: two of [0, 1). */
export function tear(path: string, random: readonly [number, number]): string {
  const { size } = statSync(path);
  if (random[0] < 0.5) {
    const cut = 1 + Math.floor(random[1] * 150);
    truncateSync(path, size - cut);
    return `cut by ${cut}`;
  }
  const garbage = Buffer.alloc(1 + Math.floor(random[1] * 5_000), 'torn');
  appendFileSync(path, garbage);
  return `${garbage.length} more`;
}
