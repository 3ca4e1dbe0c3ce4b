/**
 * A line chart for the terminal, such as the backlog over a demo. Pure; used by commands, never by the daemon.
 */
import * as asciichart from 'asciichart';
import { assert } from '../base/assert.ts';

export interface TerminalChart {
  readonly title: string;
  /** Text of a value on the y axis, with its unit. */
  readonly format: (value: number) => string;
  /** Values at equal distances; the axis starts at 0. */
  readonly values: readonly number[];
  /** Columns and rows of the whole chart, title included. */
  readonly width: number;
  readonly height: number;
  /** What the left and right ends of the x axis stand for. */
  readonly from: string;
  readonly to: string;
}

/** Least size in which a chart can be read. */
export const chartColumnsMin = 24;
export const chartRowsMin = 6;

/**
 * The chart as text of at most `width` x `height` characters, without colours and without a last line break. When there are
 * more values than columns, each column shows the largest of its values: a short peak stays visible.
 */
export function terminalChart(chart: TerminalChart): string {
  assert(chart.width >= chartColumnsMin && chart.height >= chartRowsMin, 'the chart has room for axes and a line');
  if (chart.values.length === 0) return `${cut(chart.title, chart.width)}\n(no values)`;
  const top = Math.max(...spread(chart.values, chart.width), Number.MIN_VALUE);
  const rows = chart.height - 4;
  const labels = Array.from({ length: rows + 1 }, (_, row) => chart.format((top * row) / rows));
  const labelWidth = Math.min(Math.max(...labels.map((label) => label.length)), Math.floor(chart.width / 2));
  // Beside the label: a space, and the axis itself.
  const columns = chart.width - labelWidth - 2;
  // The first value is drawn on the axis itself.
  const values = spread(chart.values, columns + 1);
  // The library rounds to rows of equal height; scaled to rows, every axis label is exact.
  const plotted = asciichart.plot(
    values.map((value) => (value / top) * rows),
    {
      min: 0,
      max: rows,
      height: rows,
      offset: 2,
      format: (row) => `${cut(chart.format((top * row) / rows), labelWidth).padStart(labelWidth)} `,
    },
  );
  const axis = ' '.repeat(labelWidth + 2);
  const ends = `${chart.from}${chart.to.padStart(Math.max(chart.to.length + 1, columns - chart.from.length))}`;
  const lines = [chart.title, '', ...plotted.split('\n'), axis + ends];
  return lines.map((line) => cut(line, chart.width).trimEnd()).join('\n');
}

/** `values` as `columns` numbers: the largest of each part, or fewer values stretched. */
function spread(values: readonly number[], columns: number): number[] {
  const count = values.length;
  return Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * count) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * count) / columns));
    let largest = 0;
    for (let index = from; index < to; index++) {
      const value = values[index] as number;
      assert(value >= 0 && Number.isFinite(value), 'chart values are finite and not negative');
      largest = Math.max(largest, value);
    }
    return largest;
  });
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length);
}
