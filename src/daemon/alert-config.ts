/**
 * From the `[[alert]]` tables to rules, and what is wrong with them. Main thread; pure; called once by the config loader, after every
 * value has been read. Each check looks only at values that were read without a mistake.
 */
import { type Measure, measureOf } from '../alerts/measures.ts';
import { type AlertRule, changedRule, defaultRules, isAsBad, type Quantity, type RuleChange } from '../alerts/rules.ts';
import { nearest } from '../base/nearest.ts';
import { durationForms, sizeForms } from '../base/units.ts';
import type { Mistake } from './mistakes.ts';
import type { SectionValues } from './options.ts';
import type { Table } from './tables.ts';

type AlertValues = Partial<SectionValues<'alert'>>;

/** Those that are there unasked, as the tables change them, then those of the tables. Tables in which there was no mistake. */
export function alertRules(tables: readonly SectionValues<'alert'>[]): AlertRule[] {
  const names = new Set(tables.map(({ name }) => name));
  const changed = tables.flatMap((table) => {
    const rule = table.enabled !== false ? changedRule(table.name, changeOf(table)) : undefined;
    return rule === undefined ? [] : [rule];
  });
  return [...defaultRules.filter(({ name }) => !names.has(name)), ...changed];
}

export function* checkAlert(table: Table<'alert'>, streams: readonly Table<'stream'>[]): Generator<Mistake> {
  const { values } = table;
  const known = defaultRules.find(({ name }) => name === values.name);
  if (values.name === undefined) return;
  if (known === undefined && !table.wrote('measure')) {
    yield table.mistake('measure', missingMeasure(values.name));
    return;
  }
  const name = values.measure ?? (table.wrote('measure') ? undefined : known?.measure);
  if (name === undefined) return;
  const measure = measureOf(name);
  if (!table.wrote('threshold') && known?.measure !== name && values.enabled !== false) {
    yield table.mistake('threshold', `missing: write ${unitForms(measure)}`);
  }
  yield* checkLevels(table, measure, known?.measure === name ? known.threshold : undefined);
  const { stream } = values;
  if (stream === undefined) return;
  if (!measure.perStream) {
    yield table.mistake('stream', `${name} is one of the whole daemon, no stream has its own: remove it`);
  } else if (stream !== '*' && !streams.some((each) => each.values.name === stream)) {
    const names = streams.map((each) => each.values.name).filter((each) => each !== undefined);
    yield table.mistake(
      'stream',
      `no [[stream]] has this name; there is ${names.join(', ') || 'none'}, or "*" for each`,
    );
  }
}

export function* checkNotify(table: Table<'notify'>): Generator<Mistake> {
  const { webhook } = table.values;
  if (webhook !== undefined && !URL.canParse(webhook)) yield table.mistake('webhook', 'is not a URL: correct it');
}

/** Threshold and clear level; `thresholdUnasked`: what holds where the table says none. */
function* checkLevels(
  table: Table<'alert'>,
  measure: Measure,
  thresholdUnasked: number | undefined,
): Generator<Mistake> {
  const { threshold, clear } = table.values;
  const wrong = { threshold: levelMistake(measure, threshold), clear: unitMistake(measure, clear) };
  if (wrong.threshold !== undefined) yield table.mistake('threshold', wrong.threshold);
  if (wrong.clear !== undefined) yield table.mistake('clear', wrong.clear);
  const against = threshold?.value ?? (table.wrote('threshold') ? undefined : thresholdUnasked);
  if (wrong.threshold !== undefined || wrong.clear !== undefined || clear === undefined || against === undefined)
    return;
  if (clear.value !== against && isAsBad(measure, clear.value, against)) {
    const side = measure.side === 'above' ? 'at most' : 'at least';
    yield table.mistake('clear', `on the wrong side: ${side} the threshold, or it would clear while it is bad`);
  }
}

function levelMistake(measure: Measure, level: Quantity | undefined): string | undefined {
  const { side, most } = measure;
  if (level === undefined) return undefined;
  if (most === 0 && level.value > 0) return 'it is 0 or 1, and bad above 0: write 0, or leave it out';
  if (most !== undefined && most > 0 && level.value >= most) return `it is never above ${most}: write less`;
  if (side === 'below' && level.value === 0) return 'nothing is below 0: write more';
  return unitMistake(measure, level);
}

/** A plain number may be bytes, and 0 may be anything. */
function unitMistake(measure: Measure, level: Quantity | undefined): string | undefined {
  if (level === undefined || level.value === 0 || level.unit === measure.unit) return undefined;
  if (measure.unit === 'bytes' && level.unit === 'number') return undefined;
  return `the measure wants ${unitForms(measure)}`;
}

function unitForms({ unit, most }: Measure): string {
  if (unit === 'ms') return durationForms;
  if (unit === 'bytes') return sizeForms;
  return most === 1 ? 'a share from 0 to 1' : 'a number';
}

function missingMeasure(name: string): string {
  const unasked = defaultRules.map((rule) => rule.name);
  const meant = nearest(name, unasked);
  return meant === undefined
    ? `missing: write it, or change one of the alerts that are there unasked: ${unasked.join(', ')}`
    : `missing: did you mean the alert "${meant}", which is there unasked?`;
}

function changeOf({ measure, stream, threshold, clear, forMs, clearForMs }: AlertValues): RuleChange {
  return { measure, stream, threshold: threshold?.value, clear: clear?.value, forMs, clearForMs };
}
