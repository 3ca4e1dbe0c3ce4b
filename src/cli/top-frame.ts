/**
 * What `spillway top` shows of a moment, as lines for a terminal of some size: what is wrong first, then the daemon, streams, lanes and
 * latencies. Pure: the same sample gives the same lines.
 *
 * Where rows are short, latencies go down to two, then lanes, then streams are shown in part, and the last line of each says how many
 * are not.
 */
import { plain, size } from './dlq-text.ts';
import type { ActiveAlert, Backlog, History, LaneStatus, Sample, StatusDocument } from './top-sample.ts';
import { bar, count, duration, microseconds, sparkline } from './top-text.ts';

export type Tone = 'bad' | 'warning' | 'good' | 'head' | 'faint';

/** One line, in pieces that may have a tone. */
export type Line = readonly (string | { readonly tone: Tone; readonly text: string })[];

export interface FrameSize {
  readonly columns: number;
  /** Infinite: all is shown. */
  readonly rows: number;
  /** Without block characters. */
  readonly isAscii: boolean;
}

/** Histograms in the order in which an event meets them. */
const histograms = ['ingress_to_ack', 'put', 'ring_wait', 'linger', 'ingress_to_ring', 'journal_sync'];
const histogramsLeast = 2;
const alertsMost = 4;
const sparkLabel = 10;

export function frame(sample: Sample, history: History, { columns, rows, isAscii }: FrameSize): Line[] {
  const { status } = sample;
  const alerts = alertLines(status.alerts ?? [], sample.atMs);
  const head = [...headLines(sample, columns), ...alerts];
  const spark = sparkLines(history, columns, isAscii);
  const streams = streamRows(sample);
  const lanes = status.lanes.map(laneRow);
  const latencies = latencyRows(status);
  const fixed = head.length + spark.length;
  const wanted = streams.length + lanes.length + latencies.length + 3 * 2;
  let room = Math.max(0, rows - fixed);
  const isTight = wanted > room;
  // A head for each table, and a blank line above it.
  room -= isTight ? 3 : 6;
  const latencyCount = isTight ? Math.min(latencies.length, histogramsLeast) : latencies.length;
  const laneCount = isTight ? fitting(lanes.length, Math.max(1, room - latencyCount - streams.length)) : lanes.length;
  const streamCount = isTight ? fitting(streams.length, Math.max(1, room - latencyCount - laneCount)) : streams.length;
  const gap: Line[] = isTight ? [] : [[]];
  return [
    ...head,
    ...spark,
    ...gap,
    ...table(streamHead, streams, streamCount, 'streams'),
    ...gap,
    ...table(laneHead, lanes, laneCount, 'lanes'),
    ...gap,
    ...table(latencyHead, latencies, latencyCount, ''),
  ].slice(0, rows);
}

/** How many of `length` rows to show in `room`: with one for the word of the rest, where there is a rest. */
function fitting(length: number, room: number): number {
  return length <= room ? length : Math.max(0, room - 1);
}

function headLines({ atMs, pid, version, status, rates }: Sample, columns: number): Line[] {
  const { ledger, backlog, streams } = status;
  const name = `spillway${version === undefined ? '' : ` ${version}`}`;
  const state = { tone: status.state === 'ready' ? ('good' as const) : ('warning' as const), text: status.state };
  const rest = `  up ${duration(status.uptimeMs)}${pid === undefined ? '' : `  pid ${pid}`}`;
  const time = new Date(atMs).toISOString().slice(11, 19);
  const width = name.length + 2 + state.text.length + rest.length;
  const dead = Object.values(streams).reduce((sum, { dlq }) => sum + dlq.dead, 0);
  const spilled = Object.values(streams).reduce((sum, { dlq }) => sum + dlq.spilled, 0);
  const flow =
    rates === undefined
      ? `accepted ${count(ledger.accepted)}   refused ${count(ledger.refused)}   delivered ${count(ledger.delivered)}`
      : `in ${count(rates.accepted)}/s   refused ${count(rates.refused)}/s   delivered ${count(rates.delivered)}/s`;
  return [
    [{ tone: 'head', text: name }, '  ', state, rest, `${time} UTC`.padStart(Math.max(2, columns - width))],
    [`${flow}   in flight ${count(ledger.inFlight)}`],
    [`backlog ${count(backlog.events)} events, ${size(backlog.bytes)}, oldest ${duration(backlog.oldestMs)}${outlook(backlog)}`],
    [`DLQ ${count(spilled)} spilled, `, ...toned(dead > 0, 'warning', `${count(dead)} dead letters`)],
  ]; // biome-ignore format: a line each
}

function outlook({ timeToFullMs, timeToDrainMs }: Backlog): string {
  if (timeToFullMs !== undefined) return `, full in ${duration(timeToFullMs)}`;
  return timeToDrainMs === undefined ? '' : `, drained in ${duration(timeToDrainMs)}`;
}

function alertLines(alerts: readonly ActiveAlert[], atMs: number): Line[] {
  const active = alerts.filter(({ state }) => state === 'active');
  const shown = active.slice(0, active.length > alertsMost ? alertsMost - 1 : alertsMost);
  const lines: Line[] = shown.map((alert) => [{ tone: 'bad', text: alertText(alert, atMs) }]);
  if (active.length > shown.length) lines.push([{ tone: 'bad', text: `ALERT ${active.length - shown.length} more` }]);
  return lines;
}

function alertText({ name, stream, value, threshold, since }: ActiveAlert, atMs: number): string {
  const forMs = since === undefined ? undefined : atMs - Date.parse(since);
  const where = stream === undefined ? '' : ` of ${plain(stream)}`;
  const level = value === undefined ? '' : `: ${number(value)}, threshold ${number(threshold)}`;
  return `ALERT ${name}${where}${level}${forMs === undefined ? '' : `, for ${duration(Math.max(0, forMs))}`}`;
}

function number(value: number): string {
  return (Math.round(1_000 * value) / 1_000).toLocaleString('en-US');
}

function sparkLines({ delivered, oldestMs }: History, columns: number, isAscii: boolean): Line[] {
  const line = (label: string, values: readonly number[], format: (value: number) => string): Line => {
    const most = `  most ${format(Math.max(0, ...values))}`.padEnd(18);
    const width = Math.max(8, columns - sparkLabel - most.length);
    return [label.padEnd(sparkLabel), { tone: 'faint', text: sparkline(values, width, isAscii) }, most.trimEnd()];
  };
  return [line('delivered', delivered, (rate) => `${count(rate)}/s`), line('oldest', oldestMs, duration)];
}

type Cell = string | { readonly tone: Tone; readonly text: string };
type Row = readonly Cell[];

const streamHead = ['STREAM', 'in/s', 'refused/s', 'out/s', 'backlog', 'oldest', 'breaker', 'spilled', 'dead'];
const laneHead = ['LANE', 'ring', 'used', 'of', 'oldest', 'breaker'];
const latencyHead = ['LATENCY', 'p50', 'p90', 'p99', 'p99.9', 'max', 'count'];

function streamRows({ status, streamRates }: Sample): Row[] {
  return Object.entries(status.streams).map(([name, { backlog, breaker, dlq, ledger }]) => {
    const rates = streamRates[name];
    const rate = (term: 'accepted' | 'refused' | 'delivered'): string =>
      rates === undefined ? `${count(ledger[term])}` : count(rates[term]);
    return [
      plain(name),
      rate('accepted'),
      ...toned(rates !== undefined && rates.refused > 0, 'warning', rate('refused')),
      rate('delivered'),
      count(backlog.events),
      duration(backlog.oldestMs),
      breakerCell(breaker),
      count(dlq.spilled),
      ...toned(dlq.dead > 0, 'warning', count(dlq.dead)),
    ];
  });
}

function laneRow({ lane, ringBytes, ringCapacity, oldestMs, breaker }: LaneStatus): Row {
  const share = ringCapacity === 0 ? 0 : ringBytes / ringCapacity;
  return [
    String(lane),
    bar(share),
    size(ringBytes),
    size(ringCapacity),
    duration(oldestMs),
    breakerCell(breaker),
  ]; // biome-ignore format: a cell each
}

function latencyRows({ latency }: StatusDocument): Row[] {
  return histograms.flatMap((name) => {
    const values = latency[name];
    if (values === undefined) return [];
    const { p50, p90, p99, p999, max } = values;
    return [[name, ...[p50, p90, p99, p999, max].map(microseconds), count(values.count)]];
  });
}

function breakerCell(state: string): Cell {
  return state === 'closed' ? state : { tone: state === 'open' ? 'bad' : 'warning', text: state.replace('_', ' ') };
}

function toned(isSo: boolean, tone: Tone, text: string): Cell[] {
  return [isSo ? { tone, text } : text];
}

/** The first column to the left, the others to the right; none where there are no rows. */
function table(head: readonly string[], rows: readonly Row[], shown: number, what: string): Line[] {
  if (rows.length === 0) return [];
  const some = rows.slice(0, shown);
  const widths = head.map((title, column) =>
    Math.max(title.length, ...some.map((row) => textOf(row[column] ?? '').length)),
  );
  const line = (row: Row): Line =>
    row.flatMap((cell, column) => {
      const text = textOf(cell);
      const space = ' '.repeat((widths[column] ?? 0) - text.length);
      return column === 0 ? [cell, space] : ['  ', space, cell];
    });
  const titles = line(head).map((piece) => textOf(piece)).join(''); // biome-ignore format: short
  const lines: Line[] = [[{ tone: 'head', text: titles }], ...some.map(line)];
  if (rows.length > some.length && what !== '') lines.push([{ tone: 'faint', text: `... ${rows.length - some.length} more ${what}` }]); // biome-ignore format: short
  return lines;
}

function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text;
}
