/**
 * Durations and sizes as people write them: "250ms", "64MiB". Any thread; called by the config loader and by commands for
 * their flags. Whole numbers only, and binary sizes only, so that a value reads back exactly as it was written.
 */
import { SpillwayError } from './errors.ts';

/** What a duration may look like; part of every message that refuses one. */
export const durationForms = '"250ms", "10s", "5m", "2h" or "0"';
/** What a size may look like; part of every message that refuses one. */
export const sizeForms = '"512KiB", "64MiB", "10GiB" or a plain number of bytes';

/** Source of a regular expression that matches exactly the durations that {@link parseDuration} takes. */
export const durationPattern = '^(0|[0-9]+(ms|s|m|h))$';
/** Source of a regular expression that matches exactly the sizes that {@link parseSize} takes as text. */
export const sizePattern = '^[0-9]+(KiB|MiB|GiB)?$';

// Largest first: formatting takes the first unit that divides the value.
const durationUnits: readonly (readonly [unit: string, milliseconds: number])[] = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];
const sizeUnits: readonly (readonly [unit: string, bytes: number])[] = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
];

const duration = new RegExp(durationPattern);
const size = new RegExp(sizePattern);

/** Milliseconds of a duration. Throws `usage` that names the value and the allowed forms. */
export function parseDuration(text: string): number {
  const ms = duration.test(text) ? scaled(text, durationUnits) : undefined;
  if (ms !== undefined) return ms;
  const bare = /^[0-9]+$/.test(text) ? `; if milliseconds are meant, write "${text}ms"` : '';
  throw wrongUnit(`${JSON.stringify(text)} is not a duration: write ${durationForms}${bare}`);
}

/** Bytes of a size, given as text or as a plain number. Throws `usage` that names the value and the allowed forms. */
export function parseSize(written: string | number): number {
  const text = String(written);
  const bytes = size.test(text) ? scaled(text, sizeUnits) : undefined;
  if (bytes !== undefined) return bytes;
  const decimal = /^([0-9]+) ?([kmg])b?$/i.exec(text);
  const cure = decimal === null ? '' : `; sizes are binary here: "${decimal[1]}${decimal[2]?.toUpperCase()}iB"`;
  throw wrongUnit(`${JSON.stringify(written)} is not a size: write ${sizeForms}${cure}`);
}

/** The shortest exact writing of a whole number of milliseconds; `parseDuration` gives the same number back. */
export function formatDuration(ms: number): string {
  return ms === 0 ? '0' : formatted(ms, durationUnits, 'ms');
}

/** The shortest exact writing of a whole number of bytes; `parseSize` gives the same number back. */
export function formatSize(bytes: number): string {
  return bytes === 0 ? '0' : formatted(bytes, sizeUnits, '');
}

/** The number in `text` times its unit; undefined where the product is too large to be exact. */
function scaled(text: string, units: typeof durationUnits): number | undefined {
  const digits = /^[0-9]+/.exec(text)?.[0] ?? '';
  const unit = text.slice(digits.length);
  const factor = units.find(([name]) => name === unit)?.[1] ?? 1;
  const value = Number(digits) * factor;
  return Number.isSafeInteger(value) ? value : undefined;
}

function formatted(value: number, units: typeof durationUnits, smallest: string): string {
  for (const [unit, factor] of units) {
    if (value >= factor && value % factor === 0) return `${value / factor}${unit}`;
  }
  return `${value}${smallest}`;
}

function wrongUnit(message: string): SpillwayError {
  return new SpillwayError('usage', message);
}
