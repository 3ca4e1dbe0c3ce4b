/**
 * What a configuration that was read again changes in a daemon that runs: the options whose rows say `reload` are taken over, every
 * other change is named, for a restart. Main thread; pure; called at SIGHUP.
 *
 * Streams are told apart by name, listeners by where they listen: one that comes, goes or moves wants a restart, and the others are
 * compared as if it had not. Alerts come and go.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AlertRule } from '../alerts/rules.ts';
import type { Config, ListenConfig, StreamConfig } from './config.ts';
import type { Option } from './kinds.ts';
import { optionsOf, type SectionName } from './options.ts';

export interface Reload {
  /** What is in force from now on. */
  readonly config: Config;
  /** Keys as an operator would say them, `breaker.open_at`, `stream orders: linger`: taken over. */
  readonly changed: readonly string[];
  /** And these wait for a restart. */
  readonly restart: readonly string[];
}

interface Changes {
  readonly changed: string[];
  readonly restart: string[];
}

const singles = ['daemon', 'breaker', 'dlq', 'journal', 'log', 'notify'] as const;

/** `before` is in force, `after` was read and is right in itself. */
export function planReload(before: Config, after: Config): Reload {
  const changes: Changes = { changed: [], restart: [] };
  const sections = singles.map((name) => [name, merge(name, `${name}.`, before[name], after[name], changes)]);
  const config: Config = {
    ...before,
    ...Object.fromEntries(sections),
    streams: mergeAll<StreamConfig>('stream', before.streams, after.streams, ({ name }) => name, changes),
    listeners: mergeAll<ListenConfig>('listen', before.listeners, after.listeners, placeOf, changes),
    alerts: mergeAlerts(before.alerts, after.alerts, changes),
  };
  return { config: withRoom(before, config, changes), ...changes };
}

function placeOf(listener: ListenConfig): string {
  if (listener.kind === 'stdin') return 'stdin';
  return listener.kind === 'unix' ? listener.path : `${listener.address.host}:${listener.address.port}`;
}

/** The list as it is in force: in the order of `before`, each with what it takes over from the one of the same identity. */
function mergeAll<Table extends object>(
  section: SectionName,
  before: readonly [Table, ...Table[]],
  after: readonly Table[],
  identity: (table: Table) => string,
  changes: Changes,
): readonly [Table, ...Table[]] {
  const known = new Map(after.map((table) => [identity(table), table]));
  const mergeOne = (table: Table): Table => {
    const id = identity(table);
    const next = known.get(id);
    known.delete(id);
    if (next !== undefined) return merge(section, `${section} ${id}: `, table, next, changes);
    changes.restart.push(`${section} ${id}: gone`);
    return table;
  };
  const [first, ...rest] = before;
  const merged = [mergeOne(first), ...rest.map(mergeOne)] as const;
  for (const id of known.keys()) changes.restart.push(`${section} ${id}: new`);
  return merged;
}

/** Those of `after`: alerts may come and go. */
function mergeAlerts(
  before: readonly AlertRule[],
  after: readonly AlertRule[],
  changes: Changes,
): readonly AlertRule[] {
  for (const { name } of before)
    if (!after.some((rule) => rule.name === name)) changes.changed.push(`alert ${name}: gone`);
  for (const rule of after) {
    const known = before.find(({ name }) => name === rule.name);
    if (known === undefined) changes.changed.push(`alert ${rule.name}: new`);
    else merge('alert', `alert ${rule.name}: `, known, rule, changes);
  }
  return after;
}

/** `before` with the values of `after` that may change in a daemon that runs. */
function merge<Table extends object>(
  section: SectionName,
  label: string,
  before: Table,
  after: Table,
  { changed, restart }: Changes,
): Table {
  const merged = { ...before } as Record<string, unknown>;
  for (const [key, option] of Object.entries<Option>(optionsOf(section))) {
    const value = (after as Readonly<Record<string, unknown>>)[option.name];
    if (isDeepStrictEqual(merged[option.name], value)) continue;
    if (option.reload === true) merged[option.name] = value;
    (option.reload === true ? changed : restart).push(`${label}${key}`);
  }
  return merged as Table;
}

/** A DLQ holds two segments; with segments that only a restart makes smaller, that may be more than what is asked. */
function withRoom(before: Config, config: Config, { changed, restart }: Changes): Config {
  if (config.dlq.maxBytes >= 2 * config.dlq.segmentBytes) return config;
  changed.splice(changed.indexOf('dlq.max_bytes'), 1);
  restart.push('dlq.max_bytes');
  return { ...config, dlq: { ...config.dlq, maxBytes: before.dlq.maxBytes } };
}
