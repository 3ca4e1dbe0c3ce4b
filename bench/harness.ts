/**
 * What every benchmark shares: warm-up, repetition, the median, CPU time, one table row per case. Runs wherever the
 * benchmark runs; never decides what is measured.
 *
 * Switches of every benchmark: `--smoke` (seconds become milliseconds; the figures mean nothing, but the code has run) and
 * `--json` (one JSON object per row instead of the table). Wall and CPU are both given, because on a machine with few cores
 * only CPU says what a part costs the whole.
 */
import { performance } from 'node:perf_hooks';

export interface BenchSwitches {
  readonly smoke: boolean;
  readonly json: boolean;
}

/** The switches of this process; anything else on the command line is a mistake. */
export function benchSwitches(argv: readonly string[] = process.argv.slice(2)): BenchSwitches {
  const unknown = argv.filter((word) => word !== '--smoke' && word !== '--json');
  if (unknown.length > 0) throw new Error(`unknown switch ${unknown.join(' ')}; there are --smoke and --json`);
  return { smoke: argv.includes('--smoke'), json: argv.includes('--json') };
}

/** One case of a benchmark. `run` does the work once and returns a checksum, so that no part of it can be optimised away. */
export interface BenchCase {
  readonly name: string;
  /** What the figures are per: "key", "byte", "event". */
  readonly unit: string;
  /** How many units one `run` handles. */
  readonly units: number;
  readonly run: () => number | Promise<number>;
}

/** Figures of one case: medians over the repetitions. CPU is user + system of the whole process, its threads included. */
export interface BenchRow {
  readonly name: string;
  readonly unit: string;
  readonly wallNs: number;
  readonly cpuNs: number;
  readonly repetitions: number;
  readonly checksum: number;
}

/** User + system time of this process in seconds, all of its threads. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  const lower = sorted[sorted.length % 2 === 0 ? middle - 1 : middle];
  if (upper === undefined || lower === undefined) throw new Error('a median needs at least one value');
  return (upper + lower) / 2;
}

/** Shortest repetition, in milliseconds: below it the resolution of the CPU clock shows in the figures. */
const repetitionMs = 10;

/**
 * Runs a case for about `seconds` after a warm-up of a fifth of that, and gives the medians per unit. A repetition is as many
 * runs as take some 10 ms. A smoke run warms up once and measures once.
 */
export async function measure(benchCase: BenchCase, switches: BenchSwitches, seconds = 1): Promise<BenchRow> {
  const budgetMs = switches.smoke ? 0 : seconds * 1000;
  let checksum = 0;
  let runs = 0;
  const warmFrom = performance.now();
  do {
    checksum = await benchCase.run();
    runs += 1;
  } while (performance.now() - warmFrom < budgetMs / 5);
  const runMs = (performance.now() - warmFrom) / runs;
  const runsEach = switches.smoke ? 1 : Math.max(1, Math.ceil(repetitionMs / runMs));

  const wallNs: number[] = [];
  const cpuNs: number[] = [];
  const until = performance.now() + budgetMs;
  do {
    const cpuBefore = cpuSeconds();
    const wallBefore = performance.now();
    for (let run = 0; run < runsEach; run++) checksum = await benchCase.run();
    const units = benchCase.units * runsEach;
    wallNs.push(((performance.now() - wallBefore) * 1e6) / units);
    cpuNs.push(((cpuSeconds() - cpuBefore) * 1e9) / units);
  } while (performance.now() < until);
  const { name, unit } = benchCase;
  return { name, unit, wallNs: median(wallNs), cpuNs: median(cpuNs), repetitions: wallNs.length, checksum };
}

export function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One line of the table, or of JSON with `--json`. */
export function printRow(row: BenchRow, switches: BenchSwitches): void {
  if (switches.json) {
    printLine(JSON.stringify(row));
    return;
  }
  const figures = `${row.wallNs.toFixed(2).padStart(10)} ns/${row.unit} wall ${row.cpuNs.toFixed(2).padStart(10)} ns/${row.unit} cpu`;
  printLine(`${row.name.padEnd(48)} ${figures}   n=${row.repetitions} checksum=${row.checksum}`);
}

/** Measures and prints the cases in turn. */
export async function runCases(cases: readonly BenchCase[], switches: BenchSwitches, seconds = 1): Promise<void> {
  for (const benchCase of cases) printRow(await measure(benchCase, switches, seconds), switches);
}
