/**
 * A small SVG writer: line charts with axes, labels, a legend and shaded intervals, one below the other. Pure; used by the
 * `hist` command and the demo, never by the daemon. All text is escaped.
 */
import { assert } from '../base/assert.ts';
import { type Axis, linearAxis, type Tick } from './svg-axis.ts';

export interface Series {
  readonly name: string;
  /** In order of x. A y that is not finite breaks the line: nothing is known there. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A shaded stretch of the x axis, such as an outage. */
export interface Band {
  readonly from: number;
  readonly to: number;
  readonly label: string;
}

export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  readonly bands?: readonly Band[];
  /** Left out: linear, over what the series and bands cover; y from 0. */
  readonly xAxis?: Axis;
  readonly yAxis?: Axis;
}

const width = 960;
const height = 420;
const plot = { left: 92, right: 40, top: 48, bottom: 96 } as const;
const plotWidth = width - plot.left - plot.right;
const plotHeight = height - plot.top - plot.bottom;

const legendRow = 18;
/** About the width of a character of 12 units, and how many of them a name may have. */
const legendCharacter = 7;
const legendLengthMax = 60;

/** Colours that people with colour-blindness tell apart (Okabe and Ito), dark enough for thin lines on white. */
const colors = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#8a6d00', '#56b4e9', '#000000'];
/** Series that share a colour differ by dashes. */
const dashes = ['', '7 4', '2 3'];

/** One chart as an SVG document. */
export function lineChartSvg(chart: LineChart): string {
  return lineChartsSvg([chart]);
}

/** Several charts, one below the other, as one SVG document of 960 units width; each 420 units high, more where its legend is long. */
export function lineChartsSvg(charts: readonly LineChart[]): string {
  assert(charts.length > 0, 'a document has at least one chart');
  let total = 0;
  const parts = charts.map((chart) => {
    const top = total;
    total += height + Math.max(0, Math.ceil(chart.series.length / perRow(chart)) - 1) * legendRow;
    return `<g transform="translate(0 ${top})">\n${panel(chart)}</g>\n`;
  });
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${total}" ` +
    `viewBox="0 0 ${width} ${total}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13" fill="#222">\n` +
    `<rect width="${width}" height="${total}" fill="#fff"/>\n${parts.join('')}</svg>\n`
  );
}

function panel(chart: LineChart): string {
  const bands = chart.bands ?? [];
  const finite = chart.series.flatMap((series) => series.points.filter(([, y]) => Number.isFinite(y)));
  const xs = [...finite.map(([x]) => x), ...bands.flatMap((band) => [band.from, band.to])];
  const xAxis = chart.xAxis ?? linearAxis(least(xs), greatest(xs));
  const yAxis = chart.yAxis ?? linearAxis(0, greatest(finite.map(([, y]) => y)));
  const x = (value: number) => plot.left + plotWidth * xAxis.place(value);
  const y = (value: number) => plot.top + plotHeight * (1 - yAxis.place(value));
  const middle = plot.left + plotWidth / 2;
  const bottom = plot.top + plotHeight;
  return [
    text(middle, 26, chart.title, 'text-anchor="middle" font-size="17" font-weight="600"'),
    ...bands.map((band) => bandShape(band, x)),
    ...xAxis.ticks.map((tick) => xTick(tick, x(tick.at), bottom)),
    ...yAxis.ticks.map((tick) => yTick(tick, y(tick.at))),
    `<path d="M${plot.left} ${plot.top}V${bottom}H${plot.left + plotWidth}" fill="none" stroke="#222"/>\n`,
    text(middle, bottom + 42, chart.xLabel, 'text-anchor="middle"'),
    text(
      22,
      plot.top + plotHeight / 2,
      chart.yLabel,
      `text-anchor="middle" transform="rotate(-90 22 ${plot.top + plotHeight / 2})"`,
    ),
    ...chart.series.map((series, index) => curve(series, index, x, y)),
    ...chart.series.map((series, index) => legend(series.name, index, perRow(chart), bottom + 72)),
    finite.length === 0 ? text(middle, plot.top + plotHeight / 2, 'no values', 'text-anchor="middle" fill="#777"') : '',
  ].join('');
}

function bandShape(band: Band, x: (value: number) => number): string {
  const left = clampX(x(band.from));
  const right = clampX(x(band.to));
  const shape = `<rect x="${n(left)}" y="${plot.top}" width="${n(right - left)}" height="${plotHeight}" fill="#d55e00" fill-opacity="0.12"/>\n`;
  return (
    shape + text((left + right) / 2, plot.top + 14, band.label, 'text-anchor="middle" font-size="12" fill="#8a3d00"')
  );
}

function clampX(x: number): number {
  return Math.min(Math.max(x, plot.left), plot.left + plotWidth);
}

function xTick(tick: Tick, x: number, bottom: number): string {
  const grid = `<path d="M${n(x)} ${plot.top}V${bottom}" stroke="#ddd"/>\n`;
  return grid + text(x, bottom + 20, tick.label, 'text-anchor="middle" font-size="12"');
}

function yTick(tick: Tick, y: number): string {
  const grid = `<path d="M${plot.left} ${n(y)}H${plot.left + plotWidth}" stroke="#ddd"/>\n`;
  return grid + text(plot.left - 8, y + 4, tick.label, 'text-anchor="end" font-size="12"');
}

function curve(series: Series, index: number, x: (value: number) => number, y: (value: number) => number): string {
  let path = '';
  let dots = '';
  const { points } = series;
  const known = (at: number) => Number.isFinite(points[at]?.[1]);
  for (const [at, [px, py]] of points.entries()) {
    if (!known(at)) continue;
    path += `${known(at - 1) ? 'L' : 'M'}${n(x(px))} ${n(y(py))}`;
    // A point without neighbours would be a line of no length: invisible.
    if (!known(at - 1) && !known(at + 1))
      dots += `<circle cx="${n(x(px))}" cy="${n(y(py))}" r="2.5" fill="${color(index)}"/>\n`;
  }
  const line = `<path d="${path}" fill="none" ${stroke(index)} stroke-linejoin="round"/>\n`;
  return (path === '' ? '' : line) + dots;
}

/** Entries of the legend side by side below the chart: as many as fit, five at most. */
function perRow({ series }: LineChart): number {
  const longest = Math.max(1, ...series.map(({ name }) => Math.min(name.length, legendLengthMax)));
  const fit = Math.floor(plotWidth / (32 + 16 + longest * legendCharacter));
  return Math.max(1, Math.min(5, series.length, fit));
}

function legend(name: string, index: number, columns: number, top: number): string {
  const left = plot.left + (index % columns) * (plotWidth / columns);
  const y = top + Math.floor(index / columns) * legendRow;
  const sample = `<path d="M${n(left)} ${y - 4}h26" ${stroke(index)}/>\n`;
  const shown = name.length > legendLengthMax ? `${name.slice(0, legendLengthMax - 1)}\u2026` : name;
  return sample + text(left + 32, y, shown, 'font-size="12"');
}

function stroke(index: number): string {
  const dash = dashes[Math.floor(index / colors.length) % dashes.length];
  return `stroke="${color(index)}" stroke-width="2"${dash ? ` stroke-dasharray="${dash}"` : ''}`;
}

function color(index: number): string {
  return colors[index % colors.length] as string;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${n(x)}" y="${n(y)}" ${attributes}>${escapeXml(content)}</text>\n`;
}

/** Text for XML: markup escaped, and what XML 1.0 cannot hold at all (control characters, lone surrogates) as U+FFFD. */
export function escapeXml(content: string): string {
  return content
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Coordinates with one decimal: a tenth of a pixel is more than anybody sees, and files stay small. */
function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

// Not Math.min(...values): a long series has more points than a call may have arguments.
function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function greatest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}
