/**
 * `spillway check`: every mistake of a configuration at once, or a summary of what would run. Main thread; starts nothing and
 * touches no state directory, and only with `--live` the network (cli/check-live.ts).
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { formatDuration, formatSize, parseDuration } from '../base/units.ts';
import type { Config, HttpListenConfig, ListenConfig, LoadedConfig } from '../daemon/config.ts';
import { memoryOf } from '../daemon/demand.ts';
import { loadNamed } from '../daemon/load.ts';
import { configError, withoutPassword } from '../daemon/mistakes.ts';
import { optionTableMarkdown } from '../daemon/option-table.ts';

interface Flags {
  readonly config?: string;
  readonly json?: true;
  readonly schema?: true;
  readonly table?: true;
  readonly live?: true;
  readonly timeout: number;
}

/** Longer than the slowest chain of credentials takes to give up, and shorter than a service manager waits for a start. */
const timeoutDefault = '20s';

export function command(): Command {
  return new Command('check')
    .description('find every mistake of a configuration')
    .option('-c, --config <file>', 'the configuration; else SPILLWAY_CONFIG, else /etc/spillway/spillway.toml')
    .option(
      '--live',
      'also ask Kinesis: credentials, permissions, limits, a dry run of PutRecords; ends with 1 on errors',
    )
    .addOption(
      new Option('--timeout <duration>', 'of --live: time for all questions about one stream')
        .argParser(durationOf)
        .default(parseDuration(timeoutDefault), timeoutDefault),
    )
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
    const loaded = loadNamed(flags.config);
    if (loaded.ok && flags.live) await reportLive(loaded.config, flags);
    else report(loaded, flags.json === true);
  }
}

function report(loaded: LoadedConfig, json: boolean): void {
  if (json) print(JSON.stringify(loaded, withoutSecrets, 2));
  if (!loaded.ok) {
    if (!json) throw configError(loaded.mistakes);
    process.exitCode = 78;
  } else if (!json) {
    print(summary(loaded.config));
  }
}

async function reportLive(config: Config, { json, timeout }: Flags): Promise<void> {
  const { checkLive, liveFailure, liveText } = await import('./check-live.ts');
  const live = await checkLive(config, timeout);
  print(json ? JSON.stringify({ ok: live.result !== 'error', ...live }, undefined, 2) : liveText(live));
  const failure = liveFailure(live);
  // A name server or a metadata service that is still being asked would keep the process: the answer is out.
  if (failure === undefined) process.stdout.write('', () => process.exit(0));
  else throw failure;
}

/**
 * What a report leaves out, for it is passed on: the password in a proxy's URL, what a role's trust policy asks for, the secret in the
 * path of a webhook.
 */
function withoutSecrets(key: string, value: unknown): unknown {
  if (key === 'webhook' && typeof value === 'string') return `${new URL(value).protocol}//${new URL(value).host}/...`;
  if (key === 'externalId' && value !== undefined) return '...';
  return key === 'proxy' ? withoutPassword(value) : value;
}

function durationOf(text: string): number {
  try {
    const ms = parseDuration(text);
    if (ms > 0) return ms;
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
  throw new InvalidArgumentError('must be longer than 0');
}

function summary(config: Config): string {
  const { lanes, memoryBudgetBytes, stateDir, drainTimeoutMs } = config.daemon;
  const { ringBytes } = memoryOf(config);
  const streams = config.streams.map(
    ({ name, streamName, region, endpoint, deadlineMs, overflow }) =>
      `stream    ${name} -> ${streamName} in ${region}${endpoint === undefined ? '' : ` at ${endpoint}`}, ` +
      `deadline ${formatDuration(deadlineMs)}, overflow ${overflow}`,
  );
  const isEncrypted = config.dlq.encryptionKey === undefined ? '' : ', encrypted';
  return [
    'The configuration is correct. It would run:',
    `lanes     ${lanes}, each with a ring of ${mebibytes(ringBytes)} per stream, of ${formatSize(memoryBudgetBytes)}`,
    `state     ${stateDir}, DLQ up to ${formatSize(config.dlq.maxBytes)}${isEncrypted}, drained within ${formatDuration(drainTimeoutMs)}`,
    ...streams,
    ...config.listeners.map((listener) => `listener  ${place(listener)}, stream ${listener.stream ?? '(as sent)'}`),
    `alerts    ${config.alerts.map(({ name }) => name).join(', ') || 'none'}; told to ${told(config.notify)}`,
  ].join('\n');
}

function told({ command: program, webhook }: Config['notify']): string {
  const hook = webhook === undefined ? [] : [`a webhook at ${new URL(webhook).host}`];
  return ['the log', ...(program === undefined ? [] : [program[0]]), ...hook].join(', ');
}

function place(listener: ListenConfig): string {
  switch (listener.kind) {
    case 'unix':
      return `unix ${listener.path}`;
    case 'http':
      return `${listener.certFile === undefined ? 'http' : 'https'} ${listener.address.host}:${listener.address.port}${guardsOf(listener)}`;
    case 'stdin':
      return 'stdin';
    default:
      return listener satisfies never;
  }
}

function guardsOf({ tokenFile, clientCaFile }: HttpListenConfig): string {
  const guards = [
    ...(tokenFile === undefined ? [] : ['tokens']),
    ...(clientCaFile === undefined ? [] : ['client certificates']),
  ];
  return guards.length === 0 ? '' : ` (${guards.join(', ')})`;
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)} MiB`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
