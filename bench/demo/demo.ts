/**
 * `npm run demo`: a sale day on real data, with a real daemon, a real endpoint that dies at the peak, and real senders. Ends
 * with 0 only if no event was lost or altered and the books balance; with 130 after Ctrl-C, which leaves nothing behind.
 *
 * ```
 *   senders (6 processes) ─ unix socket ─▶ daemon (process) ─ HTTPS ─▶ Kinesis simulator (process)
 *                                            │ status, log                 │ faults, read-back
 *                                            └────────────▶ this ◀─────────┘
 * ```
 */
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { LatencyMerge } from '../../src/observe/hist.ts';
import { Flights } from './flights.ts';
import { daySvg } from './picture.ts';
import { eventsMin, planDay, sendersMax } from './plan.ts';
import { count, Screen } from './screen.ts';
import { Stage, shards } from './stage.ts';
import { Story } from './story.ts';
import { printSummary, shortcomings } from './summary.ts';

const eventsDefault = 600_000;
const eventsMost = 5_000_000;
/** A day for tests: as many events as make a story, and eight times faster. */
const smoke = { events: 6_000, pace: 8 } as const;

interface Options {
  readonly events?: number;
  readonly svg?: string;
  readonly keep?: true;
  readonly smoke?: true;
}

class Interrupted extends Error {}

await new Command('demo')
  .description('a sale day: the endpoint dies at the peak, and not one event is lost')
  .option('--events <n>', `events of the day (default: ${eventsDefault})`, eventCount)
  .option('--svg <file>', 'where the picture goes (default: a temporary file, which is named)')
  .option('--keep', "keep the temporary directory: configuration, daemon's log, state")
  .option('--smoke', `a short day of ${smoke.events} events`)
  .action(async (options: Options) => {
    process.exitCode = await demo(options);
  })
  .parseAsync();

async function demo(options: Options): Promise<number> {
  const screen = new Screen(process.stdout);
  const interrupted = new Promise<never>((_, reject) => {
    const interrupt = (): void => {
      screen.close();
      reject(new Interrupted());
    };
    // Later signals change nothing: what follows takes seconds at most.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupt);
    // The reader of a pipe has gone.
    process.stdout.on('error', interrupt);
  });
  interrupted.catch(() => {});
  try {
    return await play(options, screen, interrupted);
  } catch (error) {
    screen.close();
    if (!(error instanceof Interrupted)) throw error;
    process.stderr.write('interrupted; everything is stopped\n');
    return 130;
  }
}

async function play(options: Options, screen: Screen, interrupted: Promise<never>): Promise<number> {
  const events = options.events ?? (options.smoke ? smoke.events : eventsDefault);
  const merge = (): LatencyMerge => new LatencyMerge({ by: 'total', windowMs: 1_000, series: false });
  const latencies = { calm: merge(), all: merge() };
  let story: Story | undefined;
  screen.print(
    `${screen.style('bold', 'spillway: a sale day')}, ${count(events)} events of 200,000 real flights (vega-datasets)`,
  );
  const stage = await Stage.open({
    events,
    senders: sendersMax,
    logInterval: '1s',
    keep: options.keep === true,
    onLine: (line, printed) => {
      latencies.all.addLine(printed);
      if (story?.calm) latencies.calm.addLine(printed);
      story?.heard(line);
    },
  });
  try {
    screen.print(
      `one daemon with its defaults, a stream of ${shards} shards behind HTTPS, ${sendersMax} senders on a unix socket\n`,
    );
    story = new Story(stage, screen, new Flights(events), events);
    const day = await Promise.race([story.play(planDay(events, options.smoke ? smoke.pace : 1)), interrupted]);
    printSummary(screen, day, latencies);
    const svg = options.svg ?? join(options.keep ? stage.directory : tmpdir(), 'spillway-sale-day.svg');
    await writeFile(svg, daySvg(day));
    screen.print(`\npicture  ${svg}`);
    if (options.keep) screen.print(`kept     ${stage.directory}`);
    const wrong = shortcomings(day, events);
    for (const text of wrong) screen.print(screen.style('red', `failed: ${text}`));
    if (wrong.length === 0)
      screen.print(screen.style('green', 'Nothing lost, nothing altered, and the books balance.'));
    return wrong.length === 0 ? 0 : 1;
  } finally {
    screen.still();
    await stage.close();
  }
}

function eventCount(text: string): number {
  const value = Number(text.replaceAll(/[,_]/g, ''));
  if (!Number.isInteger(value) || value < eventsMin || value > eventsMost) {
    throw new InvalidArgumentError(`a whole number from ${count(eventsMin)} to ${count(eventsMost)}.`);
  }
  return value;
}
