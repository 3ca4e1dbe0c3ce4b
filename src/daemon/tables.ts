/**
 * From written tables to values: each table of the configuration with what the option table says of its keys. Main thread; the
 * second half of loading. A value that is wrong is reported and left out, so that the checks that follow still see the rest.
 */
import { formOf, readValue } from './kinds.ts';
import { type Mistake, shownValue } from './mistakes.ts';
import { optionsOf, type SectionName, type SectionValues } from './options.ts';
import type { WrittenTable } from './written.ts';

/** The values of one table, by their names in Config. A key whose value was refused is absent. */
export interface Table<Name extends SectionName> {
  readonly label: string;
  readonly values: Partial<SectionValues<Name>>;
  /** Whether a key was written, rightly or wrongly: what was written wrongly is not also reported as missing. */
  readonly wrote: (key: string) => boolean;
  /** A mistake about one key, at the place where it was written, or where its table begins. */
  readonly mistake: (key: string, cure: string) => Mistake;
}

/** What a mistake shows of a value. */
function shownUnder(section: SectionName, key: string, raw: unknown): string {
  return optionsOf(section)[key]?.secret === true ? '...' : shownValue(raw);
}

/** Reads a table's values and defaults; adds what is wrong to `mistakes`. */
export function readTable<Name extends SectionName>(
  section: Name,
  written: WrittenTable,
  mistakes: Mistake[],
): Table<Name> {
  const values: Record<string, unknown> = {};
  const mistake = (key: string, cure: string): Mistake => {
    const found = written.values.get(key);
    const fullKey = `${written.label}.${key}`;
    return found === undefined
      ? { place: written.place, key: fullKey, cure }
      : { place: found.place, key: fullKey, value: shownUnder(section, key, found.raw), cure };
  };
  for (const [key, option] of Object.entries(optionsOf(section))) {
    const found = written.values.get(key);
    if (found === undefined && option.default === undefined) {
      if (option.required) mistakes.push(mistake(key, `missing: write ${formOf(option)}`));
      continue;
    }
    const reading = readValue(option, found?.raw ?? option.default, found?.fromEnvironment ?? false);
    if (reading.ok) values[option.name] = reading.value;
    else mistakes.push(mistake(key, reading.cure));
  }
  // The one place where the table's types and what was read by them meet: readValue checked each value against its row.
  return {
    label: written.label,
    values: values as Partial<SectionValues<Name>>,
    wrote: (key) => written.values.has(key),
    mistake,
  };
}
