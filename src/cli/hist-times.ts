/**
 * The times and durations on the command line of `spillway hist`: from text to milliseconds, and the periods that they make. Main
 * thread; called while commander reads the arguments. What it throws says what was given and what to give.
 */
import { InvalidArgumentError } from 'commander';
import { SpillwayError } from '../base/errors.ts';
import { allTime, type Period } from '../observe/hist.ts';

/** The options of time, as commander gives them. */
export interface TimeFlags {
  readonly since?: number;
  readonly until?: number;
  readonly period?: readonly Period[];
}

/** Milliseconds of a text such as `250ms`, `10s`, `1m`, `2h`, `1d`; at least 1. */
export function durationMs(text: string): number {
  const match = /^(\d{1,9}(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? ''] ?? 0;
  const ms = Math.round(Number(match?.[1] ?? 0) * unitMs);
  if (ms < 1) throw new InvalidArgumentError('Give a number and a unit, such as 250ms, 10s, 1m, 2h or 1d.');
  return ms;
}

/** Milliseconds since 1970 of ISO 8601 (without a zone: local time), or of milliseconds since 1970. */
export function timeMs(text: string): number {
  const isDate = /^\d{4}-\d{2}-\d{2}/.test(text);
  const ms = isDate ? Date.parse(text) : /^\d{12,14}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(ms)) {
    const seconds = /^\d{9,10}$/.test(text) ? ` These look like seconds: ${text}000?` : '';
    throw new InvalidArgumentError(
      `Give ISO 8601, such as 2026-11-27T18:00:00Z, or milliseconds since 1970.${seconds}`,
    );
  }
  return ms;
}

/** For an option that may be given twice: `FROM..TO`, where an end that is left out is open. */
export function periodOf(text: string, before: readonly Period[] = []): readonly Period[] {
  const ends = text.split('..');
  const [from, to] = ends;
  if (from === undefined || to === undefined || ends.length > 2) {
    throw new InvalidArgumentError(
      'Give FROM..TO, such as 2026-11-27T18:00Z..2026-11-27T19:00Z; either end may be left out.',
    );
  }
  const period = {
    fromMs: from === '' ? allTime.fromMs : timeMs(from),
    toMs: to === '' ? allTime.toMs : timeMs(to),
  };
  if (period.fromMs >= period.toMs)
    throw new InvalidArgumentError('It ends before it begins: give the earlier time first.');
  return [...before, period];
}

/** What is merged: one period, or the two that are compared. Throws `usage` where the options contradict each other. */
export function periodsOf({ since, until, period = [] }: TimeFlags): readonly Period[] {
  if (period.length > 0) {
    if (since !== undefined || until !== undefined) {
      throw new SpillwayError('usage', '--period and --since or --until both choose times: give one of them');
    }
    if (period.length !== 2) {
      throw new SpillwayError(
        'usage',
        `--period is given ${period.length === 1 ? 'once' : `${period.length} times`}: give it twice, for A and B; for one period give --since and --until`,
      );
    }
    return period;
  }
  if (since !== undefined && until !== undefined && since >= until) {
    throw new SpillwayError('usage', `--since ${iso(since)} is not before --until ${iso(until)}: swap them`);
  }
  return [{ fromMs: since ?? allTime.fromMs, toMs: until ?? allTime.toMs }];
}

/** A period for people. */
export function periodText({ fromMs, toMs }: Period): string {
  if (!Number.isFinite(fromMs)) return Number.isFinite(toMs) ? `before ${iso(toMs)}` : 'all';
  return Number.isFinite(toMs) ? `${iso(fromMs)} to ${iso(toMs)}` : `from ${iso(fromMs)}`;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
