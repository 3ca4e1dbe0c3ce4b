/**
 * The configuration as it was written: the tables of the TOML file with what the environment sets over them, each value with
 * its place. Main thread; the first half of loading. It knows which sections and keys exist and reports those that do not; what
 * the values mean is read afterwards (daemon/tables.ts).
 *
 * Environment: `SPILLWAY_DAEMON_LANES=2` sets `daemon.lanes`, `SPILLWAY_STREAM_0_REGION=eu-west-1` the region of the first
 * `[[stream]]`. An index one past the last table begins a new one, so that a container needs no file at all.
 */
import { parse, TomlError } from 'smol-toml';
import { alertsMax, listenersMax, streamsMax } from '../base/limits.ts';
import { nearest } from '../base/nearest.ts';
import { type Lines, lineOf, linesOf } from './lines.ts';
import { type Mistake, shownValue } from './mistakes.ts';
import { optionsOf, type SectionName, sections } from './options.ts';

/** Everything that a configuration is made from; nothing else is read. */
export interface ConfigSource {
  /** Contents of the file; empty where everything comes from the environment. */
  readonly text: string;
  /** Name of the file for messages. */
  readonly file: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Cores that the process may use: decides the lanes where none are given. */
  readonly cores: number;
}

export interface WrittenValue {
  readonly raw: unknown;
  readonly place: string;
  readonly fromEnvironment: boolean;
}

export interface WrittenTable {
  readonly section: SectionName;
  /** `daemon`, `stream[0]`. */
  readonly label: string;
  /** Where the table begins: for mistakes about a key that is missing. */
  readonly place: string;
  readonly values: Map<string, WrittenValue>;
}

export interface Written {
  readonly tables: readonly WrittenTable[];
  readonly mistakes: readonly Mistake[];
  /** Whether the file could be parsed: if not, only the environment is in the tables. */
  readonly isToml: boolean;
}

/** Variables of this prefix that are not options: where the file is, and whether errors come with their stacks. */
const reservedVariables: ReadonlySet<string> = new Set(['SPILLWAY_CONFIG', 'SPILLWAY_DEBUG']);

const sectionNames = Object.keys(sections) as SectionName[];
const tablesMax: Readonly<Partial<Record<SectionName, number>>> = {
  stream: streamsMax,
  listen: listenersMax,
  alert: alertsMax,
};

/** All tables in the order of {@link sections}; a section that is written nowhere still has its (empty) table. */
export function readWritten(source: ConfigSource): Written {
  const mistakes: Mistake[] = [];
  const tables = new Map<SectionName, WrittenTable[]>();
  for (const section of sectionNames) {
    tables.set(section, sections[section].many ? [] : [emptyTable(section, section, source.file)]);
  }
  const isToml = readFile(source, tables, mistakes);
  readEnvironment(source.environment, tables, mistakes);
  for (const [section, most] of Object.entries(tablesMax)) {
    const count = tables.get(section as SectionName)?.length ?? 0;
    if (count > most) {
      mistakes.push({ place: source.file, key: section, cure: `${count} [[${section}]] tables: at most ${most}` });
    }
  }
  return { tables: [...tables.values()].flat(), mistakes, isToml };
}

type Tables = Map<SectionName, WrittenTable[]>;

/** Returns whether the text is TOML. */
function readFile({ text, file }: ConfigSource, tables: Tables, mistakes: Mistake[]): boolean {
  let document: Readonly<Record<string, unknown>>;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The parser's message goes on with a drawing of the place; the first line says what is wrong.
    const cure = error.message.split('\n')[0]?.replace('Invalid TOML document: ', '') ?? 'not TOML';
    mistakes.push({ place: `${file}:${error.line}:${error.column}`, key: '', cure });
    return false;
  }
  const lines = linesOf(text);
  for (const [name, value] of Object.entries(document)) {
    const place = placeIn(file, lines, name);
    const section = sectionNames.find((known) => known === name);
    if (section === undefined) {
      mistakes.push({ place, key: name, cure: unknownSection(name) });
      continue;
    }
    const { many } = sections[section];
    const written = many ? value : [value];
    if (!Array.isArray(written) || !written.every(isTable) || (many && !Array.isArray(value))) {
      mistakes.push({ place, key: name, cure: `must be a table: write ${many ? `[[${name}]]` : `[${name}]`}` });
      continue;
    }
    tables.set(
      section,
      written.map((entries, index) => {
        const path = many ? `${name}.${index}` : name;
        const table = emptyTable(section, many ? `${name}[${index}]` : name, placeIn(file, lines, path));
        for (const [key, raw] of Object.entries(entries)) {
          put(table, key, { raw, place: placeIn(file, lines, `${path}.${key}`), fromEnvironment: false }, mistakes);
        }
        return table;
      }),
    );
  }
  return true;
}

/** A key that is none of ours and may hold a secret all the same. */
const secretName = /token|secret|pass/i;

function put(table: WrittenTable, key: string, written: WrittenValue, mistakes: Mistake[]): void {
  if (Object.hasOwn(optionsOf(table.section), key)) {
    table.values.set(key, written);
    return;
  }
  const fullKey = `${table.label}.${key}`;
  mistakes.push({
    place: written.place,
    key: fullKey,
    value: secretName.test(key) ? '...' : shownValue(written.raw),
    cure: unknownKey(table.section, key),
  });
}

function unknownSection(name: string): string {
  const home = sectionNames.find((section) => Object.hasOwn(optionsOf(section), name));
  if (home !== undefined) return `not in a section: it belongs under ${header(home)}`;
  const meant = nearest(name, sectionNames) as SectionName | undefined;
  return `unknown section${meant === undefined ? `; there are ${sectionNames.map(header).join(' ')}` : `; did you mean ${header(meant)}?`}`;
}

function unknownKey(section: SectionName, key: string): string {
  const home = sectionNames.find((other) => Object.hasOwn(optionsOf(other), key));
  if (home !== undefined) return `unknown key: it belongs under ${header(home)}`;
  const meant = nearest(key, Object.keys(optionsOf(section)));
  return `unknown key${meant === undefined ? `; ${header(section)} has ${Object.keys(optionsOf(section)).join(', ')}` : `; did you mean "${meant}"?`}`;
}

/** Variables in the order of their indexes, so that a table is begun before a later one is. */
function readEnvironment(environment: ConfigSource['environment'], tables: Tables, mistakes: Mistake[]): void {
  const names = Object.keys(environment).filter((name) => name.startsWith('SPILLWAY_') && !reservedVariables.has(name));
  for (const name of names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))) {
    const raw = environment[name];
    if (raw === undefined) continue;
    const cure = setVariable(name, raw, tables);
    if (cure !== undefined) mistakes.push({ place: name, key: '', cure });
  }
}

/** Sets what one variable names. Returns what is wrong with its name, if anything is. */
function setVariable(name: string, raw: string, tables: Tables): string | undefined {
  const match = /^SPILLWAY_([A-Z]+)_(?:(0|[1-9][0-9]{0,3})_)?([A-Z_]+)$/.exec(name);
  const section = sectionNames.find((known) => known === match?.[1]?.toLowerCase());
  const key = match?.[3]?.toLowerCase() ?? '';
  const many = section !== undefined && sections[section].many;
  if (section === undefined || !Object.hasOwn(optionsOf(section), key) || many !== (match?.[2] !== undefined)) {
    const meant = nearest(name, variableNames(many ? Number(match?.[2] ?? 0) : 0));
    return `unknown variable${meant === undefined ? '; unset it' : `; did you mean ${meant}?`}`;
  }
  const all = tables.get(section) ?? [];
  const index = Number(match?.[2] ?? 0);
  if (index > all.length) {
    return `there are ${all.length} [[${section}]] tables: the next is SPILLWAY_${section.toUpperCase()}_${all.length}_...`;
  }
  if (index === all.length) all.push(emptyTable(section, `${section}[${index}]`, name));
  all[index]?.values.set(key, { raw, place: name, fromEnvironment: true });
  return undefined;
}

function* variableNames(index: number): Generator<string> {
  yield* reservedVariables;
  for (const section of sectionNames) {
    const prefix = `SPILLWAY_${section}_${sections[section].many ? `${index}_` : ''}`;
    for (const key of Object.keys(optionsOf(section))) yield `${prefix}${key}`.toUpperCase();
  }
}

function emptyTable(section: SectionName, label: string, place: string): WrittenTable {
  return { section, label, place, values: new Map() };
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function header(section: SectionName): string {
  return sections[section].many ? `[[${section}]]` : `[${section}]`;
}

function placeIn(file: string, lines: Lines, path: string): string {
  const line = lineOf(lines, path);
  return line === undefined ? file : `${file}:${line}`;
}
