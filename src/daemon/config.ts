/**
 * The configuration: from TOML text and environment to one readonly value, or to all of its mistakes at once. Main thread,
 * once at the start; called by `run` and `check`. It reads no file and no environment itself (edges/config-file.ts does).
 *
 * Values are checked against the option table by its own kinds, not by zod: importing zod costs 57 ms of CPU and 13 MiB in every
 * daemon (measured: `node -e "import('zod')"` with process.cpuUsage and memoryUsage around it). zod builds the JSON Schema
 * where one is asked for (daemon/schema.ts), and a test holds the two against each other.
 */
import type { AlertRule } from '../alerts/rules.ts';
import { assert, unreachable } from '../base/assert.ts';
import { formatSize } from '../base/units.ts';
import type { ListenFileNames } from '../edges/listen-files.ts';
import { alertRules } from './alert-config.ts';
import { arnParts, crossChecks } from './cross-checks.ts';
import { memoryOf } from './demand.ts';
import { chosenLanes } from './lanes.ts';
import { configError, type Mistake } from './mistakes.ts';
import type { SectionName, SectionValues } from './options.ts';
import { readTable, type Table } from './tables.ts';
import { type ConfigSource, readWritten } from './written.ts';
import type { Address } from './written-forms.ts';

/** `lanes` is at least 1 here: 0 has been replaced by the choice for this machine. */
export type DaemonConfig = SectionValues<'daemon'>;
export type BreakerConfig = SectionValues<'breaker'>;
export type DlqConfig = SectionValues<'dlq'>;
export type JournalConfig = SectionValues<'journal'>;
export type LogConfig = SectionValues<'log'>;
export type NotifyConfig = SectionValues<'notify'>;

export interface StreamConfig extends Omit<SectionValues<'stream'>, 'region' | 'streamName'> {
  readonly region: string;
  /** Kinesis' name of the stream. */
  readonly streamName: string;
}

interface AnyListenConfig
  extends Omit<
    SectionValues<'listen'>,
    'kind' | 'path' | 'mode' | 'address' | 'stream' | 'bodyBytesMax' | keyof ListenFileNames
  > {
  /** Stream of events that name none; undefined: such events are refused. */
  readonly stream: string | undefined;
}

export interface UnixListenConfig extends AnyListenConfig {
  readonly kind: 'unix';
  readonly path: string;
  /** Permission bits: 0o660. */
  readonly mode: number;
  readonly stream: string;
}

export interface HttpListenConfig extends AnyListenConfig, ListenFileNames {
  readonly kind: 'http';
  readonly address: Address;
  readonly bodyBytesMax: number;
}

/** `connectionsMax` and `idleTimeoutMs` mean nothing here: there is one input, and its end is the end. */
export interface StdinListenConfig extends AnyListenConfig {
  readonly kind: 'stdin';
  readonly stream: string;
}

export type ListenConfig = UnixListenConfig | HttpListenConfig | StdinListenConfig;

export interface Config {
  readonly daemon: DaemonConfig;
  readonly streams: readonly [StreamConfig, ...StreamConfig[]];
  readonly listeners: readonly [ListenConfig, ...ListenConfig[]];
  readonly breaker: BreakerConfig;
  readonly dlq: DlqConfig;
  readonly journal: JournalConfig;
  readonly log: LogConfig;
  /** All that are watched: those that are there unasked, as the tables change them, and those of the tables. */
  readonly alerts: readonly AlertRule[];
  readonly notify: NotifyConfig;
}

export type LoadedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly mistakes: readonly Mistake[] };

/** Reads a whole configuration. Never throws for what an operator wrote: mistakes are in the result, all of them. */
export function loadConfig(source: ConfigSource): LoadedConfig {
  const written = readWritten(source);
  const mistakes = [...written.mistakes];
  const all = <Name extends SectionName>(section: Name): Table<Name>[] =>
    written.tables.filter((table) => table.section === section).map((table) => readTable(section, table, mistakes));
  const one = <Name extends SectionName>(section: Name): Table<Name> => present(all(section)[0]);
  const daemon = one('daemon');
  const tables = {
    file: source.file,
    streams: all('stream'),
    listeners: all('listen'),
    breaker: one('breaker'),
    dlq: one('dlq'),
    log: one('log'),
    alerts: all('alert'),
    notify: one('notify'),
    regionVariable: source.environment['AWS_REGION'] ?? source.environment['AWS_DEFAULT_REGION'],
  };
  const journal = one('journal');
  // A file that is not TOML says nothing about what is missing from it.
  if (!written.isToml) return { ok: false, mistakes };
  mistakes.push(...crossChecks(tables));
  if (mistakes.length > 0) return { ok: false, mistakes };

  const streams = tables.streams.map((stream) => streamConfig(complete(stream), tables.regionVariable ?? ''));
  const asked: Config = {
    daemon: complete(daemon),
    streams: nonEmpty(streams),
    listeners: nonEmpty(tables.listeners.map((listener) => listenConfig(complete(listener), streams))),
    breaker: complete(tables.breaker),
    dlq: complete(tables.dlq),
    journal: complete(journal),
    log: complete(tables.log),
    alerts: alertRules(tables.alerts.map(complete)),
    notify: complete(tables.notify),
  };
  const withLanes = (lanes: number): Config => ({ ...asked, daemon: { ...asked.daemon, lanes } });
  const lanes = asked.daemon.lanes || chosenLanes(source.cores, (count) => memoryOf(withLanes(count)).ringBytes);
  const config = withLanes(lanes);
  const shortage = memoryShortage(config, daemon);
  return shortage === undefined ? { ok: true, config } : { ok: false, mistakes: [shortage] };
}

/** The configuration, or one `config` error that lists every mistake. */
export function requireConfig(loaded: LoadedConfig): Config {
  if (!loaded.ok) throw configError(loaded.mistakes);
  return loaded.config;
}

/**
 * What `run --embedded` runs without a file: one stream, "orders", taken from a unix socket below `stateDir` and over HTTP on
 * a free port of this machine. Set over by `environment` like any other configuration.
 */
export function embeddedConfig(stateDir: string, source: Omit<ConfigSource, 'text' | 'file'>): LoadedConfig {
  const text = `
[daemon]
state_dir = ${JSON.stringify(stateDir)}
[[stream]]
name = "orders"
region = "us-east-1"
[[listen]]
kind = "unix"
path = ${JSON.stringify(`${stateDir}/spillway.sock`)}
stream = "orders"
[[listen]]
kind = "http"
address = "127.0.0.1:0"
stream = "orders"
`;
  return loadConfig({ ...source, text, file: 'the built-in configuration of --embedded' });
}

/** The same configuration with every stream at another endpoint, that of the simulator inside, which no proxy leads to. */
export function withEndpoint(config: Config, endpoint: string, caFile: string | undefined): Config {
  return {
    ...config,
    streams: nonEmpty(config.streams.map((stream) => ({ ...stream, endpoint, caFile, proxy: undefined }))),
  };
}

function streamConfig(values: SectionValues<'stream'>, regionVariable: string): StreamConfig {
  const arn = arnParts(values.streamArn);
  return {
    ...values,
    region: values.region ?? arn?.region ?? regionVariable,
    streamName: values.streamName ?? arn?.streamName ?? values.name,
  };
}

function listenConfig(values: SectionValues<'listen'>, streams: readonly StreamConfig[]): ListenConfig {
  const { kind, path, mode, address, bodyBytesMax, stream: named, ...others } = values;
  const { certFile, keyFile, tokenFile, clientCaFile, ...rest } = others;
  const stream = named ?? (streams.length === 1 ? streams[0]?.name : undefined);
  switch (kind) {
    case 'unix':
      return { ...rest, kind, path: present(path), mode, stream: present(stream) };
    case 'http':
      return {
        ...rest,
        certFile,
        keyFile,
        tokenFile,
        clientCaFile,
        kind,
        address: present(address),
        bodyBytesMax,
        stream,
      };
    case 'stdin':
      return { ...rest, kind, stream: present(stream) };
    default:
      return unreachable(kind);
  }
}

function memoryShortage(config: Config, daemon: Table<'daemon'>): Mistake | undefined {
  const { lanes } = config.daemon;
  const { ringBytes, budgetBytesLeast } = memoryOf(config);
  if (ringBytes > 0) return undefined;
  const leastText = formatSize(Math.ceil(budgetBytesLeast / 1024 ** 2) * 1024 ** 2);
  return daemon.mistake(
    'memory_budget',
    `too small for ${lanes} lane(s): at least "${leastText}", or fewer lanes, requests_in_flight or batch_bytes`,
  );
}

/** The values of a table in which there was no mistake: every key is read, so the type holds. */
function complete<Name extends SectionName>(table: Table<Name>): SectionValues<Name> {
  return table.values as unknown as SectionValues<Name>;
}

/** What the cross checks have already made sure of. */
function present<V>(value: V | undefined): V {
  assert(value !== undefined, 'the checks of a configuration leave nothing out that it needs');
  return value;
}

function nonEmpty<V>(values: readonly V[]): readonly [V, ...V[]] {
  const [first, ...rest] = values;
  return [present(first), ...rest];
}
