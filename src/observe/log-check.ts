/**
 * Checks a parsed log line against the schema, and writes the schema as the table of TELEMETRY.md. Used by tests and by whoever
 * generates documents; the daemon does not call it per line. Pure.
 */
import { commonFields, type LogField, logKindTable, logLevels } from './log-schema.ts';

/** Every mistake of `line`, as one sentence each; empty when it is a line that spillway may write. */
export function checkLogLine(line: unknown): string[] {
  if (typeof line !== 'object' || line === null || Array.isArray(line)) return ['the line is not a JSON object'];
  const fields = line as Readonly<Record<string, unknown>>;
  const mistakes: string[] = [];
  if (typeof fields['time'] !== 'string' || !isIsoMs(fields['time'])) {
    mistakes.push('time: not ISO 8601 in UTC with milliseconds');
  }
  if (!(logLevels as readonly unknown[]).includes(fields['level'])) {
    mistakes.push(`level: not one of ${logLevels.join(', ')}`);
  }
  if (typeof fields['msg'] !== 'string') mistakes.push('msg: not a string');
  const kind = typeof fields['kind'] === 'string' ? fields['kind'] : '';
  if (!Object.hasOwn(logKindTable, kind)) return [...mistakes, `kind: ${JSON.stringify(fields['kind'])} is unknown`];
  const known = logKindTable[kind]?.fields ?? {};
  for (const [name, field] of Object.entries(known)) {
    const value = fields[name];
    if (value === undefined) {
      if (field.optional !== true) mistakes.push(`${name}: missing from a ${kind} line`);
    } else if (!fits(field, value)) {
      mistakes.push(`${name}: ${JSON.stringify(value)} is not ${expected(field)}`);
    }
  }
  for (const name of Object.keys(fields)) {
    if (!(commonFields as readonly string[]).includes(name) && !Object.hasOwn(known, name)) {
      mistakes.push(`${name}: unknown in a ${kind} line`);
    }
  }
  return mistakes;
}

/** The table for TELEMETRY.md: one row per field of each kind, in the schema's order. */
export function logTableMarkdown(): string {
  const rows = ['| kind | field | type | meaning |', '|---|---|---|---|'];
  for (const [kind, row] of Object.entries(logKindTable)) {
    rows.push(`| **${kind}** | | | ${cell(row.says)} |`);
    for (const [name, field] of Object.entries(row.fields)) {
      rows.push(`| | \`${name}\`${field.optional ? '?' : ''} | ${cell(expected(field))} | ${cell(field.says)} |`);
    }
  }
  return `${rows.join('\n')}\n`;
}

function fits(field: LogField, value: unknown): boolean {
  switch (field.type) {
    case 'string':
      return typeof value === 'string' && (field.values === undefined || field.values.includes(value));
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'strings':
      return Array.isArray(value) && value.every((each) => typeof each === 'string');
    case 'numbers':
      return Array.isArray(value) && value.every((each) => Number.isFinite(each));
    case 'emf':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'lane':
      return value === 'main' || (Number.isInteger(value) && (value as number) >= 0);
    case 'facts':
      return isFacts(value);
    default:
      return field.type satisfies never;
  }
}

function isFacts(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((each) => ['string', 'number', 'boolean'].includes(typeof each));
}

function expected(field: LogField): string {
  if (field.values !== undefined) return field.values.map((value) => `"${value}"`).join(', ');
  if (field.type === 'lane') return 'number or "main"';
  if (field.type === 'strings' || field.type === 'numbers') return `array of ${field.type}`;
  if (field.type === 'emf') return 'object of the format';
  return field.type === 'facts' ? 'object of strings, numbers, booleans' : field.type;
}

function isIsoMs(text: string): boolean {
  const timeMs = Date.parse(text);
  return Number.isFinite(timeMs) && new Date(timeMs).toISOString() === text;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
