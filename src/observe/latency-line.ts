/**
 * Reads `latency` lines out of a log that may also hold anything else. For the `hist` command; pure.
 *
 * Most other lines are told by a few bytes and never become text. A prefix before the first brace is allowed, so that the
 * output of `journalctl` works with and without `-o cat`.
 */
import { type LatencyName, latencyNames } from './latency.ts';

/** Longest line that is looked at, in UTF-16 units. A histogram with every count in use is shorter. */
export const lineLengthMax = 512 * 1_024;

/** A latency line, checked but for its histogram. */
export interface LatencyLine {
  /** When it was written, ISO 8601. */
  readonly time: string;
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

/** How each line of spillway opens. The time has always the same length, and a level's name five letters at most. */
const lineOpening = '{"level":"';
const opening = Buffer.from(lineOpening);
const timeOpening = Buffer.from('","time":"');
const kindOpening = Buffer.from('","kind":"');
const levelLengthMax = 5;
const timeLength = 24;
const quote = 0x22;
const latencyWord = '"kind":"latency"';
const latencyBytes = Buffer.from(latencyWord);

/**
 * Whether the line at `start` to `end` of `bytes` is one of spillway's other kinds, by its bytes alone. False says nothing: a
 * prefix, two lines that ran together, and latency lines need {@link readLatencyLine}.
 */
export function isOtherKind(bytes: Buffer, start: number, end: number): boolean {
  if (!stands(opening, bytes, start)) return false;
  let at = start + opening.length;
  const last = at + levelLengthMax;
  while (at < last && bytes[at] !== quote) at++;
  if (!stands(timeOpening, bytes, at)) return false;
  at += timeOpening.length + timeLength;
  if (at >= end || !stands(kindOpening, bytes, at)) return false;
  return bytes.subarray(at, end).indexOf(latencyBytes) < 0;
}

/** The line, or what else it is: another line of spillway, somebody else's, or a latency line that cannot be read. */
export function readLatencyLine(text: string): LatencyLine | 'other' | 'foreign' | 'damaged' {
  const isLatency = text.includes(latencyWord);
  if (!isLatency) return text.includes('"kind":"') && text.includes('"time":"') ? 'other' : 'foreign';
  if (text.length > lineLengthMax) return 'damaged';
  let line: unknown;
  try {
    line = JSON.parse(text.slice(text.indexOf('{')));
  } catch {
    return 'damaged';
  }
  if (typeof line !== 'object' || line === null) return 'damaged';
  const { kind, time, lane, stream, histogram, windowStartMs, windowMs, count, maxUs, hdr } = line as Record<
    string,
    unknown
  >;
  if (kind !== 'latency') return 'foreign';
  const sound =
    typeof time === 'string' &&
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

/**
 * The last line of `text` where it holds several: a daemon that was killed in the middle of one leaves it without a break, and
 * the next daemon's first line follows it. Undefined: it begins only one.
 */
export function lastLineOf(text: string): string | undefined {
  const last = text.lastIndexOf(lineOpening);
  return last > text.indexOf('{') ? text.slice(last) : undefined;
}

function stands(wanted: Buffer, bytes: Buffer, at: number): boolean {
  for (let index = 0; index < wanted.length; index++) if (bytes[at + index] !== wanted[index]) return false;
  return true;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= timeMsMax;
}
