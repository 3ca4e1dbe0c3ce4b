/**
 * `spillway dlq ls`, `stat` and `verify`: what is in the DLQ, read from its files. Main thread; changes nothing, beside a running
 * daemon or without one, and costs that daemon nothing: it is only asked which segments it is writing.
 */
import { SingleBar } from 'cli-progress';
import { SpillwayError } from '../base/errors.ts';
import { type DirectoryView, viewDirectory } from '../dlq/directory.ts';
import { Inventory, type SegmentInventory, stateOf, unread } from '../dlq/inventory.ts';
import { requireKeys } from '../dlq/key-check.ts';
import { walk } from '../dlq/walk.ts';
import { realFiles } from '../edges/files.ts';
import { type Place, unusable } from './dlq-place.ts';
import { age, isoTime, json, plain, plural, size, table } from './dlq-text.ts';

/** Bytes above which reading takes long enough to show how far it is. */
const barFromBytes = 64 * 1024 ** 2;

export interface ReadFlags {
  readonly json?: true;
}

/** Rejects with `dlq_key` when there are segments that no key opens. */
export async function viewOf({ directory, named, pid, facts, keys }: Place): Promise<DirectoryView> {
  if (pid !== undefined && facts === undefined) {
    process.stderr.write(`spillway: process ${pid} does not answer: what it is writing may look damaged\n`);
  }
  try {
    const view = await viewDirectory(realFiles, directory, facts?.openSegments ?? []);
    const encrypted = view.segments.flatMap(({ name, keyId }) => (keyId === undefined ? [] : [{ name, keyId }]));
    requireKeys(encrypted, keys);
    return view;
  } catch (error) {
    throw unusable(named, error);
  }
}

/** Ctrl-C ends a long reading after the piece that is being read. */
export function interruption(): { readonly isInterrupted: () => boolean; readonly end: () => void } {
  let isInterrupted = false;
  const onSignal = (): void => {
    isInterrupted = true;
  };
  process.on('SIGINT', onSignal);
  return {
    isInterrupted: () => isInterrupted,
    end: () => {
      process.off('SIGINT', onSignal);
    },
  };
}

/** A bar on stderr, where that is a terminal and the work is long. */
export function progressBar(totalBytes: number, format: string, payload: object): SingleBar | undefined {
  if (!process.stderr.isTTY || totalBytes < barFromBytes) return undefined;
  const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true, clearOnComplete: true });
  bar.start(totalBytes, 0, payload);
  return bar;
}

async function inventory(place: Place, payloads: boolean): Promise<{ view: DirectoryView; found: Inventory }> {
  const view = await viewOf(place);
  const total = view.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  const bar = progressBar(total, '{bar} {percentage} % | {eta_formatted} left', {});
  const { isInterrupted, end } = interruption();
  try {
    const found = new Inventory((bytes) => {
      bar?.increment(bytes);
      // A turn of the event loop, for signals.
      return new Promise((resolve) => setImmediate(() => resolve(!isInterrupted())));
    });
    await walk(view, { files: realFiles, directory: place.directory, payloads, keys: place.keys }, found);
    if (isInterrupted()) throw new SpillwayError('interrupted', 'interrupted before all was read');
    return { view, found };
  } finally {
    bar?.stop();
    end();
  }
}

export async function ls(place: Place, flags: ReadFlags): Promise<void> {
  const { view, found } = await inventory(place, false);
  const rows = rowsOf(view, found);
  const files = view.quarantined.map(({ name, bytes }) => ({ segment: name, state: 'quarantine', bytes }));
  if (flags.json === true) {
    print(json({ directory: place.named, daemon: place.pid, segments: rows, quarantined: files, left: view.left }, 2));
    return;
  }
  const head = ['segment', 'series', 'run', 'state', 'waiting', 'done', 'bytes', 'oldest', 'newest', 'streams'];
  const lines = rows.map((row) => [
    row.segment, row.series, row.run ?? '?', row.state, `${row.waiting}`, `${row.done}`, size(row.bytes),
    row.oldest ?? '-', row.newest ?? '-', row.streams.map(plain).join(','),
  ]); // biome-ignore format: two lines of cells
  const others = files.map(({ segment, bytes }) => [
    segment, '', '', 'quarantine', '-', '-', size(bytes), '-', '-', '',
  ]); // biome-ignore format: one line of cells
  if (lines.length + others.length > 0) print(table(head, [...lines, ...others]).trimEnd());
  else note(`no segments in ${place.named}: the DLQ is empty`);
  if (view.left.length > 0)
    note(`left alone: ${view.left.map(({ name, why }) => `${plain(name)} (${why})`).join(', ')}`);
}

/** One object per segment, as `--json` has them. */
function rowsOf(view: DirectoryView, found: Inventory) {
  const unreadable = view.segments.filter(({ problem }) => problem !== undefined).map((segment) => unread(segment));
  const order = new Map(view.segments.map(({ name }, index) => [name, index]));
  return [...found.segments, ...unreadable]
    .toSorted((a, b) => (order.get(a.segment.name) ?? 0) - (order.get(b.segment.name) ?? 0))
    .map((item) => ({
      segment: item.segment.name,
      series: item.segment.series,
      run: item.segment.tag === undefined ? undefined : (item.segment.tag >>> 0).toString(16).padStart(8, '0'),
      state: stateOf(item),
      waiting: item.waiting,
      done: item.done + item.repeated,
      bytes: item.segment.bytes,
      oldest: isoTime(item.oldestUs),
      newest: isoTime(item.newestUs),
      streams: [...item.streams],
      problem: problemOf(item),
    }));
}

export async function stat(place: Place, flags: ReadFlags): Promise<void> {
  const { view, found } = await inventory(place, false);
  const groups = found.groups.toSorted((a, b) => b.events - a.events);
  const sum = (values: readonly { readonly bytes: number }[]): number =>
    values.reduce((total, { bytes }) => total + bytes, 0);
  const quarantined = { files: view.quarantined.length, bytes: sum(view.quarantined) };
  const diskBytes = sum(view.segments) + quarantined.bytes;
  if (flags.json === true) {
    const list = groups.map(({ oldestUs, newestUs, ...group }) => {
      return { ...group, oldest: isoTime(oldestUs), newest: isoTime(newestUs) };
    });
    const segments = view.segments.length;
    print(json({ directory: place.named, daemon: place.pid, events: list, quarantined, segments, diskBytes }, 2));
    return;
  }
  const nowMs = Date.now();
  const lines = groups.map(({ stream, series, reason, events, bytes, oldestUs, newestUs }) => [
    plain(stream), series, reason, `${events}`, size(bytes), age(oldestUs, nowMs), age(newestUs, nowMs),
  ]); // biome-ignore format: one line of cells
  const head = ['stream', 'series', 'reason', 'events', 'bytes', 'oldest', 'newest'];
  if (lines.length > 0) print(table(head, lines).trimEnd());
  else note(`no events in ${place.named}: the DLQ is empty`);
  const kept =
    quarantined.files > 0 ? `; quarantined: ${size(quarantined.bytes)} in ${plural(quarantined.files, 'file')}` : '';
  note(`${size(diskBytes)} on disk in ${plural(view.segments.length, 'segment')}${kept}`);
}

export async function verify(place: Place, flags: ReadFlags): Promise<void> {
  const { view, found } = await inventory(place, true);
  const bad = [
    ...found.segments.filter((item) => item.ranges > 0 || item.failure !== undefined),
    ...view.segments.filter(({ problem }) => problem !== undefined).map((segment) => unread(segment)),
  ];
  const events = found.segments.reduce((sum, { waiting, done, repeated }) => sum + waiting + done + repeated, 0);
  const bytes = view.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const isWhole = bad.length === 0 && view.checkpointDamage === undefined;
  if (flags.json === true) {
    const damage = bad.map((item) => {
      const { segment, damage: ranges, ranges: count, damagedBytes } = item;
      return { segment: segment.name, problem: problemOf(item), damagedBytes, count, ranges };
    });
    const checkpoint = view.checkpointDamage ?? 'whole';
    print(json({ ok: isWhole, segments: view.segments.length, events, bytes, checkpoint, damage }, 2));
  } else {
    for (const item of bad) printDamage(item);
    if (view.checkpointDamage !== undefined) {
      print(`checkpoint: ${view.checkpointDamage}: more than necessary is replayed at the next start`);
    }
    note(
      `${plural(view.segments.length, 'segment')}, ${plural(events, 'event')}, ${size(bytes)} read; ${isWhole ? 'all whole' : 'damage found'}`,
    );
  }
  if (!isWhole) process.exitCode = 1;
}

function printDamage(item: SegmentInventory): void {
  const { segment, damage, ranges } = item;
  const problem = problemOf(item);
  if (problem !== undefined) print(`${segment.name}: ${plain(problem)}`);
  for (const { from, to, cause } of damage) print(`${segment.name}: bytes ${from} to ${to - 1}: damaged ${cause}`);
  if (ranges > damage.length) print(`${segment.name}: and ${ranges - damage.length} more`);
}

function problemOf({ segment, failure }: SegmentInventory): string | undefined {
  return segment.problem ?? failure;
}

/** Data: the only thing on stdout. */
function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** For people, who may have redirected the data. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
