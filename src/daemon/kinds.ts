/**
 * The kinds that an option's value can have: how each is written, read, bounded and described. Main thread; called by the
 * config loader for one value at a time. Knows no section and no key: what is special to one option stands in its row.
 */
import { isAbsolute } from 'node:path';
import type { Quantity } from '../alerts/rules.ts';
import { SpillwayError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import { durationForms, formatDuration, formatSize, parseDuration, parseSize, sizeForms } from '../base/units.ts';
import { type Address, type Argv, addressOf, argvOf, isServiceUrl, quantityOf } from './written-forms.ts';

/** One row of the table. `default`, `least` and `most` are written as in the file; `name` is the property in Config. */
export interface Option {
  readonly name: string;
  readonly kind: Kind;
  readonly about: string;
  /** Absent, and not `required`: the value may be undefined. */
  readonly default?: string | number | boolean;
  readonly required?: true;
  readonly least?: string | number;
  readonly most?: string | number;
  readonly choices?: readonly string[];
  /** Values that belong to the design and are not offered yet: refused with that reason rather than as unknown. */
  readonly unoffered?: readonly string[];
  /** Words that a duration or a pace may be instead of a time. */
  readonly words?: readonly string[];
  /** Bounds of a pace that is written as a size; `least` and `most` are those of its durations. */
  readonly bytesLeast?: string;
  readonly bytesMost?: string;
  readonly pattern?: string;
  /** What `pattern` means, for people. */
  readonly form?: string;
  /** The kinds of listener that take this option; absent: all. */
  readonly takes?: readonly string[];
  /** What stands there by mistake may be the secret itself: no message shows it. */
  readonly secret?: true;
  /** A daemon that runs takes a changed value over at SIGHUP; absent: it wants a restart. */
  readonly reload?: true;
}

/**
 * `pace`: how often something is done, once in a time or once in so many bytes. `quantity`: a level of what is measured in time, bytes
 * or plain numbers. `argv`: a program and its words.
 */
// biome-ignore format: a list
export type Kind =
  'duration' | 'size' | 'pace' | 'number' | 'share' | 'string' | 'choice' | 'boolean' | 'address' | 'path' | 'mode' | 'url'
  | 'quantity' | 'argv';

/** What a pace reads as, if it is no word. */
export type Pace = { readonly intervalMs: number } | { readonly bytes: number };

type Plain<O extends Option> = O extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : O extends { readonly words: readonly (infer Word)[] }
    ? (O extends { readonly kind: 'pace' } ? Pace : number) | Word
    : O extends { readonly kind: 'duration' | 'size' | 'number' | 'share' | 'mode' }
      ? number
      : O extends { readonly kind: keyof Structured }
        ? Structured[O['kind']]
        : string;

interface Structured {
  readonly boolean: boolean;
  readonly address: Address;
  readonly quantity: Quantity;
  readonly argv: Argv;
}

type Read = string | number | boolean | Address | Pace | Quantity | Argv;

type Value<O extends Option> = O extends { readonly default: string | number | boolean } | { readonly required: true }
  ? Plain<O>
  : Plain<O> | undefined;

/** The properties that a section's rows become in Config. */
export type Values<Rows extends Readonly<Record<string, Option>>> = {
  readonly [Key in keyof Rows as Rows[Key]['name']]: Value<Rows[Key]>;
};

/** A value that was read, or what is wrong with it and how to cure it. */
export type Reading = { readonly ok: true; readonly value: Read } | { readonly ok: false; readonly cure: string };

/** Reads what a file or (`text` only) the environment gives for an option. */
export function readValue(option: Option, written: unknown, fromEnvironment: boolean): Reading {
  const raw = fromEnvironment && typeof written === 'string' ? plainText(option.kind, written) : written;
  try {
    return { ok: true, value: bounded(option, parsed(option, raw, fromEnvironment)) };
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    // Units name the value that they refuse; here it stands before the cure already.
    const named = `${JSON.stringify(raw)} `;
    return { ok: false, cure: error.message.startsWith(named) ? error.message.slice(named.length) : error.message };
  }
}

/** What an option's value looks like, in words: for messages and for the README. */
export function formOf(option: Option): string {
  switch (option.kind) {
    case 'duration':
      return [...(option.words ?? []).map((word) => JSON.stringify(word)), durationForms].join(', ');
    case 'size':
      return sizeForms;
    case 'pace':
      return [...(option.words ?? []).map((word) => JSON.stringify(word)), durationForms, sizeForms].join(', ');
    case 'number':
      return 'a whole number';
    case 'share':
      return 'a number from 0 to 1';
    case 'boolean':
      return 'true or false';
    case 'choice':
      return (option.choices ?? []).map((choice) => JSON.stringify(choice)).join(' or ');
    case 'address':
      return 'host:port, like "127.0.0.1:7070" or "[::1]:7070"';
    case 'path':
      return 'an absolute path, like "/var/lib/spillway"';
    case 'mode':
      return 'an octal mode as a string, like "0660"';
    case 'url':
      return 'a URL that begins with http:// or https://, without a path';
    case 'quantity':
      return `a number, ${durationForms}, or ${sizeForms}`;
    case 'argv':
      return 'an array of strings, first an absolute path: ["/usr/local/bin/page", "--team", "events"]';
    case 'string':
      return option.form ?? 'a string';
    default:
      return option.kind satisfies never;
  }
}

/** `least` or `most` of an option as a person would write it; undefined where the row gives none. */
export function boundText(option: Option, bound: 'least' | 'most'): string | undefined {
  const value = boundOf(option, bound);
  if (value === undefined) return undefined;
  return option.kind === 'size' ? formatSize(value) : isTimed(option.kind) ? formatDuration(value) : String(value);
}

/** The number that `least` or `most` of an option stands for; undefined where the row gives none. */
export function boundOf(option: Option, bound: 'least' | 'most'): number | undefined {
  const written = option[bound];
  if (written === undefined) return undefined;
  return isTimed(option.kind) ? parseDuration(String(written)) : parseSizeOrNumber(option.kind, written);
}

/** Whether its bounds are durations. */
function isTimed(kind: Kind): boolean {
  return kind === 'duration' || kind === 'pace';
}

function parseSizeOrNumber(kind: Kind, written: string | number): number {
  return kind === 'size' ? parseSize(written) : Number(written);
}

/** The environment has only text: numbers and booleans are taken out of it, everything else stays as it is. */
function plainText(kind: Kind, text: string): unknown {
  if (kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  if (kind === 'number' || kind === 'share' || kind === 'quantity')
    return /^[0-9]+([.][0-9]+)?$/.test(text) ? Number(text) : text;
  return text;
}

function parsed(option: Option, raw: unknown, fromEnvironment: boolean): Read {
  switch (option.kind) {
    case 'boolean':
      return typeof raw === 'boolean' ? raw : refused(option);
    case 'number':
      return typeof raw === 'number' && Number.isSafeInteger(raw) ? raw : refused(option);
    case 'share':
      return typeof raw === 'number' && Number.isFinite(raw) ? raw : refused(option);
    case 'size':
      return typeof raw === 'string' || typeof raw === 'number' ? parseSize(raw) : refused(option);
    case 'duration':
      return durationOf(option, raw);
    case 'pace':
      return paceOf(option, raw);
    case 'quantity':
      return quantityOf(raw) ?? refused(option);
    case 'argv':
      return argvOf(raw, fromEnvironment) ?? refused(option);
    default:
      return typeof raw === 'string' ? parsedText(option, raw) : refused(option);
  }
}

function parsedText(option: Option, text: string): string | number | Address {
  switch (option.kind) {
    case 'choice':
      return chosen(option, text);
    case 'mode':
      return /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : refused(option);
    case 'path':
      return isAbsolute(text) && !text.includes('\0') ? text : refused(option);
    case 'address':
      return addressOf(text) ?? refused(option);
    case 'url':
      return isServiceUrl(text) ? text : refused(option);
    default:
      return new RegExp(option.pattern ?? '').test(text) ? text : refused(option);
  }
}

function durationOf(option: Option, raw: unknown): number | string {
  if (raw === 0) return 0;
  if (typeof raw === 'string' && option.words?.includes(raw)) return raw;
  return typeof raw === 'string' ? parseDuration(raw) : refused(option);
}

function paceOf(option: Option, raw: unknown): Pace | string {
  if (typeof raw === 'string' && option.words?.includes(raw)) return raw;
  if (typeof raw === 'string' && /[0-9](ms|s|m|h)$/.test(raw)) {
    return { intervalMs: bounded(option, parseDuration(raw)) };
  }
  if (typeof raw !== 'string' || !/[0-9](KiB|MiB|GiB)$/.test(raw)) refused(option);
  const bytes = parseSize(raw);
  const { bytesLeast, bytesMost } = option;
  if (bytesLeast !== undefined && bytes < parseSize(bytesLeast)) throw mistake(`too small: at least ${bytesLeast}`);
  if (bytesMost !== undefined && bytes > parseSize(bytesMost)) throw mistake(`too large: at most ${bytesMost}`);
  return { bytes };
}

function chosen(option: Option, text: string): string {
  if (option.choices?.includes(text)) return text;
  if (option.unoffered?.includes(text)) throw mistake(`not offered yet; use ${formOf(option)}`);
  const meant = nearest(text, option.choices ?? []);
  throw mistake(`must be ${formOf(option)}${meant === undefined ? '' : `; did you mean "${meant}"?`}`);
}

function bounded<V>(option: Option, value: V): V {
  if (typeof value !== 'number') return value;
  const least = boundOf(option, 'least');
  const most = boundOf(option, 'most');
  if (least !== undefined && value < least) throw mistake(`too small: at least ${boundText(option, 'least')}`);
  if (most !== undefined && value > most) throw mistake(`too large: at most ${boundText(option, 'most')}`);
  return value;
}

function refused(option: Option): never {
  throw mistake(`must be ${formOf(option)}`);
}

function mistake(cure: string): SpillwayError {
  return new SpillwayError('config', cure);
}
