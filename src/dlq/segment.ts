/**
 * A segment file as the running DLQ knows it, and how its files are named. Main thread; touches no file.
 */
import type { Positions } from './checkpoint.ts';
import { Kind, kindNames } from './layout.ts';
import { type Tally, tallyOf } from './tally.ts';

/** The file of a segment. One that holds entries of several streams is shared by their series, each with a {@link Segment} of its own. */
export interface SegmentFile {
  /** What it takes on disk, as far as it is known. */
  bytes: number;
  /** Holds damage that could not be copied elsewhere: it is set aside, never deleted. */
  keep: boolean;
  /** It was set aside. */
  isAside: boolean;
  damagedRanges: number;
  /** Series that still need it. */
  users: number;
  /** First and last sequences of frames that were damaged when it was counted: what they held is in no books. At most as many as damaged ranges that are copied. */
  readonly uncounted: (readonly [first: number, last: number])[];
}

export interface Segment {
  readonly name: string;
  readonly file: SegmentFile;
  readonly number: number;
  readonly tag: number | undefined;
  /** What a reader may read: whole entries, in bytes from the start of the file. */
  bytes: number;
  firstSequence: number;
  /** Of its series; 0 while it holds no entry. */
  lastSequence: number;
  /** First-seen time of its oldest event, in microseconds; not updated when that one leaves. */
  oldestUs: number;
  /** That of its youngest; 0: not known. */
  newestUs: number;
  /** Of a journal that an earlier run left: up to where its entries are done, whatever the checkpoint says. */
  readonly marks: Positions | undefined;
  /** Nothing will be written to it any more. */
  sealed: boolean;
  /** All of its spills were handed out or are lost to damage. */
  finished: boolean;
  /** Events in it that are still in the queue of its series. */
  readonly tally: Tally;
}

export function newSegment(
  kind: Kind,
  number: number,
  tag: number | undefined,
  firstSequence: number,
  streams: number,
  marks?: Positions,
): Segment {
  return {
    name: segmentName(kind, number),
    file: { bytes: 0, keep: false, isAside: false, damagedRanges: 0, users: 1, uncounted: [] },
    number,
    tag,
    bytes: 0,
    firstSequence,
    lastSequence: 0,
    oldestUs: Number.POSITIVE_INFINITY,
    newestUs: 0,
    marks,
    sealed: false,
    finished: false,
    tally: tallyOf(kind, streams),
  };
}

/** `spill-0000000001.seg`: sorts by number; numbers are never used twice in a directory. */
export function segmentName(kind: Kind, number: number): string {
  return `${kindNames[kind]}-${String(number).padStart(10, '0')}.seg`;
}

export interface ParsedName {
  readonly kind: Kind;
  readonly number: number;
  /** `partial`: a copy, into quarantine or in place of the segment, that was not finished. */
  readonly form: 'segment' | 'quarantine' | 'partial';
}

const kinds = { spill: Kind.spill, dead: Kind.dead, journal: Kind.journal } as const;

/** What a file name says, or undefined: not ours. */
export function parseName(name: string): ParsedName | undefined {
  const match = /^(spill|dead|journal)-(\d{10,15})\.seg(?:\.(?:\d{1,15}\.)?quarantine)?(\.tmp)?$/.exec(name);
  if (match === null) return undefined;
  const form = match[3] !== undefined ? 'partial' : name.endsWith('.seg') ? 'segment' : 'quarantine';
  return { kind: kinds[match[1] as keyof typeof kinds], number: Number(match[2]), form };
}

/** What is to take the place of a segment, while it is written. */
export function partialName(segment: string): string {
  return `${segment}.tmp`;
}

/** The file that keeps the damaged range which starts at `position`, a multiple of 8. */
export function rangeName(segment: string, position: number): string {
  return `${segment}.${position}.quarantine`;
}

/** A file that keeps a whole segment; `copy` 1 to 7 tells it from others of the same segment, and from every range. */
export function asideName(segment: string, copy: number): string {
  return copy === 0 ? `${segment}.quarantine` : `${segment}.${copy}.quarantine`;
}

/** Files of one segment that can be set aside: more would mean that somebody puts the same file back again and again. */
export const asideCopiesMax = 8;
