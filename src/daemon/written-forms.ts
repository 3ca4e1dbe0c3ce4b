/**
 * Forms of values that are more than one number or word: addresses, URLs, levels of alerts, commands. Main thread; called by kinds.ts;
 * each function gives undefined for what is not of its form.
 */
import { isAbsolute } from 'node:path';
import type { Quantity } from '../alerts/rules.ts';
import { parseDuration, parseSize } from '../base/units.ts';

/** Where a TCP listener binds. Port 0: any free one. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A program and its words, as no shell reads them. */
export type Argv = readonly [string, ...string[]];

/** Words of a command, and characters of each. */
const argvWordsMax = 64;
const argvWordCharsMax = 4096;

export function addressOf(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

export function isServiceUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, pathname, search, hash, username } = new URL(text);
  return /^https?:$/.test(protocol) && pathname === '/' && search === '' && hash === '' && username === '';
}

/** A duration or size too large to be exact throws, as {@link parseDuration} does. */
export function quantityOf(raw: unknown): Quantity | undefined {
  if (typeof raw === 'number') return Number.isFinite(raw) && raw >= 0 ? { value: raw, unit: 'number' } : undefined;
  if (typeof raw !== 'string') return undefined;
  if (/^[0-9]+(ms|s|m|h)$/.test(raw)) return { value: parseDuration(raw), unit: 'ms' };
  return /^[0-9]+(KiB|MiB|GiB)$/.test(raw) ? { value: parseSize(raw), unit: 'bytes' } : undefined;
}

/** `raw`: an array; or, as in a variable of the environment, its JSON text. */
export function argvOf(raw: unknown, fromText: boolean): Argv | undefined {
  const words = fromText && typeof raw === 'string' ? parsedJson(raw) : raw;
  if (!Array.isArray(words) || words.length > argvWordsMax) return undefined;
  const isWord = (word: unknown): word is string =>
    typeof word === 'string' && word.length <= argvWordCharsMax && !word.includes('\0');
  const [program, ...rest] = words as unknown[];
  return isWord(program) && isAbsolute(program) && rest.every(isWord) ? [program, ...rest] : undefined;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
