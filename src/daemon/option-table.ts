/**
 * The option table as Markdown, for the README. Main thread; called by `spillway check --table` and by the test that holds the
 * README against it.
 */
import { boundText, formOf, type Option } from './kinds.ts';
import { optionsOf, type SectionName, sections } from './options.ts';

/** The lines between which the README carries the table. */
export const tableStart = '<!-- options:start -->';
export const tableEnd = '<!-- options:end -->';

/** One table per section; ends with a newline. */
export function optionTableMarkdown(): string {
  const parts = (Object.keys(sections) as SectionName[]).map((section) => {
    const header = sections[section].many ? `[[${section}]]` : `[${section}]`;
    const rows = Object.entries(optionsOf(section)).map(([key, option]) => row(key, option));
    return [`| \`${header}\` | default | values | |`, '|---|---|---|---|', ...rows].join('\n');
  });
  return `${parts.join('\n\n')}\n`;
}

/** `text` with the current table between its two markers; undefined where it does not have them. */
export function withOptionTable(text: string): string | undefined {
  const start = text.indexOf(tableStart);
  const end = text.indexOf(tableEnd);
  if (start < 0 || end < start) return undefined;
  return `${text.slice(0, start + tableStart.length)}\n${optionTableMarkdown()}${text.slice(end)}`;
}

function row(key: string, option: Option): string {
  const written = option.default === undefined ? (option.required ? 'required' : '') : code(option.default);
  const takes = option.takes === undefined ? '' : ` (${option.takes.join(', ')})`;
  const reload = option.reload === true ? ' *(reload)*' : '';
  return `| \`${key}\` | ${written} | ${values(option)} | ${option.about}${takes}${reload} |`;
}

function values(option: Option): string {
  const least = boundText(option, 'least');
  const most = boundText(option, 'most');
  const words = (option.words ?? []).map(code).join(', ');
  const sizes = option.bytesLeast === undefined ? '' : `${option.bytesLeast} .. ${option.bytesMost}`;
  if (least !== undefined && most !== undefined) {
    return [`${least} .. ${most}`, sizes, words].filter(Boolean).join(', ');
  }
  if (option.choices !== undefined && option.form !== undefined) return option.form;
  if (option.choices !== undefined) return option.choices.map(code).join(', ');
  return option.kind === 'boolean' ? '`true`, `false`' : formOf(option);
}

function code(value: string | number | boolean): string {
  return `\`${JSON.stringify(value)}\``;
}
