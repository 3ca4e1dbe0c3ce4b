/**
 * What a directory holds, in numbers: by segment for `ls` and `verify`, by stream, series and reason for `stat`. Main thread of a
 * command; a visitor of walk.ts. Memory: a line per segment, and one per stream, series and reason.
 */
import type { SegmentFacts } from './directory.ts';
import { entry, type Memory, segmentHeaderBytes } from './layout.ts';
import type { DamageCause } from './reader.ts';
import { reasonName } from './reasons.ts';
import type { EntryState, Visitor } from './walk.ts';

/** Damaged ranges of a segment that are listed; all are counted. */
const rangesMax = 64;

export interface Damage {
  readonly from: number;
  readonly to: number;
  readonly cause: DamageCause;
}

export interface Group {
  readonly series: string;
  readonly stream: string;
  readonly reason: string;
  events: number;
  /** Of data and partition keys. */
  bytes: number;
  oldestUs: number;
  newestUs: number;
}

export interface SegmentInventory {
  readonly segment: SegmentFacts;
  /** Events that wait; that a checkpoint covers; that stand in an earlier segment too. */
  waiting: number;
  done: number;
  repeated: number;
  /** First-seen times of all of them, in microseconds. */
  oldestUs: number;
  newestUs: number;
  readonly streams: Set<string>;
  /** The first {@link rangesMax} damaged ranges, and how many and how long all are. */
  readonly damage: Damage[];
  ranges: number;
  damagedBytes: number;
  /** Why it could not be read. */
  failure: string | undefined;
}

export class Inventory implements Visitor {
  readonly segments: SegmentInventory[] = [];
  readonly #groups = new Map<string, Group>();
  readonly #onRead: ((bytes: number) => Promise<boolean>) | undefined;
  #current!: SegmentInventory;

  /** `onRead` after each piece; its false ends the walk. */
  constructor(onRead?: (bytes: number) => Promise<boolean>) {
    this.#onRead = onRead;
  }

  get groups(): Group[] {
    return [...this.#groups.values()];
  }

  pause(bytes: number): Promise<boolean> {
    return this.#onRead?.(bytes) ?? Promise.resolve(true);
  }

  opened(segment: SegmentFacts): void {
    this.#current = unread(segment);
    this.segments.push(this.#current);
    if (segment.tag === undefined && !segment.isOpen && segment.bytes > 0) {
      this.damage(segment, 0, Math.min(segment.bytes, segmentHeaderBytes), 'header');
    }
  }

  closed(_segment: SegmentFacts, failure: string | undefined): void {
    this.#current.failure = failure;
  }

  damage(_segment: SegmentFacts, from: number, to: number, cause: DamageCause): void {
    const current = this.#current;
    current.ranges += 1;
    current.damagedBytes += to - from;
    if (current.damage.length < rangesMax) current.damage.push({ from, to, cause });
  }

  entry(memory: Memory, at: number, stream: string, state: EntryState): undefined {
    const current = this.#current;
    const seenUs = entry.firstSeenUs(memory, at);
    current[state] += 1;
    current.oldestUs = Math.min(current.oldestUs, seenUs);
    current.newestUs = Math.max(current.newestUs, seenUs);
    current.streams.add(stream);
    if (state !== 'waiting') return;
    const { series } = current.segment;
    const code = entry.reason(memory, at);
    const key = `${series} ${code} ${stream}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { series, stream, reason: reasonName(code), events: 0, bytes: 0, oldestUs: seenUs, newestUs: seenUs };
      this.#groups.set(key, group);
    }
    group.events += 1;
    group.bytes += entry.keyLength(memory, at) + entry.dataLength(memory, at);
    group.oldestUs = Math.min(group.oldestUs, seenUs);
    group.newestUs = Math.max(group.newestUs, seenUs);
  }
}

/** What is known of a segment before it is read, or when it cannot be. */
export function unread(segment: SegmentFacts): SegmentInventory {
  return {
    segment,
    waiting: 0,
    done: 0,
    repeated: 0,
    oldestUs: Number.POSITIVE_INFINITY,
    newestUs: 0,
    streams: new Set(),
    damage: [],
    ranges: 0,
    damagedBytes: 0,
    failure: undefined,
  };
}

/** `open`: a daemon is writing to it; `unreadable`: it cannot be read, or is of another version. */
export function stateOf({ segment, ranges, failure }: SegmentInventory): 'open' | 'sealed' | 'damaged' | 'unreadable' {
  if (segment.problem !== undefined || failure !== undefined) return 'unreadable';
  if (ranges > 0) return 'damaged';
  return segment.isOpen ? 'open' : 'sealed';
}
