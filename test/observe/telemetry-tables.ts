/**
 * The tables of src/observe/TELEMETRY.md, between their markers. Called by the test that holds them there and by `npm run readme`.
 */
import { logTableMarkdown } from '../../src/observe/log-check.ts';
import { metricTable } from '../../src/observe/metric-schema.ts';

/** `text` with the current tables; undefined where it lacks a marker. */
export function withTelemetryTables(text: string): string | undefined {
  const withLog = between(text, 'log', logTableMarkdown());
  return withLog === undefined ? undefined : between(withLog, 'metrics', metricTableMarkdown());
}

function metricTableMarkdown(): string {
  const rows = Object.entries(metricTable).map(
    ([name, { type, labels, says }]) => `| \`${name}\` | ${type} | ${labels.join(', ')} | ${says} |`,
  );
  return `${['| metric | type | labels | meaning |', '|---|---|---|---|', ...rows].join('\n')}\n`;
}

function between(text: string, name: string, table: string): string | undefined {
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) return undefined;
  return `${text.slice(0, from + start.length)}\n\n${padded(table)}\n\n${text.slice(to)}`;
}

/** The table with its cells padded as the formatter pads them. */
function padded(table: string): string {
  const rows = table
    .trimEnd()
    .split('\n')
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row, i) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0, i === 1 ? '-' : ' ')))
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
