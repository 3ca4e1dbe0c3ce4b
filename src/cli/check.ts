/**
 * `spillway check`: every mistake of a configuration at once, or a summary of what would run. Main thread; starts nothing and
 * touches neither sockets nor the state directory.
 */
import { Command } from 'commander';
import { formatDuration, formatSize } from '../base/units.ts';
import type { Config, ListenConfig, LoadedConfig } from '../daemon/config.ts';
import { memoryOf } from '../daemon/demand.ts';
import { loadNamed } from '../daemon/load.ts';
import { configError } from '../daemon/mistakes.ts';
import { optionTableMarkdown } from '../daemon/option-table.ts';

interface Flags {
  readonly config?: string;
  readonly json?: true;
  readonly schema?: true;
  readonly table?: true;
}

export function command(): Command {
  return new Command('check')
    .description('find every mistake of a configuration')
    .option('-c, --config <file>', 'the configuration; else SPILLWAY_CONFIG, else /etc/spillway/spillway.toml')
    .option('--json', 'print the result as JSON')
    .option('--schema', 'print the JSON Schema of the configuration instead')
    .option('--table', 'print the table of all options as Markdown instead')
    .action(check);
}

async function check(flags: Flags): Promise<void> {
  if (flags.schema) {
    const { jsonSchema } = await import('../daemon/schema.ts');
    print(JSON.stringify(jsonSchema(), undefined, 2));
  } else if (flags.table) {
    process.stdout.write(optionTableMarkdown());
  } else {
    report(loadNamed(flags.config), flags.json === true);
  }
}

function report(loaded: LoadedConfig, json: boolean): void {
  if (json) print(JSON.stringify(loaded, undefined, 2));
  if (!loaded.ok) {
    if (!json) throw configError(loaded.mistakes);
    process.exitCode = 78;
  } else if (!json) {
    print(summary(loaded.config));
  }
}

function summary(config: Config): string {
  const { lanes, memoryBudgetBytes, stateDir, drainTimeoutMs } = config.daemon;
  const { ringBytes } = memoryOf(config);
  const streams = config.streams.map(
    ({ name, streamName, region, endpoint, deadlineMs, overflow }) =>
      `stream    ${name} -> ${streamName} in ${region}${endpoint === undefined ? '' : ` at ${endpoint}`}, ` +
      `deadline ${formatDuration(deadlineMs)}, overflow ${overflow}`,
  );
  return [
    'The configuration is correct. It would run:',
    `lanes     ${lanes}, each with a ring of ${mebibytes(ringBytes)} per stream, of ${formatSize(memoryBudgetBytes)}`,
    `state     ${stateDir}, DLQ up to ${formatSize(config.dlq.maxBytes)}, drained within ${formatDuration(drainTimeoutMs)}`,
    ...streams,
    ...config.listeners.map((listener) => `listener  ${place(listener)}, stream ${listener.stream ?? '(as sent)'}`),
  ].join('\n');
}

function place(listener: ListenConfig): string {
  switch (listener.kind) {
    case 'unix':
      return `unix ${listener.path}`;
    case 'http':
      return `http ${listener.address.host}:${listener.address.port}`;
    case 'stdin':
      return 'stdin';
    default:
      return listener satisfies never;
  }
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)} MiB`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
