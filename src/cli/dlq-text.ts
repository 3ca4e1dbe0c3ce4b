/**
 * How `spillway dlq` commands print: tables and sizes for people, and names that came from senders without what could move a
 * terminal's cursor. Pure.
 */

/** Columns; those of which all but the head are numbers stand to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const isNumber = head.map((_, column) =>
    rows.every((row) => /^[\d.,]* ?[A-Za-z]{0,3}$|^-?$/.test(row[column] ?? '')),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (isNumber[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return `${all.map(line).join('\n')}\n`;
}

/** With three digits: "0", "732 B", "1.45 MB" is 1.45 MiB written the binary way. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1_000 && unit < units.length - 1; unit++) value /= 1_024;
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** Microseconds since the epoch as ISO 8601; undefined where there is no such time. */
export function isoTime(us: number): string | undefined {
  const ms = us / 1_000;
  return Number.isFinite(us) && us > 0 && ms < 8.64e15 ? new Date(ms).toISOString() : undefined;
}

/** "3 d", "2.5 h", "10 s". */
export function age(us: number, nowMs: number): string {
  const seconds = Math.max(0, nowMs - us / 1_000) / 1_000;
  const units: readonly (readonly [number, string])[] = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
  ];
  for (const [length, unit] of units) if (seconds >= 2 * length) return `${(seconds / length).toFixed(1)} ${unit}`;
  return `${Math.round(seconds)} s`;
}

/** Control characters, direction marks, separators of lines: what does more on a terminal than take a place. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** `text` in one line without them: names and keys are what senders say they are. */
export function plain(text: string): string {
  return text.replaceAll(unprintable, (character) => {
    return Array.from({ length: character.length }, (_, unit) => {
      return `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`;
    }).join('');
  });
}

/** JSON without them; where `indent` is given, it has lines. */
export function json(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, undefined, indent);
  return indent === undefined ? plain(text) : text.split('\n').map(plain).join('\n');
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
