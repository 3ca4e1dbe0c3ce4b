/**
 * Merged latencies for people: the table of percentiles, and the one of two periods. For the `hist` command; pure.
 */
import type { Comparison } from './hist-compare.ts';
import { type Figure, figures, type LatencyRow } from './latency-row.ts';

const figureHeads = Object.values(figures);

/** The table, with a line break at its end. `groupTitle` heads the column of groups; empty leaves the column out. */
export function latencyTable(rows: readonly LatencyRow[], groupTitle: string): string {
  const group = (text: string) => (groupTitle === '' ? [] : [printable(text)]);
  const names = ['histogram', ...group(groupTitle)];
  const texts = rows.map((row) => [row.histogram, ...group(row.group ?? ''), ...figureTexts(row)]);
  return alignedTable([[...names, ...figureHeads], ...texts], names.length);
}

/**
 * The table of two periods: of each histogram and group a row for A, one for B, and the ratio of their figures. A group that has
 * only one of them has no ratio.
 */
export function comparisonTable(comparisons: readonly Comparison[], groupTitle: string): string {
  const group = (text: string) => (groupTitle === '' ? [] : [printable(text)]);
  const names = ['histogram', ...group(groupTitle), 'period'];
  const texts = comparisons.flatMap(({ histogram, group: name = '', a, b, ratio }) => {
    const rows = [
      ['A', a && figureTexts(a)],
      ['B', b && figureTexts(b)],
      ['B / A', ratio && figuresOf(ratio).map(ratioText)],
    ] as const;
    return rows.map(([period, cells], row) => {
      const named = row === 0 ? [histogram, ...group(name)] : ['', ...group('')];
      return [...named, period, ...(cells ?? figureHeads.map(() => '-'))];
    });
  });
  return alignedTable([[...names, ...figureHeads], ...texts], names.length);
}

function figureTexts(row: LatencyRow): string[] {
  const [count, ...times] = figuresOf(row) as [number, ...number[]];
  return [count.toLocaleString('en-US'), ...times.map(durationText)];
}

/** In the order of {@link figureHeads}. */
function figuresOf<T>(of: Readonly<Record<Figure, T>>): T[] {
  return (Object.keys(figures) as Figure[]).map((figure) => of[figure]);
}

function ratioText(ratio: number | null): string {
  return ratio === null ? '-' : `${ratio.toFixed(2)}x`;
}

/** The first `names` columns begin at the left, figures end at the right. */
function alignedTable(rows: readonly (readonly string[])[], names: number): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => (cells[column] as string).length)));
  const aligned = rows.map((cells) =>
    cells
      .map((cell, column) => {
        const width = widths[column] as number;
        return column < names ? cell.padEnd(width) : cell.padStart(width);
      })
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
