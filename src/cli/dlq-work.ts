/**
 * `spillway dlq replay` and `purge`: what changes the DLQ. Main thread; through the control socket where a daemon runs, otherwise
 * on the directory itself, with its lock taken. Dead letters alone are meant: spills go back by themselves.
 */
import { createInterface } from 'node:readline/promises';
import { SpillwayError } from '../base/errors.ts';
import { askDaemon } from '../daemon/control-client.ts';
import { controlPath, type WorkAsk } from '../daemon/control-messages.ts';
import { StateLock } from '../daemon/state-lock.ts';
import { openAtRest } from '../dlq/at-rest.ts';
import type { Work, WorkCounts } from '../dlq/dead-letters.ts';
import { type Filter, judgeOf } from '../dlq/filter.ts';
import { Inventory } from '../dlq/inventory.ts';
import { Kind } from '../dlq/layout.ts';
import { walk } from '../dlq/walk.ts';
import { systemClock } from '../edges/clock.ts';
import { realFiles } from '../edges/files.ts';
import { systemRandom } from '../edges/random.ts';
import { type FilterFlags, filterFrom } from './dlq-flags.ts';
import { type Place, requireAnswer, unusable } from './dlq-place.ts';
import { Progress } from './dlq-progress.ts';
import { interruption, note, viewOf } from './dlq-read.ts';
import { json, plain, plural, size } from './dlq-text.ts';

export interface WorkFlags extends FilterFlags {
  readonly json?: true;
  readonly dryRun?: true;
}

export interface ReplayFlags extends WorkFlags {
  readonly to?: string;
  readonly rate?: number;
}

export interface PurgeFlags extends WorkFlags {
  readonly yes?: true;
}

type What = 'replay' | 'purge';

export async function replay(place: Place, flags: ReplayFlags): Promise<void> {
  const { to, rate } = flags;
  if (place.pid === undefined && rate !== undefined) {
    throw new SpillwayError(
      'usage',
      '--rate paces a running daemon, and none has this directory: leave it out, or start one',
    );
  }
  await work('replay', place, flags, {
    ask: 'replay',
    filter: filterFrom(flags),
    ...(to === undefined ? {} : { to }),
    ...(rate === undefined ? {} : { perSecond: rate }),
  });
}

export async function purge(place: Place, flags: PurgeFlags): Promise<void> {
  const filter = filterFrom(flags);
  if (flags.yes !== true && flags.dryRun !== true && !(await isConfirmed(place, filter))) return;
  await work('purge', place, flags, { ask: 'purge', filter });
}

async function isConfirmed(place: Place, filter: Filter): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new SpillwayError(
      'usage',
      'purge throws events away for good: say --yes where there is no terminal to ask on',
    );
  }
  const { events, bytes } = await count(place, filter);
  if (events === 0) {
    note('no dead letter is meant by these flags');
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(
      `Throw away ${plural(events, 'dead letter')}, ${size(bytes)}, for good? [y/N] `,
    );
    if (/^y(es)?$/i.test(answer.trim())) return true;
    note('nothing was thrown away');
    return false;
  } finally {
    terminal.close();
  }
}

async function work(what: What, place: Place, flags: WorkFlags, ask: WorkAsk): Promise<void> {
  if (flags.dryRun === true) return tellDryRun(what, await count(place, ask.filter), flags);
  if (place.pid !== undefined && place.facts === undefined) requireAnswer(place);
  const progress = new Progress(done(what));
  const { isInterrupted, end } = interruption();
  let failure: Error | undefined;
  try {
    if (place.pid === undefined) await workAtRest(place, ask, isInterrupted, progress);
    else await workRunning(place, ask, isInterrupted, progress);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  } finally {
    progress.end();
    end();
  }
  if (failure === undefined || progress.counts.events > 0) tell(what, place, progress.counts, flags);
  if (failure !== undefined) throw failure;
  if (isInterrupted())
    throw new SpillwayError('interrupted', 'interrupted; what was done stays done: start again for the rest');
}

async function workRunning(
  { state }: Place,
  ask: WorkAsk,
  isInterrupted: () => boolean,
  progress: Progress,
): Promise<void> {
  const asked = await askDaemon(controlPath(state), ask);
  const look = setInterval(() => {
    if (!isInterrupted()) return;
    clearInterval(look);
    asked.stop();
  }, 50);
  try {
    for await (const reply of asked.replies) if (reply.reply !== 'facts') progress.show(reply as unknown as WorkCounts);
  } finally {
    clearInterval(look);
  }
}

async function workAtRest(place: Place, ask: WorkAsk, isInterrupted: () => boolean, progress: Progress): Promise<void> {
  const { stateDir, state, directory, keys } = place;
  const view = await viewOf(place);
  const lock = await StateLock.take(realFiles, state).catch((error: unknown) => {
    throw unusable(stateDir, error);
  });
  try {
    const found = new Inventory();
    await walk(view, { files: realFiles, directory, payloads: false, keys }, found);
    const to = ask.ask === 'replay' ? ask.to : undefined;
    const streams = [...new Set([...found.groups.map(({ stream }) => stream), ...view.positions.byName.keys()])];
    if (to !== undefined && !streams.includes(to)) streams.push(to);
    const dlq = await openAtRest({
      directory,
      files: realFiles,
      clock: {
        nowMs: () => systemClock.nowMs(),
        after: (delayMs, run) => {
          const timer = setTimeout(run, delayMs);
          return () => clearTimeout(timer);
        },
      },
      randomWord: () => systemRandom.bytes(4).readUInt32LE(0),
      keys,
      streams,
      onEvent: ({ change, ...fields }) => {
        if (tellingChanges.has(change)) note(`${change}: ${plain(JSON.stringify(fields))}`);
      },
    });
    const job: Work = {
      filter: ask.filter,
      replay: ask.ask === 'purge' ? undefined : { to: to === undefined ? undefined : streams.indexOf(to) },
      isStopped: isInterrupted,
      onGone: () => undefined,
      onProgress: (counts) => progress.show(counts),
    };
    try {
      progress.show(await dlq.deadLetters.run(job));
    } finally {
      if (!(await dlq.close())) note('the disk keeps failing: not all that was begun is written');
    }
  } finally {
    await lock.giveBack();
  }
}

/** What of the DLQ's reports a person should see who works on it. */
const tellingChanges: ReadonlySet<string> = new Set([
  'torn', 'quarantined', 'damaged', 'set_aside', 'damaged_events', 'attempt_failed', 'failing', 'checkpoint_damaged',
]); // biome-ignore format: one line of names

/** Dead letters that a filter means, and their bytes, from the files. */
async function count(place: Place, filter: Filter): Promise<{ events: number; bytes: number }> {
  const view = await viewOf(place);
  const judge = judgeOf(filter);
  const segments = view.segments.filter(({ kind }) => kind === Kind.dead);
  const { isInterrupted, end } = interruption();
  const sum = new Inventory();
  await walk(
    { ...view, segments },
    { files: realFiles, directory: place.directory, payloads: true, keys: place.keys },
    {
      opened: (segment) => sum.opened(segment),
      entry: (memory, at, stream, state) => {
        if (judge(memory, at)) sum.entry(memory, at, stream, state);
        return true;
      },
      damage: () => undefined,
      pause: () => new Promise((resolve) => setImmediate(() => resolve(!isInterrupted()))),
    },
  );
  end();
  if (isInterrupted())
    throw new SpillwayError('interrupted', 'interrupted before all was counted; nothing was changed');
  return sum.groups.reduce((all, { events, bytes }) => ({ events: all.events + events, bytes: all.bytes + bytes }), {
    events: 0,
    bytes: 0,
  });
}

function tellDryRun(what: What, { events, bytes }: { events: number; bytes: number }, flags: WorkFlags): void {
  if (flags.json === true) process.stdout.write(`${json({ dryRun: true, events, bytes })}\n`);
  else note(`${plural(events, 'dead letter')}, ${size(bytes)}, would be ${done(what)}; nothing was changed`);
}

function tell(what: What, place: Place, counts: WorkCounts, flags: WorkFlags): void {
  const { events, bytes, unknownStream, tooLarge, damaged } = counts;
  if (flags.json === true) {
    const { isStopped } = counts;
    process.stdout.write(`${json({ dryRun: false, events, bytes, unknownStream, tooLarge, damaged, isStopped })}\n`);
    return;
  }
  const where = place.pid === undefined && what === 'replay' ? ' when the daemon starts' : '';
  const verb = where === '' ? 'were' : 'will be';
  note(
    `${plural(events, 'dead letter')}, ${size(bytes)}, ${events === 1 && where === '' ? 'was' : verb} ${done(what)}${where}`,
  );
  if (unknownStream > 0) {
    note(
      `${plural(unknownStream, 'letter')} left: the daemon has no such stream; add it to its configuration, or name another with --to`,
    );
  }
  if (tooLarge > 0) {
    note(
      `${plural(tooLarge, 'letter')} left: larger than record_bytes_max of the stream; raise it there and on the stream`,
    );
  }
  if (damaged > 0) note(`${plural(damaged, 'damaged letter')} moved to quarantine, beside the segments`);
}

function done(what: What): string {
  return what === 'purge' ? 'thrown away' : 'sent again';
}
