/**
 * The demo's day as an SVG: the backlog and where it lay, and below it what came in and what went out. Pure.
 */
import { type LineChart, lineChartsSvg } from '../../src/observe/svg.ts';
import type { Sample } from './sampler.ts';
import { count } from './screen.ts';
import type { Day } from './story.ts';

export function daySvg({ samples, times, ledger }: Day): string {
  const seconds = (ms: number): number => ms / 1_000;
  const points = (value: (sample: Sample) => number): [number, number][] =>
    samples.map((sample) => [seconds(sample.ms), value(sample)]);
  const backlog: LineChart = {
    title: `A sale day: ${count(ledger.accepted)} events, and the backlog while the endpoint was gone`,
    xLabel: 'seconds',
    yLabel: 'events waiting',
    series: [
      { name: 'acknowledged, not yet delivered', points: points(({ waiting }) => waiting) },
      { name: 'of these on disk', points: points(({ onDisk }) => onDisk) },
    ],
    bands: [{ from: seconds(times.diedMs), to: seconds(times.backMs), label: 'endpoint gone' }],
  };
  const rates: LineChart = {
    title: 'What came in, what went out',
    xLabel: 'seconds',
    yLabel: 'events per second',
    series: [
      { name: 'accepted from senders', points: points(({ arriving }) => arriving) },
      { name: 'delivered to Kinesis', points: points(({ delivering }) => delivering) },
    ],
    bands: [{ from: seconds(times.breakerOpenMs), to: seconds(times.breakerClosedMs), label: 'breaker open' }],
  };
  return lineChartsSvg([backlog, rates]);
}
