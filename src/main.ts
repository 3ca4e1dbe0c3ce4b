#!/usr/bin/env node
/**
 * The binary `spillway`: picks a command by its name and loads that one file. Main thread.
 *
 * Each command is a file of src/cli whose `command()` gives a commander Command; only the chosen one is imported, so that `hist`
 * does not pay for the daemon. Exit codes: 0 done, 1 failed while running, 2 wrong usage, 78 wrong configuration. An error is
 * one message on stderr; SPILLWAY_DEBUG=1 adds the stack.
 */
import { Command, CommanderError } from 'commander';
import { SpillwayError } from './base/errors.ts';
import { version } from './edges/version.ts';

/** Names of the files in src/cli, and what `--help` says of them. */
const commands: Readonly<Record<string, string>> = {
  run: 'run the daemon in the foreground',
  check: 'find every mistake of a configuration',
  send: 'send lines of a file or of stdin to a running daemon',
  dlq: 'look into the DLQ, send dead letters again or throw them away',
  hist: "latency percentiles from the daemon's log",
  top: 'the running daemon, live: rates, backlog, breakers, alerts',
  sim: 'run the Kinesis simulator as a process of its own',
};

const exitCodes: Readonly<Record<string, number>> = { usage: 2, config: 78, dlq_key: 78 };

async function main(arguments_: readonly string[]): Promise<void> {
  const program = new Command('spillway')
    .description('Takes events from local programs and delivers them to Amazon Kinesis Data Streams.')
    .version(version, '-V, --version', 'print the version');
  const words = arguments_.filter((word) => !word.startsWith('-'));
  const picked = words[0] === 'help' ? words[1] : words[0];
  for (const [name, summary] of Object.entries(commands)) {
    program.addCommand(name === picked ? await load(name) : new Command(name).description(summary));
  }
  adopt(program);
  await program.parseAsync(arguments_, { from: 'user' });
}

async function load(name: string): Promise<Command> {
  const { command } = (await import(new URL(`./cli/${name}.js`, import.meta.url).href)) as {
    readonly command: () => Command;
  };
  return command();
}

/**
 * commander ends the process by itself, and with 1 for wrong usage, unless told not to; and it names no program in its
 * messages. Commands that were made elsewhere inherit neither setting.
 */
function adopt(command: Command): void {
  command.exitOverride();
  command.configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'spillway: ')) });
  for (const subcommand of command.commands) adopt(subcommand);
}

/** Says what went wrong; returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // commander has already printed its message, or the help or version that was asked for.
    return error.exitCode === 0 ? 0 : 2;
  }
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`spillway: ${message}\n`);
  if (process.env['SPILLWAY_DEBUG'] === '1' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof SpillwayError ? (exitCodes[error.code] ?? 1) : 1;
}

// `spillway hist | head` ends when head has seen enough: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error);
  // A failed command may have left a socket open: leave, but not before a pipe has taken what was printed.
  process.stdout.write('', () => process.stderr.write('', () => process.exit()));
}
