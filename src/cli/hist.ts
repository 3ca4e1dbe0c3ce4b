/**
 * `spillway hist`: latency percentiles out of a daemon's log, from files or stdin. Runs alone, without a daemon; reads each
 * log once, line by line, with memory that does not grow with it.
 */
import { once } from 'node:events';
import { type FileHandle, open, stat, writeFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { Command, Option } from 'commander';
import { SpillwayError } from '../base/errors.ts';
import { type Grouping, groupings, LatencyMerge, type Period } from '../observe/hist.ts';
import { compare } from '../observe/hist-compare.ts';
import { latencySvg } from '../observe/hist-svg.ts';
import { comparisonTable, latencyTable } from '../observe/hist-text.ts';
import { hlogHeader, hlogLine } from '../observe/hlog.ts';
import { type LatencyName, latencyNames } from '../observe/latency.ts';
import type { LatencyLine } from '../observe/latency-line.ts';
import { latencyRow } from '../observe/latency-row.ts';
import { failed, readLogs } from './hist-input.ts';
import { durationMs, iso, periodOf, periodsOf, periodText, type TimeFlags, timeMs } from './hist-times.ts';

/** Where the command reads and writes; the process's own streams unless a test gives others. */
export interface HistStreams {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable;
  readonly stderr: Writable;
}

interface HistOptions extends TimeFlags {
  readonly by: Grouping;
  readonly window: number;
  readonly histogram?: LatencyName;
  readonly json?: true;
  readonly svg?: string;
  readonly hlog?: string;
}

const help = `
Rotated files are read as one log, oldest first, however they are given; a line that stands in two of them counts once. Times
are those at which an interval began (log.interval in the configuration), so a period is exact to one interval. Percentiles
are exact to 1 in 1,000.

Examples:
  spillway hist /var/log/spillway.log*                          all that a rotated log holds
  journalctl -u spillway -o cat --since today | spillway hist   from the journal (with -o json: journalctl --all)
  spillway hist --by stream --histogram ingress_to_ack LOG      who waits for Kinesis
  spillway hist --by window --window 5m --since 2026-11-27 LOG  a day, in steps of 5 minutes
  spillway hist --period ..2026-11-27T18:00Z --period 2026-11-27T18:00Z.. LOG
                                                                before and after, and the ratio of both
  spillway hist --svg latency.svg --hlog latency.hlog LOG       to look at, and for HdrHistogram's tools`;

export function command(streams: HistStreams = process): Command {
  return new Command('hist')
    .description("latency percentiles from the daemon's log")
    .argument('[file...]', 'logs, plain or gzip; "-" or none: stdin')
    .addOption(new Option('--by <what>', 'one row for each').choices(groupings).default('total'))
    .addOption(
      new Option('--window <duration>', 'width of a window with --by window')
        .argParser(durationMs)
        .default(60_000, '1m'),
    )
    .addOption(
      new Option('--since <time>', 'only intervals from then on: ISO 8601 or milliseconds since 1970').argParser(
        timeMs,
      ),
    )
    .addOption(new Option('--until <time>', 'only intervals before then').argParser(timeMs))
    .addOption(
      new Option('--period <from..to>', 'given twice: compare the two; an end left out is open').argParser(periodOf),
    )
    .addOption(new Option('--histogram <name>', 'only this one').choices(latencyNames))
    .option('--json', 'print JSON; times in microseconds')
    .option('--svg <file>', 'also draw percentile curves, and percentiles over time')
    .option('--hlog <file>', 'also write the intervals as an HdrHistogram log')
    .addHelpText('after', help)
    .action((files: string[], options: HistOptions) => hist(files, options, streams));
}

async function hist(files: readonly string[], options: HistOptions, streams: HistStreams): Promise<void> {
  const periods = periodsOf(options);
  const comparing = periods.length > 1;
  if (comparing && options.by === 'window') {
    throw new SpillwayError(
      'usage',
      '--by window and --period: windows of two periods have nothing in common; leave one out',
    );
  }
  if (files.length === 0 && streams.stdin.isTTY === true) {
    throw new SpillwayError('usage', 'no log is given: name files, or pipe one in; spillway hist --help shows how');
  }
  await keepInputs(files, [options.svg, options.hlog]);
  const merge = new LatencyMerge({
    by: options.by,
    windowMs: options.window,
    series: options.svg !== undefined,
    periods,
    ...(options.histogram === undefined ? {} : { histogram: options.histogram }),
  });
  const hlog = options.hlog === undefined ? undefined : new HlogFile(options.hlog);
  try {
    for await (const lines of readLogs(files.length > 0 ? files : ['-'], merge, streams.stdin))
      await hlog?.write(lines);
  } finally {
    await hlog?.close();
  }
  requireLines(merge);
  if (options.svg !== undefined) {
    const svg = latencySvg(merge);
    await writeFile(options.svg, svg).catch((cause: unknown) => failed('--svg', options.svg as string, cause));
  }
  if (options.json) return put(streams.stdout, `${JSON.stringify(document(merge, options, periods), undefined, 2)}\n`);
  await put(streams.stdout, comparing ? comparison(merge, options, periods) : table(merge, options));
  await put(streams.stderr, `${linesText(merge)}\n`);
}

function document(merge: LatencyMerge, { by }: HistOptions, periods: readonly Period[]): object {
  const { lines } = merge;
  if (periods.length === 1) return { by, lines, latency: merge.groups().map(latencyRow) };
  const named = periods.map(({ fromMs, toMs }) => ({ from: isoOrNull(fromMs), to: isoOrNull(toMs) }));
  return { by, lines, periods: { a: named[0], b: named[1] }, comparison: compare(merge.groups()) };
}

function table(merge: LatencyMerge, { by }: HistOptions): string {
  return latencyTable(merge.groups().map(latencyRow), by === 'total' ? '' : by);
}

function comparison(merge: LatencyMerge, { by }: HistOptions, periods: readonly Period[]): string {
  const named = periods.map((period, index) => `${'AB'[index]}  ${periodText(period)}\n`).join('');
  return `${named}\n${comparisonTable(compare(merge.groups()), by === 'total' ? '' : by)}`;
}

function isoOrNull(ms: number): string | null {
  return Number.isFinite(ms) ? iso(ms) : null;
}

/** Writing over a log that is being read would lose it. */
async function keepInputs(inputs: readonly string[], outputs: readonly (string | undefined)[]): Promise<void> {
  const identity = async (file: string): Promise<string | undefined> => {
    const found = await stat(file).catch(() => undefined);
    return found?.isFile() ? `${found.dev} ${found.ino}` : undefined;
  };
  const read = new Set(await Promise.all(inputs.map(identity)));
  for (const output of outputs) {
    const written = output === undefined ? undefined : await identity(output);
    if (written !== undefined && read.has(written)) {
      throw new SpillwayError('usage', `${output} is a log that is read: give another file to write to`);
    }
  }
}

/** The intervals as an HdrHistogram log, as they are read. Without any, the file is not touched. */
class HlogFile {
  readonly #path: string;
  #handle: FileHandle | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async write(lines: readonly LatencyLine[]): Promise<void> {
    const [first] = lines;
    if (first === undefined) return;
    try {
      const opening = this.#handle === undefined ? hlogHeader(first.windowStartMs) : '';
      this.#handle ??= await open(this.#path, 'w');
      await this.#handle.appendFile(opening + lines.map(hlogLine).join(''));
    } catch (cause) {
      failed('--hlog', this.#path, cause);
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }
}

function requireLines(merge: LatencyMerge): void {
  if (merge.lines.merged > 0) return;
  const covered = merge.covered();
  const cure =
    covered === undefined
      ? 'give the log of spillway run, at log.level info or debug'
      : `its intervals begin from ${iso(covered.firstStartMs)} to ${iso(covered.lastStartMs)}: choose times within, and a histogram that it has`;
  throw new SpillwayError('no_latency_lines', `no latency line found: ${linesText(merge)}; ${cure}`, {
    fields: { ...merge.lines },
  });
}

function linesText({ lines }: LatencyMerge): string {
  const rest: [number, string][] = [
    [lines.repeated, 'there twice'],
    [lines.skipped, 'outside what was asked for'],
    [lines.damaged, 'damaged'],
    [lines.withheld, 'left out by journalctl (give it --all)'],
    [lines.other, 'of other kinds'],
    [lines.foreign, "not spillway's"],
  ];
  const named = rest.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return [`${lines.merged} latency lines merged`, ...named].join(', ');
}

async function put(stream: Writable, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}
