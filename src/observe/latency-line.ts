/**
 * Reads `latency` lines out of a log that may also hold anything else. For the `hist` command; pure.
 *
 * Most lines are told by a search for one word and never parsed. A prefix before the first brace is allowed, so that the
 * output of `journalctl` works with and without `-o cat`.
 */
import { type LatencyName, latencyNames } from './latency.ts';

/** Longest line that is looked at, in UTF-16 units. A histogram with every count in use is shorter. */
export const lineLengthMax = 512 * 1_024;

/** A latency line, checked but for its histogram. */
export interface LatencyLine {
  readonly lane: number | 'main';
  readonly stream?: string;
  readonly histogram: LatencyName;
  readonly windowStartMs: number;
  readonly windowMs: number;
  readonly count: number;
  readonly maxUs: number;
  /** HdrHistogram V2, compressed, base64. */
  readonly hdr: string;
}

/** Latest time that JavaScript dates hold, milliseconds since 1970. */
const timeMsMax = 8.64e15;

/** The line, or what else it is: another line of spillway, somebody else's, or a latency line that cannot be read. */
export function readLatencyLine(text: string): LatencyLine | 'other' | 'foreign' | 'damaged' {
  const isLatency = text.includes('"kind":"latency"');
  if (!isLatency) return text.includes('"kind":"') && text.includes('"time":"') ? 'other' : 'foreign';
  if (text.length > lineLengthMax) return 'damaged';
  let line: unknown;
  try {
    line = JSON.parse(text.slice(text.indexOf('{')));
  } catch {
    return 'damaged';
  }
  if (typeof line !== 'object' || line === null) return 'damaged';
  const { kind, lane, stream, histogram, windowStartMs, windowMs, count, maxUs, hdr } = line as Record<string, unknown>;
  if (kind !== 'latency') return 'foreign';
  const sound =
    (lane === 'main' || isCount(lane)) &&
    (stream === undefined || typeof stream === 'string') &&
    (latencyNames as readonly unknown[]).includes(histogram) &&
    isCount(windowStartMs) &&
    windowStartMs <= timeMsMax &&
    isCount(windowMs) &&
    isCount(count) &&
    isCount(maxUs) &&
    typeof hdr === 'string';
  return sound ? (line as LatencyLine) : 'damaged';
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= timeMsMax;
}
