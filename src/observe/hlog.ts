/**
 * Latency lines in the HdrHistogram log format 1.3, which HdrHistogram's log processors, plotters and `hdr-histogram-js` read.
 * For `hist --hlog`; pure. One interval line per latency line, in the order of the log, so nothing is kept.
 *
 * Source: https://github.com/HdrHistogram/HdrHistogram, HistogramLogWriter. Timestamps are absolute (seconds since 1970),
 * values microseconds, the maximum milliseconds as in Java's writer.
 */
import type { LatencyLine } from './latency-line.ts';

/** What opens the file. `startMs`: start of the first interval, milliseconds since 1970. */
export function hlogHeader(startMs: number): string {
  const started = new Date(startMs).toISOString();
  return [
    '#[Latencies of spillway; values are microseconds, Interval_Max is milliseconds; Tag=histogram:lane[:stream]]',
    '#[Histogram log format version 1.3]',
    `#[StartTime: ${seconds(startMs)} (seconds since epoch), ${started}]`,
    '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    '',
  ].join('\n');
}

/** One interval. */
export function hlogLine(line: LatencyLine): string {
  const maxMs = (line.maxUs / 1_000).toFixed(3);
  return `Tag=${tag(line)},${seconds(line.windowStartMs)},${seconds(line.windowMs)},${maxMs},${line.hdr}\n`;
}

function tag(line: LatencyLine): string {
  const parts = [line.histogram, String(line.lane), ...(line.stream === undefined ? [] : [line.stream])];
  // The format knows no escapes: a comma, a space or a line break would end the field.
  return parts.map((part) => part.replace(/[^\w.-]/g, '_')).join(':');
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}
