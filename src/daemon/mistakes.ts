/**
 * What is wrong with a configuration: one entry per mistake, each with its place, the key, the value and the cure. Main thread;
 * filled by the loader and the cross checks, printed by `check` and by whoever refuses to start.
 */
import { SpillwayError } from '../base/errors.ts';
import { mistakesShownMax } from '../base/limits.ts';

export interface Mistake {
  /** `file:line`, the file alone where no line can be named, or the environment variable. */
  readonly place: string;
  /** As an operator would say it: `stream[0].linger`; empty for a mistake of the file as a whole. */
  readonly key: string;
  /** The value as JSON; absent where the mistake is that there is none. */
  readonly value?: string;
  /** What to change. */
  readonly cure: string;
}

/** One line for people. */
export function mistakeLine({ place, key, value, cure }: Mistake): string {
  const subject = value === undefined ? key : `${key} = ${value}`;
  return [place, subject, cure].filter((part) => part !== '').join(': ');
}

/** All mistakes as the one error that refuses to start; exit code 78. */
export function configError(mistakes: readonly Mistake[]): SpillwayError {
  const shown = mistakes.slice(0, mistakesShownMax).map(mistakeLine);
  const hidden = mistakes.length - shown.length;
  if (hidden > 0) shown.push(`and ${hidden} more`);
  const count = mistakes.length === 1 ? '1 mistake' : `${mistakes.length} mistakes`;
  return new SpillwayError('config', `${count} in the configuration\n  ${shown.join('\n  ')}`, {
    fields: { mistakes: mistakes.length },
  });
}

/** A value as it appears in a message: JSON, without a password, cut where it is long. */
export function shownValue(value: unknown): string {
  const text = JSON.stringify(value, (_, each: unknown) => withoutPassword(each)) ?? String(value);
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

/**
 * A URL without its user and password, which are nobody's business who reads a message; anything else as it is. A value with a slip in
 * it, such as a URL whose scheme is missing, counts as one as soon as it has an @.
 */
export function withoutPassword(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/^([a-zA-Z][a-zA-Z0-9+.-]*:\/\/)?.*@/s, '$1...@') : value;
}
