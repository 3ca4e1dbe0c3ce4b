/**
 * Merges the latency histograms of a daemon's log: any number of lanes, intervals, restarts and files, in any order. For the
 * `hist` command, which feeds it line by line; pure. It keeps one merged histogram per group asked for and, for charts, up to
 * {@link seriesWindowsMax} windows per histogram name: its memory does not grow with the log.
 */
import { SpillwayError } from '../base/errors.ts';
import { HdrCounts } from './hdr-counts.ts';
import { HdrDecoder } from './hdr-decode.ts';
import { type LatencyName, latencyNames } from './latency.ts';
import { type LatencyLine, readLatencyLine } from './latency-line.ts';

export const groupings = ['total', 'lane', 'stream', 'window'] as const;
export type Grouping = (typeof groupings)[number];

/** Groups at a time; each costs 16 to 190 KB. Reached only by `--by window`; then the command fails and names the cure. */
export const groupsMax = 1_000;

/** Windows per histogram that charts over time may have; when a log covers more, windows become twice as wide. */
export const seriesWindowsMax = 120;

export interface MergeOptions {
  readonly by: Grouping;
  /** Width of a window for `by: 'window'`. */
  readonly windowMs: number;
  /** Only intervals that start at or after this, milliseconds since 1970. */
  readonly sinceMs?: number;
  /** Only intervals that start before this. */
  readonly untilMs?: number;
  readonly histogram?: LatencyName;
  /** Also keep what charts over time need. */
  readonly series: boolean;
}

/** Counts of what the lines were. */
export interface LineCounts {
  /** Latency lines that were merged. */
  merged: number;
  /** Latency lines outside the range or of another histogram than asked for. */
  skipped: number;
  /** Other lines of spillway. */
  other: number;
  /** Lines that are not spillway's. */
  foreign: number;
  /** Latency lines that are damaged: cut off, too long, or with a histogram that cannot be read. */
  damaged: number;
}

/** A merged histogram and what it stands for. */
export class MergedLatency {
  readonly histogram: LatencyName;
  /** The lane, the stream, or empty in total; for windows their start as ISO text. */
  readonly group: string;
  readonly counts = new HdrCounts();
  /** Largest value, exact. */
  maxUs = 0;

  constructor(histogram: LatencyName, group: string) {
    this.histogram = histogram;
    this.group = group;
  }

  /** Microseconds at or below which `percentile` (0..100) percent of the values lie. */
  percentileUs(percentile: number): number {
    return Math.min(this.counts.valueAtPercentile(percentile), this.maxUs);
  }

  add(decoded: HdrDecoder, maxUs: number): void {
    decoded.addTo(this.counts);
    this.maxUs = Math.max(this.maxUs, maxUs);
  }

  merge(other: MergedLatency): void {
    this.counts.merge(other.counts);
    this.maxUs = Math.max(this.maxUs, other.maxUs);
  }
}

/** One histogram over time: by start of window, milliseconds since 1970. */
export interface LatencySeries {
  windowMs: number;
  windows: Map<number, MergedLatency>;
}

export class LatencyMerge {
  readonly lines: LineCounts = { merged: 0, skipped: 0, other: 0, foreign: 0, damaged: 0 };
  readonly #options: MergeOptions;
  readonly #decoder = new HdrDecoder();
  readonly #groups = new Map<string, MergedLatency>();
  readonly #series = new Map<LatencyName, LatencySeries>();

  constructor(options: MergeOptions) {
    this.#options = options;
  }

  /** Merges one line of a log and gives it back if it was a latency line within what was asked for. */
  addLine(text: string): LatencyLine | undefined {
    const line = readLatencyLine(text);
    if (typeof line === 'string') {
      this.lines[line]++;
      return undefined;
    }
    const { sinceMs, untilMs, histogram } = this.#options;
    const inRange = line.windowStartMs >= (sinceMs ?? 0) && line.windowStartMs < (untilMs ?? Number.POSITIVE_INFINITY);
    if (!inRange || (histogram !== undefined && line.histogram !== histogram)) {
      this.lines.skipped++;
      return undefined;
    }
    if (!this.#decode(line)) {
      this.lines.damaged++;
      return undefined;
    }
    this.lines.merged++;
    this.#group(line).add(this.#decoder, line.maxUs);
    if (this.#options.series) this.#window(line).add(this.#decoder, line.maxUs);
    return line;
  }

  /** All groups: histograms in the order of an event's way, within them by lane, stream or time. */
  groups(): MergedLatency[] {
    return [...this.#groups.values()].sort(
      (a, b) =>
        latencyNames.indexOf(a.histogram) - latencyNames.indexOf(b.histogram) ||
        a.group.localeCompare(b.group, 'en', { numeric: true }),
    );
  }

  /** The histograms over time; empty unless `series` was asked for. */
  series(): ReadonlyMap<LatencyName, LatencySeries> {
    return this.#series;
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

  #group(line: LatencyLine): MergedLatency {
    const label = this.#label(line);
    const key = `${line.histogram} ${label}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#groups.size >= groupsMax) {
        throw new SpillwayError(
          'too_many_groups',
          `--by ${this.#options.by}: more than ${groupsMax} groups; choose a larger --window, a shorter --since to --until, or one --histogram`,
        );
      }
      group = new MergedLatency(line.histogram, label);
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

  #window(line: LatencyLine): MergedLatency {
    let series = this.#series.get(line.histogram);
    if (series === undefined) {
      series = { windowMs: Math.max(1_000, line.windowMs), windows: new Map() };
      this.#series.set(line.histogram, series);
    }
    // A window narrower than the log's own interval would leave gaps. (The interval may change with a restart.)
    while (series.windowMs < line.windowMs) widen(series);
    for (;;) {
      const startMs = windowStart(line.windowStartMs, series.windowMs);
      const known = series.windows.get(startMs);
      if (known !== undefined) return known;
      if (series.windows.size < seriesWindowsMax) {
        const window = new MergedLatency(line.histogram, new Date(startMs).toISOString());
        series.windows.set(startMs, window);
        return window;
      }
      widen(series);
    }
  }
}

function widen(series: LatencySeries): void {
  series.windowMs *= 2;
  const wider = new Map<number, MergedLatency>();
  for (const [startMs, window] of series.windows) {
    const start = windowStart(startMs, series.windowMs);
    const known = wider.get(start);
    if (known === undefined) wider.set(start, window);
    else known.merge(window);
  }
  series.windows = wider;
}

function windowStart(timeMs: number, windowMs: number): number {
  return Math.floor(timeMs / windowMs) * windowMs;
}
