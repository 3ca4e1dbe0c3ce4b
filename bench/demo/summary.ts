/**
 * The end of the demo as text: the backlog's curve, latencies, the books, and what the read-back found. Pure, but for colours,
 * which the screen gives.
 */
import { terminalChart } from '../../src/observe/chart.ts';
import type { LatencyMerge } from '../../src/observe/hist.ts';
import { durationText, latencyTable } from '../../src/observe/hist-text.ts';
import { latencyRow } from '../../src/observe/latency-row.ts';
import { percentile } from './percentile.ts';
import type { Sample } from './sampler.ts';
import { count, type Screen } from './screen.ts';
import type { ChapterReport, Day, Times } from './story.ts';

const chartRows = 14;

/** Whether the demo has shown what it is for. Empty: yes. */
export function shortcomings({ ledger, found, times, samples, daemonExit }: Day, events: number): string[] {
  const { received, refused, accepted, delivered, inFlight, dlq, dropped, recovered } = ledger;
  const wrong: readonly (readonly [boolean, string])[] = [
    [received !== events, `the daemon received ${count(received)} of ${count(events)} events`],
    [received !== accepted + refused, 'received is not accepted + refused'],
    [accepted + recovered !== delivered + inFlight + dlq + dropped, 'accepted events are not all accounted for'],
    [refused > 0, `${count(refused)} events were refused`],
    [delivered !== accepted, `${count(accepted - delivered)} accepted events were not delivered`],
    [found.lost > 0, `${count(found.lost)} events are lost`],
    [found.altered > 0, `${count(found.altered)} events were altered`],
    [times.breakerOpenMs === 0, 'the breaker did not open'],
    [!samples.some(({ onDisk }) => onDisk > 0), 'nothing was spilled'],
    [daemonExit !== 0, `the daemon ended with ${daemonExit ?? 'a signal'}`],
  ];
  return wrong.filter(([is]) => is).map(([, text]) => text);
}

/** The backlog over the day, with the outage marked below it. */
export function backlogChart(samples: readonly Sample[], times: Times, columns: number): string {
  const endMs = samples.at(-1)?.ms ?? 0;
  const decimals = samples.some(({ waiting }) => waiting > 50_000) ? 0 : 1;
  const chart = terminalChart({
    title: 'Backlog: events acknowledged and not yet delivered',
    format: (value) => (value === 0 ? '0' : `${(value / 1_000).toFixed(decimals)} k`),
    values: evenly(samples, endMs),
    width: columns,
    height: chartRows,
    from: '0 s',
    to: `${(endMs / 1_000).toFixed(0)} s`,
  });
  const lines = chart.split('\n');
  const axis = lines[2]?.search(/[┤┼]/) ?? 0;
  const column = (ms: number): number => Math.round((ms / endMs) * (columns - axis - 2));
  const gone = Math.max(12, column(times.backMs) - column(times.diedMs));
  const label = ' endpoint gone ';
  const bar =
    gone > label.length + 4 ? label.padStart((gone + label.length) >> 1, '─').padEnd(gone, '─') : '─'.repeat(gone);
  lines.splice(-1, 0, `${' '.repeat(axis + 1 + column(times.diedMs))}├${bar.slice(2)}┤`);
  return lines.join('\n');
}

/** The backlog at equal distances: the daemon's answers are not quite. */
function evenly(samples: readonly Sample[], endMs: number): number[] {
  let at = 0;
  return samples.map((_, index) => {
    const ms = (endMs * index) / Math.max(1, samples.length - 1);
    while (at + 1 < samples.length && (samples[at + 1] as Sample).ms <= ms) at++;
    return (samples[at] as Sample).waiting;
  });
}

function latencyText(merge: LatencyMerge): string {
  return latencyTable(merge.groups().map(latencyRow), '').trimEnd();
}

/** What the senders saw, chapter by chapter. */
export function sendersText(chapters: readonly ChapterReport[]): string {
  const rows = chapters.map(({ chapter, accepted, refused, ackUs }) => [
    chapter.name,
    String(chapter.senders),
    count(chapter.eventsPerSecond),
    count(accepted),
    count(refused),
    ...[0.5, 0.99, 1].map((share) => durationText(percentile(ackUs, share))),
  ]);
  return table([['chapter', 'senders', 'events/s', 'accepted', 'refused', 'ack p50', 'ack p99', 'ack max'], ...rows]);
}

function booksText({ ledger }: Day): string {
  const { received, accepted, refused, delivered, inFlight, dlq, dropped } = ledger;
  const parts = [delivered, inFlight, dlq, dropped].map(count);
  return [
    `received ${count(received)} = accepted ${count(accepted)} + refused ${count(refused)}`,
    `accepted ${count(accepted)} = delivered ${parts[0]} + in flight ${parts[1]} + in the DLQ ${parts[2]} + dropped ${parts[3]}`,
  ].join('\n');
}

/** The first column to the left, figures to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
        .join('  '),
    )
    .join('\n');
}

export interface DayLatencies {
  /** Until the endpoint died. */
  readonly calm: LatencyMerge;
  readonly all: LatencyMerge;
}

/** Prints all of it. */
export function printSummary(screen: Screen, day: Day, latencies: DayLatencies): void {
  const head = (text: string): void => screen.print(`\n${screen.style('bold', text)}`);
  const { found } = day;
  screen.print(`\n${backlogChart(day.samples, day.times, screen.columns)}`);
  head('What the senders saw');
  screen.print(sendersText(day.chapters));
  head("Latency inside until the outage (spillway hist, from the daemon's log)");
  screen.print(latencyText(latencies.calm));
  head('Latency inside over the whole day, what waited on the disk included');
  screen.print(latencyText(latencies.all));
  head('The books');
  screen.print(booksText(day));
  head('Read back from the stream');
  const { read, lost, altered, duplicates } = found;
  screen.print(
    `${count(read)} events: ${count(lost)} lost, ${count(altered)} altered, ${count(duplicates)} duplicates`,
  );
}
