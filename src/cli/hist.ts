/**
 * `spillway hist`: latency percentiles out of a daemon's log, from files or stdin. Runs alone, without a daemon; reads each
 * log once, line by line, with memory that does not grow with it.
 */
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Command, InvalidArgumentError, Option } from 'commander';
import { SpillwayError } from '../base/errors.ts';
import { type Grouping, groupings, LatencyMerge, type LineCounts } from '../observe/hist.ts';
import { latencySvg } from '../observe/hist-svg.ts';
import { latencyRow, latencyTable } from '../observe/hist-text.ts';
import { hlogHeader, hlogLine } from '../observe/hlog.ts';
import { type LatencyName, latencyNames } from '../observe/latency.ts';
import { type LatencyLine, lineLengthMax } from '../observe/latency-line.ts';
import { linesOf } from '../observe/lines.ts';

/** Where the command reads and writes; the process's own streams unless a test gives others. */
export interface HistStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

interface HistOptions {
  readonly by: Grouping;
  readonly window: number;
  readonly since?: number;
  readonly until?: number;
  readonly histogram?: LatencyName;
  readonly json?: true;
  readonly svg?: string;
  readonly hlog?: string;
}

export function command(streams: HistStreams = process): Command {
  return new Command('hist')
    .description("latency percentiles from the daemon's log")
    .argument('[file...]', 'logs, plain or gzip; "-" or none: stdin')
    .addOption(new Option('--by <what>', 'one row per').choices(groupings).default('total'))
    .addOption(
      new Option('--window <duration>', 'width of a window with --by window').argParser(duration).default(60_000, '1m'),
    )
    .addOption(
      new Option('--since <time>', 'only intervals from then on: ISO 8601 or milliseconds since 1970').argParser(time),
    )
    .addOption(new Option('--until <time>', 'only intervals before then').argParser(time))
    .addOption(new Option('--histogram <name>', 'only this one').choices(latencyNames))
    .option('--json', 'print JSON')
    .option('--svg <file>', 'also draw percentile curves, and percentiles over time')
    .option('--hlog <file>', 'also write the intervals as an HdrHistogram log')
    .action((files: string[], options: HistOptions) => hist(files, options, streams));
}

async function hist(files: readonly string[], options: HistOptions, streams: HistStreams): Promise<void> {
  const merge = new LatencyMerge({
    by: options.by,
    windowMs: options.window,
    series: options.svg !== undefined,
    ...(options.since === undefined ? {} : { sinceMs: options.since }),
    ...(options.until === undefined ? {} : { untilMs: options.until }),
    ...(options.histogram === undefined ? {} : { histogram: options.histogram }),
  });
  const intervals = mergeFiles(files.length > 0 ? files : ['-'], merge, streams.stdin);
  if (options.hlog === undefined) await exhaust(intervals);
  else await writeHlog(options.hlog, intervals);
  requireLines(merge.lines);
  if (options.svg !== undefined) {
    const svg = latencySvg(merge);
    await writeFile(options.svg, svg).catch((cause: unknown) => failed('--svg', options.svg as string, cause));
  }
  const rows = merge.groups().map(latencyRow);
  if (options.json) {
    await put(
      streams.stdout,
      `${JSON.stringify({ by: options.by, lines: merge.lines, latency: rows }, undefined, 2)}\n`,
    );
    return;
  }
  await put(streams.stdout, latencyTable(rows, options.by === 'total' ? '' : options.by));
  await put(streams.stderr, `${linesText(merge.lines)}\n`);
}

/** Every latency line of all files, after it was merged. */
async function* mergeFiles(
  files: readonly string[],
  merge: LatencyMerge,
  stdin: Readable,
): AsyncGenerator<LatencyLine> {
  for (const file of files) {
    try {
      const source = file === '-' ? stdin : createReadStream(file, { highWaterMark: 262_144 });
      // One byte more than is looked at, so that a line that was cut is seen to be too long.
      for await (const lines of linesOf(inflated(source), lineLengthMax + 1)) {
        for (const text of lines) {
          const line = merge.addLine(text);
          if (line !== undefined) yield line;
        }
      }
    } catch (cause) {
      if (cause instanceof SpillwayError) throw cause;
      failed('read', file === '-' ? 'stdin' : file, cause);
    }
  }
}

/** The bytes of `source`, inflated when they begin as gzip does, whatever the file is called. */
async function* inflated(source: Readable): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let start: Buffer = Buffer.alloc(0);
  while (start.length < 2) {
    const next = await chunks.next();
    if (next.done) break;
    start = Buffer.concat([start, next.value]);
  }
  async function* whole(): AsyncGenerator<Buffer> {
    if (start.length > 0) yield start;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  }
  if (start[0] !== 0x1f || start[1] !== 0x8b) {
    yield* whole();
    return;
  }
  const gunzip = createGunzip();
  const pumped = pipeline(whole, gunzip);
  // The iteration below throws the same error; without this the rejection would have no handler until it ends.
  pumped.catch(() => undefined);
  yield* gunzip as AsyncIterable<Buffer>;
  await pumped;
}

async function exhaust(intervals: AsyncIterable<LatencyLine>): Promise<void> {
  for await (const _ of intervals) continue;
}

/** Writes the intervals as they are read. Without any, the file is not touched. */
async function writeHlog(file: string, intervals: AsyncGenerator<LatencyLine>): Promise<void> {
  const first = await intervals.next();
  if (first.done) return;
  const opening = hlogHeader(first.value.windowStartMs) + hlogLine(first.value);
  async function* log(): AsyncGenerator<string> {
    yield opening;
    for await (const line of intervals) yield hlogLine(line);
  }
  await pipeline(log, createWriteStream(file)).catch((cause: unknown) => {
    if (cause instanceof SpillwayError) throw cause;
    failed('--hlog', file, cause);
  });
}

function requireLines(lines: LineCounts): void {
  if (lines.merged > 0) return;
  throw new SpillwayError(
    'no_latency_lines',
    `no latency line found: ${linesText(lines)}; give the log of spillway run, and a time range that it covers`,
    { fields: { ...lines } },
  );
}

function linesText(lines: LineCounts): string {
  const rest: [number, string][] = [
    [lines.skipped, 'outside what was asked for'],
    [lines.damaged, 'damaged'],
    [lines.other, 'of other kinds'],
    [lines.foreign, "not spillway's"],
  ];
  const named = rest.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return [`${lines.merged} latency lines merged`, ...named].join(', ');
}

function failed(what: string, file: string, cause: unknown): never {
  const { code, message } = cause as NodeJS.ErrnoException;
  const why = code === 'ENOENT' ? 'no such file or folder' : message;
  throw new SpillwayError('hist_file', `${what} ${file}: ${why}`, { cause, fields: { file } });
}

async function put(stream: Writable, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}

function duration(text: string): number {
  const match = /^(\d{1,9}(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? ''] ?? 0;
  const ms = Math.round(Number(match?.[1] ?? 0) * unitMs);
  if (ms < 1) throw new InvalidArgumentError('Give a number and a unit, such as 250ms, 10s, 1m, 2h or 1d.');
  return ms;
}

function time(text: string): number {
  const ms = /^\d{10,16}$/.test(text) ? Number(text) : Date.parse(text);
  if (!Number.isFinite(ms)) {
    throw new InvalidArgumentError('Give ISO 8601, such as 2026-11-27T18:00:00Z, or milliseconds since 1970.');
  }
  return ms;
}
