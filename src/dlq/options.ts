/**
 * What the DLQ is opened with, what it reports, and its limits. Main thread; types and constants only.
 */
import type { Files } from '../edges/files.ts';
import type { Arena } from '../ring/arena.ts';
import type { Keys } from './encryption.ts';

/** When written entries are forced to the disk: after every write, every `intervalMs`, after so many bytes, or when the system pleases. */
export type FsyncPolicy =
  | { readonly kind: 'each' }
  | { readonly kind: 'interval'; readonly intervalMs: number }
  | { readonly kind: 'bytes'; readonly bytes: number }
  | { readonly kind: 'none' };

/** A stretch of the arena cut into `count` blocks of `length` bytes; both the offset and the length are multiples of 8. */
export interface BlockArea {
  readonly offset: number;
  readonly length: number;
  readonly count: number;
}

/** A stretch of the arena cut into `count` windows of `length` bytes, each of which holds the largest entry. */
export type WindowArea = BlockArea;

/** Time and timers, so that a simulator can drive the DLQ. */
export interface DlqClock {
  nowMs(): number;
  /** Runs `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/** One fact for the log: `change` is the stable name, the rest are its fields. */
export type DlqEvent = { readonly change: string } & Readonly<Record<string, string | number | boolean>>;

/** Why events left the queue without being delivered. */
export type DropReason =
  /** Older than `maxAgeMs`. */
  | 'max_age'
  /** The oldest when `maxBytes` was reached, and the policy is to drop those. */
  | 'drop_oldest'
  /** Their bytes cannot be read any more. */
  | 'damaged';

export interface DlqOptions {
  /** Created with mode 0700 where it does not exist. */
  readonly directory: string;
  /** Most bytes on disk: all series, checkpoint, quarantine and reserve included. */
  readonly maxBytes: number;
  /** Disk space that is kept back for a full disk; absent: none. */
  readonly reserveBytes?: number;
  /** What happens at `maxBytes`; absent: events are refused. */
  readonly whenFull?: 'refuse' | 'drop-oldest';
  /** Entries that were first seen longer ago are dropped; absent: none are. */
  readonly maxAgeMs?: number | undefined;
  /** A segment is closed before it grows beyond this, unless a single entry does. */
  readonly segmentBytes: number;
  readonly fsync: FsyncPolicy;
  /** With what segments are encrypted and opened; absent: they are neither, and one that is encrypted refuses the opening. */
  readonly keys?: Keys | undefined;
  /** Small writes go over zeros that were written so far ahead of them, see {@link SegmentWriter}; absent: to the end of the file. */
  readonly zeroAheadBytes?: number;
  readonly arena: Arena;
  /** Where entries wait for the disk. `length * count` bounds the largest event. */
  readonly blocks: BlockArea;
  /** Names of the configured streams; the index is what `append` takes. At most 255 UTF-8 bytes each. */
  readonly streams: readonly string[];
  readonly files: Files;
  readonly clock: DlqClock;
  /** A 32-bit number that nobody can foresee; asked once. */
  readonly randomWord: () => number;
  readonly onEvent: (event: DlqEvent) => void;
  /** Told of events of a stream that earlier runs left, segment by segment, in the moment in which they are counted. */
  readonly onFound?: (stream: number, events: number) => void;
  /** Told of events of a stream that were counted and are no longer in the queue, though nobody has them. */
  readonly onDropped: (stream: number, events: number, reason: DropReason) => void;
}

/** Longest that a block with room left waits for more entries while the disk keeps up, in ms. */
export const lingerMs = 20;
/** A write that fails is tried again after this, doubling up to {@link retryMsMax}; space that returns is used within a second. */
export const retryMsMin = 50;
export const retryMsMax = 500;
/** A sync that takes longer than this holds up no more segments, in ms. */
export const stallMs = 100;
/** From so many failures in a row on, events are refused as `full` instead of waiting for the disk. */
export const failuresUntilFull = 2;
/** So many failures in a row end the wait of `flush` and `close`. */
export const failuresUntilAbandoned = 4;
/** A checkpoint is written at most this often, in ms. */
export const checkpointMs = 200;
/** Share of `maxBytes` that spills leave to dead letters, and its upper bound in bytes. */
export const deadReserveShare = 1 / 16;
export const deadReserveBytesMax = 64 * 1024 ** 2;
/** Largest share of `maxBytes` that the reserve for a full disk takes. */
export const reserveShareMax = 1 / 16;
/** How often it is asked whether there is room for the reserve again, in ms, and at most after attempts that failed. */
export const retakeMs = 200;
export const retakeMsMax = 5_000;
/** How often what is older than `maxAgeMs` is looked for: a share of it, within bounds, in ms. */
export const sweepShare = 1 / 20;
export const sweepMsMin = 500;
export const sweepMsMax = 60_000;
/** How long room is waited for, in ms, when all that could be dropped is just being read. */
export const readingMs = 10;
/** A segment is closed when its oldest event is older than this share of `maxAgeMs`: it goes as a whole, with its youngest. */
export const openAgeShare = 1 / 4;
/** Damaged ranges of one segment that get a file each; with more, the whole segment is kept instead. */
export const quarantineRangesMax = 64;
/** A segment that cannot be read so many times in a row is set aside: it must not block the ones behind it. */
export const readFailuresMax = 3;
/** Time before a failed read is tried again, in ms. */
export const readRetryMs = 100;
/** Time before a dead letter that found the queue full is offered again, in ms. */
export const fullRetryMs = 500;
/** How often the index says how far it is, in ms. */
export const indexReportMs = 2_000;
/** Bytes that the index and tools read at a time: some thousand entries, which hold the event loop for about half a millisecond. */
export const scanBytes = 256 * 1024;

/** Memory that is enough to read files of up to `largest` bytes, {@link scanBytes} at a time. A multiple of 8. */
export function scanWindow(largest: number): number {
  return Math.min(scanBytes, Math.max(1024, (largest + 7) & ~7));
}

/**
 * So many sequences ahead of the spills a segment of the journal begins, see journal.ts. More spills than this while one of its entries waits in a
 * ring are refused; 2^53 such steps are left to a directory: half a million runs that are killed.
 */
export const journalLead = 2 ** 34;
/**
 * So many sequences are left out when a start finds segments that it cannot read: theirs are not known, and may be those of a journal, which
 * lead by {@link journalLead}. Used again, they would be taken for repeated when the disk can be read again.
 */
export const unreadLead = 2 * journalLead;
/** What the DLQ took from rings is made durable at most this often, in ms, before marks move past it. */
export const journalFlushMs = 200;
/** Senders one by one write some hundred bytes a commit: thousands of them to one write of zeros. */
export const zeroAheadBytes = 1024 ** 2;
/** Marks that could not be written are tried again after this, in ms. */
export const marksRetryMs = 1_000;
/** Largest segment of the journal; a small journal has several nevertheless, or it could never give anything back. */
export const journalSegmentBytesMax = 64 * 1024 ** 2;
export const journalSegmentsLeast = 4;
