/**
 * Which events of the DLQ a tool means: by time, reason, stream and key. Any thread; pure. Commands make one out of their flags,
 * the daemon out of what came through its control socket; it judges entries in place.
 */
import { entry, type Memory } from './layout.ts';

/** All that are given must hold; none given: every event. */
export interface Filter {
  /** First seen from then on, and before then: milliseconds since the epoch. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** Codes; one of them. */
  readonly reasons?: readonly number[] | undefined;
  /** Names; one of them. */
  readonly streams?: readonly string[] | undefined;
  /** The whole partition key. */
  readonly key?: string | undefined;
}

/** Most names, and most reasons, that one filter holds. */
const listedMax = 256;
const textBytesMax = 1_024;

/** Judges the entry at `at` of a memory. */
export type Judge = (memory: Memory, at: number) => boolean;

export function judgeOf({ sinceMs, untilMs, reasons, streams, key }: Filter): Judge {
  const names = streams?.map((name) => Buffer.from(name));
  const keyBytes = key === undefined ? undefined : Buffer.from(key);
  return (memory, at) => {
    const seenMs = entry.firstSeenUs(memory, at) / 1_000;
    if (sinceMs !== undefined && !(seenMs >= sinceMs)) return false;
    if (untilMs !== undefined && !(seenMs < untilMs)) return false;
    if (reasons !== undefined && !reasons.includes(entry.reason(memory, at))) return false;
    const nameOffset = entry.nameOffset(at);
    const nameEnd = nameOffset + entry.nameLength(memory, at);
    if (names !== undefined && !names.some((name) => isAt(memory, name, nameOffset, nameEnd))) return false;
    const keyOffset = entry.keyOffset(memory, at);
    return keyBytes === undefined || isAt(memory, keyBytes, keyOffset, keyOffset + entry.keyLength(memory, at));
  };
}

function isAt({ buffer }: Memory, bytes: Buffer, from: number, to: number): boolean {
  return bytes.length === to - from && buffer.compare(bytes, 0, bytes.length, from, to) === 0;
}

/** A filter that came from outside, or why it is none. */
export function filterOf(given: unknown): Filter | { readonly mistake: string } {
  if (typeof given !== 'object' || given === null) return { mistake: 'a filter is an object' };
  const { sinceMs, untilMs, reasons, streams, key, ...others } = given as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) return { mistake: `a filter has no ${JSON.stringify(unknown)}` };
  if (!isOptional(sinceMs, Number.isFinite) || !isOptional(untilMs, Number.isFinite)) {
    return { mistake: 'sinceMs and untilMs are milliseconds since 1970' };
  }
  if (!isOptional(reasons, (value) => isListOf(value, isCode))) return { mistake: 'reasons are codes, 0 to 255' };
  if (!isOptional(streams, (value) => isListOf(value, isText))) return { mistake: 'streams are names' };
  if (!isOptional(key, isText)) return { mistake: `key is a text of at most ${textBytesMax} bytes` };
  return given;
}

const isOptional = (value: unknown, isRight: (value: unknown) => boolean): boolean =>
  value === undefined || isRight(value);
const isCode = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 256;
const isText = (value: unknown): boolean => typeof value === 'string' && Buffer.byteLength(value) <= textBytesMax;
const isListOf = (value: unknown, isOne: (value: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length > 0 && value.length <= listedMax && value.every(isOne);
