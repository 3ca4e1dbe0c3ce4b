/**
 * Numbers, bars and sparklines of `spillway top`: as short as a glance needs, and of a width that does not jump. Pure.
 */

/** "0", "7", "9,999", "12.3k", "1.05M": events, or events a second. */
export function count(value: number): string {
  const rounded = Math.round(value);
  if (rounded < 10_000) return rounded.toLocaleString('en-US');
  const units = ['k', 'M', 'G', 'T'];
  let scaled = rounded;
  let unit = -1;
  // What would be printed as 1000 belongs to the next unit.
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1_000;
    unit++;
  }
  return `${digits(scaled)}${units[unit]}`;
}

/** "0 ms", "85 ms", "7.20 s", "3.5 min", "2.5 h", "3.1 d". */
export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  const steps: readonly (readonly [number, string])[] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
  ];
  for (const [length, unit] of steps) if (ms >= 2 * length) return `${digits(ms / length)} ${unit}`;
  return `${digits(ms / 1_000)} s`;
}

/** "82 us", "1.20 ms", and on as {@link duration}. */
export function microseconds(us: number): string {
  if (us < 999.5) return `${Math.round(us)} us`;
  return us < 999_500 ? `${digits(us / 1_000)} ms` : duration(us / 1_000);
}

/** Three of them. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

const blocks = '▁▂▃▄▅▆▇█';
const asciiBlocks = '_.-:=+*#';

/** The last `columns` of the values, the newest to the right; the highest is a full block, and nothing a low one. */
export function sparkline(values: readonly number[], columns: number, isAscii: boolean): string {
  const shown = values.slice(-columns);
  const top = Math.max(...shown, Number.MIN_VALUE);
  const levels = isAscii ? asciiBlocks : blocks;
  const line = shown.map((value) => {
    const level = value <= 0 ? 0 : Math.min(levels.length - 1, 1 + Math.floor((value / top) * (levels.length - 1)));
    return levels[level];
  });
  return line.join('').padStart(columns);
}

/** Ten places, `share` of which are full. */
export function bar(share: number): string {
  const full = Math.min(10, Math.max(0, Math.ceil(10 * share)));
  return `[${'#'.repeat(full)}${'.'.repeat(10 - full)}]`;
}
