/**
 * `spillway top`: the running daemon, live. Main thread; asks for the status once an interval, and changes nothing.
 *
 * On a terminal a screen that ends with q; elsewhere a frame after the other. `--json` has an object a line, `--once` a single one of
 * either, after an interval, so that it has rates. A daemon that goes away is waited for: a restart is what one wants to watch.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { SpillwayError, toPlainError } from '../base/errors.ts';
import { formatDuration, parseDuration } from '../base/units.ts';
import { systemClock } from '../edges/clock.ts';
import { withAccessFlags } from './http-access.ts';
import { frame, type Line } from './top-frame.ts';
import { History, type Sample, sampleOf } from './top-sample.ts';
import { TopScreen } from './top-screen.ts';
import { type Source, type SourceFlags, sourceOf } from './top-source.ts';

interface Flags extends SourceFlags {
  readonly interval: number;
  readonly once?: true;
  readonly json?: true;
}

const intervalDefault = '1s';
const intervalMsMin = 100;
const intervalMsMax = 60_000;
/** Looks that sparklines remember: more than terminals have columns. */
const historyLength = 512;

export function command(): Command {
  const live = new Command('top')
    .description('the running daemon, live: rates, backlog, breakers, alerts')
    .option('-c, --config <file>', 'its configuration (default: $SPILLWAY_CONFIG,\n/etc/spillway/spillway.toml)')
    .option('--state-dir <dir>', 'its state directory, instead')
    .option('--to <url>', 'its HTTP listener, instead, such as http://127.0.0.1:7070');
  return withAccessFlags(live)
    .addOption(
      new Option('-i, --interval <duration>', 'time between two looks')
        .argParser(intervalOf)
        .default(parseDuration(intervalDefault), intervalDefault),
    )
    .option('--once', 'one look, after an interval, and out')
    .option('--json', 'an object a line: rates beside what GET /v1/status answers')
    .addHelpText('after', '\nq or Ctrl-C ends it. NO_COLOR=1 leaves colours out, TERM=dumb everything but text.')
    .action(top);
}

async function top(flags: Flags): Promise<void> {
  const source = sourceOf(flags);
  if (flags.once === true) await once(source, flags);
  else await watch(source, flags);
}

async function once(source: Source, { interval, json }: Flags): Promise<void> {
  const first = sampleOf(await source.ask(), systemClock.nowMs(), undefined);
  await new Promise((resolve) => setTimeout(resolve, interval));
  const sample = sampleOf(await source.ask(), systemClock.nowMs(), first);
  if (json === true) return printJson(sample);
  const history = new History(historyLength);
  for (const each of [first, sample]) history.add(each);
  const screen = new TopScreen(process.stdout, process.env, false, { onEnd: () => {}, onResize: () => {} });
  screen.show(frame(sample, history, screen.size));
}

/** Until the user ends it. A first look that fails is an error; later ones are waited for. */
async function watch(source: Source, { interval, json }: Flags): Promise<void> {
  const history = new History(historyLength);
  const ending = { asked: false };
  let wake = (): void => {};
  let last: Sample | undefined;
  let trouble: string | undefined;
  const end = (): void => {
    ending.asked = true;
    wake();
  };
  const draw = (): void => {
    if (last !== undefined) screen.show([...frame(last, history, roomFor(screen, trouble)), ...troubleLine(trouble)]);
  };
  const screen = new TopScreen(process.stdout, process.env, json !== true, { onEnd: end, onResize: draw });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  try {
    while (!ending.asked) {
      try {
        last = sampleOf(await source.ask(), systemClock.nowMs(), last);
        history.add(last);
        trouble = undefined;
      } catch (error) {
        if (last === undefined || !isPassing(error)) throw error;
        trouble = toPlainError(error).message;
      }
      if (ending.asked) break;
      screen.open();
      if (json !== true) draw();
      else if (trouble === undefined) printJson(last);
      else process.stderr.write(`spillway: ${trouble}\n`);
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, interval);
      });
    }
  } finally {
    screen.close();
  }
  // A timer, or an answer that is still to come, would keep the process.
  process.stdout.write('', () => process.exit());
}

function isPassing(error: unknown): boolean {
  return error instanceof SpillwayError && error.code === 'daemon_silent';
}

function roomFor(screen: TopScreen, trouble: string | undefined): TopScreen['size'] {
  const { size } = screen;
  return trouble === undefined ? size : { ...size, rows: size.rows - 1 };
}

function troubleLine(trouble: string | undefined): Line[] {
  return trouble === undefined ? [] : [[{ tone: 'bad', text: `waiting for the daemon: ${trouble}` }]];
}

function printJson({ atMs, pid, status, rates, streamRates }: Sample): void {
  const at = new Date(atMs).toISOString();
  process.stdout.write(`${JSON.stringify({ at, pid, rates, streamRates, status })}\n`);
}

function intervalOf(text: string): number {
  try {
    const ms = parseDuration(text);
    if (ms >= intervalMsMin && ms <= intervalMsMax) return ms;
  } catch (error) {
    throw new InvalidArgumentError(toPlainError(error).message);
  }
  const range = `${formatDuration(intervalMsMin)} to ${formatDuration(intervalMsMax)}`;
  throw new InvalidArgumentError(`must be from ${range}`);
}
