/**
 * Merges the latency histograms of a daemon's log: any number of lanes, intervals, restarts and files, in any order. For the
 * `hist` command, which feeds it line by line; pure. It keeps one merged histogram per period and group asked for, for charts a
 * bounded number of windows, and which lines it has seen (`seen-lines.ts`): its memory does not grow with the log.
 */
import { SpillwayError } from '../base/errors.ts';
import { HdrDecoder } from './hdr-decode.ts';
import { LatencySeries, windowStart } from './hist-series.ts';
import { isJournalLine, journalMessage } from './journal-line.ts';
import { type LatencyName, latencyNames } from './latency.ts';
import { type LatencyLine, lastLineOf, readLatencyLine } from './latency-line.ts';
import { MergedLatency } from './merged-latency.ts';
import { SeenLines } from './seen-lines.ts';

export const groupings = ['total', 'lane', 'stream', 'window'] as const;
export type Grouping = (typeof groupings)[number];

/** Groups at a time; each costs 16 to 190 KB. Reached only by `--by window`; then the command fails and names the cure. */
export const groupsMax = 1_000;

/** Intervals that start at `fromMs` or later and before `toMs`, milliseconds since 1970; infinite ends are open. */
export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

export const allTime: Period = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };

export interface MergeOptions {
  readonly by: Grouping;
  /** Width of a window for `by: 'window'`. */
  readonly windowMs: number;
  /** What is merged, each period by itself; an interval may lie in several. Left out: all time. */
  readonly periods?: readonly Period[];
  readonly histogram?: LatencyName;
  /** Also keep what charts over time need. */
  readonly series: boolean;
}

/** Counts of what the lines were. */
export interface LineCounts {
  /** Latency lines that were merged. */
  merged: number;
  /** Latency lines that were there before, as where two files overlap. */
  repeated: number;
  /** Latency lines outside the periods or of another histogram than asked for. */
  skipped: number;
  /** Other lines of spillway. */
  other: number;
  /** Lines that are not spillway's. */
  foreign: number;
  /** Latency lines that are damaged: cut off, too long, or with a histogram that cannot be read. */
  damaged: number;
  /** Lines of spillway that `journalctl -o json` left out for their length. */
  withheld: number;
}

export class LatencyMerge {
  readonly lines: LineCounts = { merged: 0, repeated: 0, skipped: 0, other: 0, foreign: 0, damaged: 0, withheld: 0 };
  /** What is merged; two of them are compared as A and B. */
  readonly periods: readonly Period[];
  readonly #options: MergeOptions;
  readonly #decoder = new HdrDecoder();
  readonly #seen = new SeenLines();
  readonly #groups = new Map<string, MergedLatency>();
  readonly #series = new Map<LatencyName, LatencySeries>();
  #firstStartMs = Number.POSITIVE_INFINITY;
  #lastStartMs = Number.NEGATIVE_INFINITY;

  constructor(options: MergeOptions) {
    this.#options = options;
    this.periods = options.periods ?? [allTime];
  }

  /** Merges one line of a log and gives it back if it was a latency line within what was asked for, and new. */
  addLine(text: string): LatencyLine | undefined {
    if (!isJournalLine(text)) return this.#addMessage(text);
    const message = journalMessage(text);
    if (typeof message === 'string') return this.#addMessage(message);
    this.lines[message === null ? 'withheld' : 'foreign']++;
    return undefined;
  }

  /** All groups: histograms in the order of an event's way, within them by lane, stream or time, within those by period. */
  groups(): MergedLatency[] {
    return [...this.#groups.values()].sort(
      (a, b) =>
        latencyNames.indexOf(a.histogram) - latencyNames.indexOf(b.histogram) ||
        a.group.localeCompare(b.group, 'en', { numeric: true }) ||
        a.period - b.period,
    );
  }

  /** The histograms over time, in the order of an event's way; empty unless `series` was asked for. */
  series(): ReadonlyMap<LatencyName, LatencySeries> {
    return new Map([...this.#series].sort(([a], [b]) => latencyNames.indexOf(a) - latencyNames.indexOf(b)));
  }

  /** Starts of the first and the last interval that were read, whether within the periods or not; undefined: there were none. */
  covered(): { readonly firstStartMs: number; readonly lastStartMs: number } | undefined {
    if (this.#firstStartMs > this.#lastStartMs) return undefined;
    return { firstStartMs: this.#firstStartMs, lastStartMs: this.#lastStartMs };
  }

  #addMessage(text: string): LatencyLine | undefined {
    const line = readLatencyLine(text);
    if (typeof line !== 'string') return this.#add(line);
    this.lines[line]++;
    const last = line === 'damaged' ? lastLineOf(text) : undefined;
    return last === undefined ? undefined : this.#addMessage(last);
  }

  #add(line: LatencyLine): LatencyLine | undefined {
    const { windowStartMs: startMs, windowMs } = line;
    this.#firstStartMs = Math.min(this.#firstStartMs, startMs);
    this.#lastStartMs = Math.max(this.#lastStartMs, startMs);
    const { histogram, series } = this.#options;
    const wanted = histogram === undefined || histogram === line.histogram;
    if (!wanted || !this.periods.some((period) => within(period, startMs))) {
      this.lines.skipped++;
      return undefined;
    }
    if (!this.#decode(line)) {
      this.lines.damaged++;
      return undefined;
    }
    if (!this.#seen.add(identity(line))) {
      this.lines.repeated++;
      return undefined;
    }
    this.lines.merged++;
    for (const [index, period] of this.periods.entries()) {
      if (within(period, startMs)) this.#group(line, index).add(this.#decoder, line.maxUs);
    }
    if (series) this.#seriesOf(line).window(startMs, windowMs).add(this.#decoder, line.maxUs);
    return line;
  }

  #decode(line: LatencyLine): boolean {
    try {
      this.#decoder.decode(line.hdr);
    } catch (error) {
      if (error instanceof SpillwayError && error.code === 'bad_histogram') return false;
      throw error;
    }
    // The maximum must lie in the highest bucket, or the line was put together from two.
    const { total, highestValueUs } = this.#decoder;
    return total === line.count && line.maxUs >= highestValueUs && line.maxUs <= highestValueUs * 1.001;
  }

  #group(line: LatencyLine, period: number): MergedLatency {
    const label = this.#label(line);
    const key = `${line.histogram} ${period} ${label}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#groups.size >= groupsMax) {
        throw new SpillwayError(
          'too_many_groups',
          `--by ${this.#options.by}: more than ${groupsMax} groups; choose a larger --window, a shorter --since to --until, or one --histogram`,
        );
      }
      group = new MergedLatency(line.histogram, label, period);
      this.#groups.set(key, group);
    }
    return group;
  }

  #label(line: LatencyLine): string {
    switch (this.#options.by) {
      case 'total':
        return '';
      case 'lane':
        return String(line.lane);
      case 'stream':
        return line.stream ?? '(all)';
      case 'window':
        return new Date(windowStart(line.windowStartMs, this.#options.windowMs)).toISOString();
      default:
        return this.#options.by satisfies never;
    }
  }

  #seriesOf({ histogram }: LatencyLine): LatencySeries {
    let series = this.#series.get(histogram);
    if (series === undefined) {
      series = new LatencySeries(histogram);
      this.#series.set(histogram, series);
    }
    return series;
  }
}

function within({ fromMs, toMs }: Period, startMs: number): boolean {
  return startMs >= fromMs && startMs < toMs;
}

/**
 * What two copies of a line have in common, and no other two lines. The histogram ends with a checksum of its counts, which tells
 * the lines of two hosts apart; a lane that stops writes its last line with the interval of the one before.
 */
function identity({ time, histogram, lane, stream, windowStartMs, windowMs, count, maxUs, hdr }: LatencyLine): string {
  return `${time} ${histogram} ${lane} ${windowStartMs} ${windowMs} ${count} ${maxUs} ${hdr.slice(-12)} ${stream ?? ''}`;
}
