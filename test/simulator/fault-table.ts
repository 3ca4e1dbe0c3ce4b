/** The table of faults as Markdown, for src/simulator/README.md. Called by the test that holds it there and by `npm run readme`. */
import { faultTable, noFaults } from '../../src/simulator/faults.ts';

const start = '<!-- faults:start -->';
const end = '<!-- faults:end -->';

function rows(): string[][] {
  const initial = noFaults();
  return Object.entries(faultTable).map(([name, fault]) => {
    const code = (value: unknown): string => `\`${JSON.stringify(value)}\``;
    const takes = {
      number: () =>
        'least' in fault ? `${fault.whole ? 'whole number' : 'number'}, ${fault.least} .. ${fault.most}` : '',
      boolean: () => 'true or false',
      choice: () => ('values' in fault ? fault.values.map(code).join(' or ') : ''),
      text: () => ('takes' in fault ? fault.takes : ''),
      names: () => ('takes' in fault ? `list of ${fault.takes}` : ''),
      numbers: () => ('takes' in fault ? `list of ${fault.takes}` : ''),
    }[fault.type]();
    return [`\`${name}\``, takes, code(initial[name as keyof typeof initial]), fault.sentence];
  });
}

/** Lines, their cells padded as the formatter pads them. */
function table(): string[] {
  const cells = [['member', 'takes', 'default', ''], ...rows()];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(cells[0] ?? []), line(widths.map((width) => '-'.repeat(width))), ...cells.slice(1).map(line)];
}

/** `text` with the current table between its two markers; undefined where it does not have them. */
export function withFaultTable(text: string): string | undefined {
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) return undefined;
  return `${text.slice(0, from + start.length)}\n\n${table().join('\n')}\n\n${text.slice(to)}`;
}
