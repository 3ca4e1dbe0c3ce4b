/**
 * A segment file as the running DLQ knows it, and how its files are named. Main thread; touches no file.
 */
import type { Kind } from './layout.ts';
import { Tally } from './tally.ts';

export interface Segment {
  readonly name: string;
  readonly number: number;
  readonly tag: number | undefined;
  /** What a reader may read: whole entries, in bytes from the start of the file. */
  bytes: number;
  /** What the file takes on disk, as far as it is known. */
  fileBytes: number;
  firstSequence: number;
  /** 0 while it holds no entry. */
  lastSequence: number;
  /** First-seen time of its oldest event, in microseconds; not updated when that one leaves. */
  oldestUs: number;
  /** Nothing will be written to it any more. */
  sealed: boolean;
  /** All of its spills were handed out or are lost to damage. */
  finished: boolean;
  /** Holds damage that could not be copied elsewhere: the file is set aside, never deleted. */
  keep: boolean;
  damagedRanges: number;
  /** Events in it that are still in the queue. */
  readonly tally: Tally;
}

export function newSegment(
  kind: Kind,
  number: number,
  tag: number | undefined,
  firstSequence: number,
  streams: number,
): Segment {
  return {
    name: segmentName(kind, number),
    number,
    tag,
    bytes: 0,
    fileBytes: 0,
    firstSequence,
    lastSequence: 0,
    oldestUs: Number.POSITIVE_INFINITY,
    sealed: false,
    finished: false,
    keep: false,
    damagedRanges: 0,
    tally: new Tally(streams),
  };
}

const prefixes = { 1: 'spill', 2: 'dead' } as const;

/** `spill-0000000001.seg`: sorts by number; numbers are never used twice in a directory. */
export function segmentName(kind: Kind, number: number): string {
  return `${prefixes[kind]}-${String(number).padStart(10, '0')}.seg`;
}

/** What a file name says: a segment, a quarantined range or segment, or undefined: not ours. */
export function parseName(name: string): { kind: Kind; number: number; quarantine: boolean } | undefined {
  const match = /^(spill|dead)-(\d{10})\.seg(\.(\d{1,15}\.)?quarantine)?$/.exec(name);
  if (match === null) return undefined;
  return { kind: match[1] === 'spill' ? 1 : 2, number: Number(match[2]), quarantine: match[3] !== undefined };
}

/** The file that keeps the damaged range which starts at `position`, or without one the whole segment. */
export function quarantineName(segment: string, position?: number): string {
  return position === undefined ? `${segment}.quarantine` : `${segment}.${position}.quarantine`;
}
