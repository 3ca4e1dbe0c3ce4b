/**
 * `spillway dlq`: looks into the DLQ and works on it, beside a running daemon or without one. Main thread; finds out by itself
 * which of the two it is. Reading never changes anything; what changes is done by the daemon where one runs.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { reasonNames } from '../dlq/reasons.ts';
import { streamName, withFilter } from './dlq-flags.ts';
import { findPlace, type PlaceFlags } from './dlq-place.ts';
import { ls, type ReadFlags, stat, verify } from './dlq-read.ts';
import { type ShowFlags, show } from './dlq-show.ts';
import { type PurgeFlags, purge, type ReplayFlags, replay } from './dlq-work.ts';

const filterHelp = `
Times are those at which events were first seen. Reasons: ${reasonNames.join(', ')}.`;

const replayHelp = `
Only dead letters: spills go back by themselves. A letter that is sent again becomes a spill, and goes back as all do:
paced by the room in the rings, each stream for itself. What Kinesis refuses once more becomes a dead letter again.
With a daemon running it is done beside the traffic. Without one the letters are made ready, and sent when it starts.
Ctrl-C ends it, and a new start goes on: what was sent again is no dead letter any more. A kill in the middle loses
nothing, and may send letters twice: those of the last 5 seconds, of one segment.
${filterHelp}`;

const purgeHelp = `
Only dead letters, and for good; the daemon counts them as dropped. Asks on a terminal, and needs --yes without one.
Quarantined bytes are files of their own, which are yours to remove.
${filterHelp}`;

export function command(): Command {
  const dlq = new Command('dlq').description('look into the DLQ, send dead letters again or throw them away');
  dlq.addCommand(
    located('ls', 'list the segments: series, run, state, events, time range, streams').action((flags) =>
      at<ReadFlags>(flags, ls),
    ),
  );
  dlq.addCommand(
    located('stat', 'count what waits, by stream, series and reason').action((flags) => at<ReadFlags>(flags, stat)),
  );
  dlq.addCommand(
    withFilter(located('show', 'print events, one JSON line each, oldest first'))
      .addOption(new Option('--series <name>', 'only of this series').choices(['spill', 'dead', 'journal']))
      .addOption(new Option('--limit <n>', 'at most so many').argParser(wholeNumber))
      .option('--raw', 'data alone, each followed by a newline')
      .option('--raw0', 'data alone, each followed by a zero byte')
      .addHelpText('after', filterHelp)
      .action((flags) => at<ShowFlags>(flags, show)),
  );
  dlq.addCommand(
    located('verify', 'check every byte; ends with 1 when there is damage').action((flags) =>
      at<ReadFlags>(flags, verify),
    ),
  );
  dlq.addCommand(
    withFilter(located('replay', 'send dead letters again'))
      .addOption(new Option('--to <stream>', 'all to this stream (default: each to its own)').argParser(streamName))
      .addOption(new Option('--rate <events/s>', 'at most so many per second; needs a running daemon').argParser(rate))
      .option('--dry-run', 'count them only')
      .addHelpText('after', replayHelp)
      .action((flags) => at<ReplayFlags>(flags, replay)),
  );
  dlq.addCommand(
    withFilter(located('purge', 'throw dead letters away'))
      .option('--yes', 'do not ask')
      .option('--dry-run', 'count them only')
      .addHelpText('after', purgeHelp)
      .action((flags) => at<PurgeFlags>(flags, purge)),
  );
  return dlq;
}

function located(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option(
      '-c, --config <file>',
      'configuration of the daemon (default: $SPILLWAY_CONFIG, /etc/spillway/spillway.toml)',
    )
    .option('--state-dir <dir>', 'its state directory, instead')
    .addOption(
      new Option(
        '--key-file <file>',
        'key of encrypted segments, instead of dlq.encryption_key; give two, the newer one last, after a change of keys',
      ).argParser((file, before: readonly string[] | undefined) => [...(before ?? []), file]),
    )
    .option('--json', 'print JSON');
}

async function at<Flags>(
  flags: Flags & PlaceFlags,
  act: (place: Awaited<ReturnType<typeof findPlace>>, flags: Flags) => Promise<void>,
): Promise<void> {
  await act(await findPlace(flags), flags);
}

function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError('Give a whole number, 1 or more.');
}

function rate(text: string): number {
  const value = Number(/^(\d+(?:\.\d+)?)(?:\/s)?$/.exec(text)?.[1]);
  if (value > 0 && value < 1e9) return value;
  throw new InvalidArgumentError('Give events per second, as in 100 or 100/s.');
}
