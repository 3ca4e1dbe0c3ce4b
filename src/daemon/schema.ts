/**
 * The JSON Schema of the configuration, for editors that complete and check TOML. Main thread; loaded only by
 * `spillway check --schema` and by tests, because zod is too heavy to be in every daemon (see daemon/config.ts).
 *
 * It follows the option table but is looser than the loader: bounds of durations and sizes, and relations between options, are
 * beyond what a schema can say. Whatever the loader takes, the schema takes.
 */
import { z } from 'zod';
import { durationPattern, sizePattern } from '../base/units.ts';
import { boundOf, boundText, type Option } from './kinds.ts';
import { optionsOf, type SectionName, sections } from './options.ts';

/** The schema as zod has it: what the JSON Schema is made from. */
export function zodSchema(): z.ZodType {
  const tables = Object.fromEntries(
    (Object.keys(sections) as SectionName[]).map((section) => {
      const keys = Object.entries(optionsOf(section)).map(([key, option]) => [key, schemaOf(option)] as const);
      const table = z.strictObject(Object.fromEntries(keys));
      return [section, (sections[section].many ? z.array(table) : table).optional()];
    }),
  );
  return z.strictObject(tables);
}

/** JSON Schema, draft 7: the newest that the common TOML editors read. */
export function jsonSchema(): unknown {
  const schema = z.toJSONSchema(zodSchema(), { io: 'input', target: 'draft-7' });
  return { title: 'Configuration of spillway', ...schema };
}

function schemaOf(option: Option): z.ZodType {
  const described = valueSchema(option).meta({ description: description(option) });
  if (option.required) return described;
  return option.default === undefined ? described.optional() : described.default(option.default);
}

function description(option: Option): string {
  const least = boundText(option, 'least');
  const most = boundText(option, 'most');
  const range = least === undefined || most === undefined ? '' : ` From ${least} to ${most}.`;
  const takes = option.takes === undefined ? '' : ` Only for kind ${option.takes.join(', ')}.`;
  return `${option.about}${range}${takes}`;
}

function valueSchema(option: Option): z.ZodType {
  const least = boundOf(option, 'least') ?? 0;
  const most = boundOf(option, 'most') ?? Number.MAX_SAFE_INTEGER;
  switch (option.kind) {
    case 'boolean':
      return z.boolean();
    case 'number':
      return z.int().min(least).max(most);
    case 'share':
      return z.number().min(least).max(most);
    case 'size':
      return z.union([text(sizePattern), z.int().min(least).max(most)]);
    case 'duration':
      return z.union([text(durationPattern), z.literal(0), ...(option.words ?? []).map((word) => z.literal(word))]);
    case 'pace':
      return z.union([
        text(durationPattern),
        text('^[0-9]+(KiB|MiB|GiB)$'),
        ...(option.words ?? []).map((word) => z.literal(word)),
      ]);
    case 'choice':
      return z.enum(option.choices ?? []);
    case 'mode':
      return text('^0?[0-7]{3}$');
    case 'path':
      return text('^/');
    case 'address':
      return text('^.+:[0-9]{1,5}$');
    case 'url':
      return text('^[hH][tT][tT][pP][sS]?://');
    case 'quantity':
      return z.union([z.number().min(0), text('^[0-9]+(ms|s|m|h|KiB|MiB|GiB)$')]);
    case 'argv':
      return z.array(z.string()).min(1);
    case 'string':
      return text(option.pattern ?? '');
    default:
      return option.kind satisfies never;
  }
}

function text(pattern: string): z.ZodType {
  return z.string().regex(new RegExp(pattern));
}
