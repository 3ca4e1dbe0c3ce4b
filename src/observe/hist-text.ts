/**
 * Merged latencies for people and programs: the percentile table, and the same as plain objects. For the `hist` command; pure.
 */
import type { MergedLatency } from './hist.ts';

/** One merged histogram; times in microseconds. */
export interface LatencyRow {
  readonly histogram: string;
  /** The lane, stream or window; absent in total. */
  readonly group?: string;
  readonly count: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  readonly meanUs: number;
}

export function latencyRow(merged: MergedLatency): LatencyRow {
  return {
    histogram: merged.histogram,
    ...(merged.group === '' ? {} : { group: merged.group }),
    count: merged.counts.total,
    p50Us: merged.percentileUs(50),
    p90Us: merged.percentileUs(90),
    p99Us: merged.percentileUs(99),
    p999Us: merged.percentileUs(99.9),
    maxUs: merged.maxUs,
    meanUs: Math.round(merged.counts.mean() * 10) / 10,
  };
}

/** The table, with a line break at its end. `groupTitle` heads the column of groups; empty leaves the column out. */
export function latencyTable(rows: readonly LatencyRow[], groupTitle: string): string {
  const group = (text: string) => (groupTitle === '' ? [] : [printable(text)]);
  const heads = ['histogram', ...group(groupTitle), 'count', 'p50', 'p90', 'p99', 'p99.9', 'max', 'mean'];
  const texts = rows.map((row) => [
    row.histogram,
    ...group(row.group ?? ''),
    row.count.toLocaleString('en-US'),
    ...[row.p50Us, row.p90Us, row.p99Us, row.p999Us, row.maxUs, row.meanUs].map(durationText),
  ]);
  const names = heads.indexOf('count');
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...texts.map((cells) => (cells[column] as string).length)),
  );
  const aligned = [heads, ...texts].map((cells) =>
    cells
      .map((cell, column) =>
        column < names ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number),
      )
      .join('  '),
  );
  return `${aligned.join('\n')}\n`;
}

/** Microseconds with three significant digits and a unit: `950 us`, `12.3 ms`, `1.50 s`, `12.0 min`. */
export function durationText(us: number): string {
  if (us < 999.5) return `${us < 10 ? Number(us.toFixed(2)) : us < 100 ? Number(us.toFixed(1)) : Math.round(us)} us`;
  if (us < 999_500) return `${significant(us / 1_000)} ms`;
  if (us < 120_000_000) return `${significant(us / 1_000_000)} s`;
  return `${significant(us / 60_000_000)} min`;
}

function significant(value: number): string {
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

/** A stream's name came from a log: control characters would reach the terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}
