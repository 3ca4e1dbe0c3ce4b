/**
 * Merged latencies as charts: how each histogram is distributed up to its rarest values, and how its percentiles moved over
 * time. For `hist --svg`; pure.
 */
import type { LatencyMerge, Period } from './hist.ts';
import type { LatencySeries } from './hist-series.ts';
import { durationText } from './hist-text.ts';
import type { MergedLatency } from './merged-latency.ts';
import { type LineChart, lineChartsSvg, type Series } from './svg.ts';
import { type Axis, linearAxis, logAxis } from './svg-axis.ts';

/** Curves of one chart that can still be told apart. */
const curvesMax = 10;

const timePercentiles: readonly (readonly [name: string, percentile: number])[] = [
  ['p50', 50],
  ['p99', 99],
  ['p99.9', 99.9],
  ['max', 100],
];

/**
 * The charts of everything `merge` holds, as one SVG document. `merge` must have kept series and hold at least one line. Where it
 * compares two periods, their curves are named A and B, and their times are shaded.
 */
export function latencySvg(merge: LatencyMerge): string {
  const compared = merge.periods.length > 1 ? merge.periods : [];
  const charts = [...merge.series()].map(([name, series]) => overTime(name, series, compared));
  return lineChartsSvg([distribution(merge.groups(), compared.length > 0), ...charts]);
}

function distribution(groups: readonly MergedLatency[], compared: boolean): LineChart {
  const shown = groups.slice(0, curvesMax);
  const rarest = Math.max(...shown.map((merged) => Math.log10(merged.counts.total)), 1);
  const series = shown.map((merged) => ({
    name: [merged.histogram, merged.group, compared ? 'AB'[merged.period] : ''].filter((word) => word !== '').join(' '),
    points: distributionPoints(merged),
  }));
  const left = groups.length - shown.length;
  return {
    title: `Latency by percentile${left > 0 ? ` (${curvesMax} of ${groups.length} groups)` : ''}`,
    xLabel: 'percentile of events (logarithmic towards 100 %)',
    yLabel: 'latency (logarithmic)',
    series,
    xAxis: percentileAxis(Math.ceil(rarest)),
    yAxis: latencyAxis(series),
  };
}

/** x counts nines: 0 is the 0th percentile, 1 the 90th, 2 the 99th; the curve ends where a single event decides. */
function distributionPoints(merged: MergedLatency): [number, number][] {
  const last = Math.log10(Math.max(merged.counts.total, 2));
  const steps = 120;
  return Array.from({ length: steps + 1 }, (_, step) => {
    const nines = (last * step) / steps;
    const percentile = step === steps ? 100 : 100 * (1 - 10 ** -nines);
    return [nines, visible(merged.percentileUs(percentile))];
  });
}

function percentileAxis(nines: number): Axis {
  const marks = [0, Math.log10(2), ...Array.from({ length: nines }, (_, index) => index + 1)];
  return {
    place: (value) => value / nines,
    ticks: marks.map((at) => ({
      at,
      label: `${Number((100 * (1 - 10 ** -at)).toPrecision(Math.max(2, Math.ceil(at))))} %`,
    })),
  };
}

/** Marks of the time axis: the largest unit of which a chart covers two. */
const timeUnits = [
  ['days', 86_400_000],
  ['hours', 3_600_000],
  ['minutes', 60_000],
  ['seconds', 1_000],
] as const;

function overTime(name: string, { windows, windowMs }: LatencySeries, compared: readonly Period[]): LineChart {
  const starts = [...windows.keys()].sort((a, b) => a - b);
  const first = starts[0] ?? 0;
  const last = starts.at(-1) ?? first;
  const [unit, unitMs] = timeUnits.find(([, ms]) => last - first >= 2 * ms) ?? ['seconds', 1_000];
  const at = (timeMs: number): number => (timeMs - first) / unitMs;
  const series = timePercentiles.map(([label, percentile]) => {
    const points: [number, number][] = [];
    for (const [index, startMs] of starts.entries()) {
      const previous = starts[index - 1] ?? startMs;
      // A stretch without a value, such as a restart, leaves a gap in the line.
      if (startMs - previous > windowMs) points.push([at(previous + windowMs), Number.NaN]);
      points.push([at(startMs), visible((windows.get(startMs) as MergedLatency).percentileUs(percentile))]);
    }
    return { name: label, points };
  });
  return {
    title: `${name} over time (windows of ${durationText(windowMs * 1_000)})`,
    xLabel: `${unit} since ${new Date(first).toISOString()}`,
    yLabel: 'latency (logarithmic)',
    series,
    // A hair apart, for the end of one and the beginning of the next to be seen.
    bands: compared.map(({ fromMs, toMs }, index) => ({
      from: at(fromMs),
      to: at(Math.min(toMs, last + windowMs)) - at(last) / 250,
      label: 'AB'[index] as string,
    })),
    xAxis: linearAxis(0, at(last)),
    yAxis: latencyAxis(series),
  };
}

function latencyAxis(series: readonly Series[]): Axis {
  const values = series.flatMap(({ points }) => points.map(([, y]) => y).filter(Number.isFinite));
  return logAxis(Math.min(...values), Math.max(...values), (us) => durationText(us).replace(/\.0+ /, ' '));
}

/** A logarithmic axis has no 0; below a microsecond is drawn as one. */
function visible(us: number): number {
  return Math.max(us, 1);
}
