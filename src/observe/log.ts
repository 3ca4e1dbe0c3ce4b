/**
 * The daemon's log: one JSON line per fact, by pino. Main thread; everybody there logs through it, lane workers send what
 * they have to say to the main thread. Kinds and fields are those of log-schema.ts and no others, so no payload gets in.
 *
 * One fact is one line whatever its strings hold: control characters, line separators and direction marks leave as JSON
 * escapes, long strings are cut. Lines alike are flood-controlled; lines that stdout does not take are counted, and said so.
 */
import { type Logger, pino } from 'pino';
import { toPlainError } from '../base/errors.ts';
import { Flood } from './flood.ts';
import { LogOutput } from './log-output.ts';
import { type LogFields, type LogKind, type LogLevel, logKindTable } from './log-schema.ts';

/** Longest string of a field or message, in UTF-16 units; the rest is cut. Not for `hdr`, whose length has its own bound. */
export const logTextMax = 2_048;

/** Lines alike that pass per {@link floodWindowMs}. */
export const floodLinesMax = 10;
export const floodWindowMs = 10_000;
/** Keys that flood control tells apart; each costs about 200 bytes. */
export const floodKeysMax = 1_000;

export interface LogOptions {
  /** Least level that is printed. */
  readonly level: LogLevel | 'silent';
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Takes each line, with its line break, instead of stdout. */
  readonly write?: (line: string) => void;
  /** Stands in for stdout. */
  readonly output?: LogOutput;
}

/** Lines that were not printed, since the start. */
export interface LogCounts {
  /** Stdout was not read in time. */
  readonly linesLost: number;
  /** Held back by flood control. */
  readonly linesSuppressed: number;
}

/** Legible, but steers terminals or breaks lines: DEL and C1 controls, line and paragraph separators, direction marks. */
const unsafe = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

export class Log {
  readonly #pino: Logger;
  readonly #output: LogOutput | undefined;
  readonly #nowMs: () => number;
  readonly #flood = new Flood({ linesMax: floodLinesMax, windowMs: floodWindowMs, keysMax: floodKeysMax });

  constructor(options: LogOptions) {
    const { write, nowMs } = options;
    this.#nowMs = nowMs;
    this.#output = write === undefined ? (options.output ?? new LogOutput(process.stdout)) : undefined;
    const take = write ?? ((line: string) => this.#output?.write(line));
    this.#pino = pino(
      {
        level: options.level,
        base: null,
        timestamp: () => `,"time":"${new Date(nowMs()).toISOString()}"`,
        formatters: { level: (label) => ({ level: label }) },
      },
      { write: (line: string) => take(line.replace(unsafe, escapeUnit)) },
    );
  }

  /** Least level that is printed from now on. */
  set level(level: LogLevel | 'silent') {
    this.#pino.level = level;
  }

  get counts(): LogCounts {
    return { linesLost: this.#output?.lostEver ?? 0, linesSuppressed: this.#flood.suppressedEver };
  }

  debug<K extends LogKind>(kind: K, message: string, fields: LogFields<K>): void {
    this.#log('debug', kind, message, fields);
  }

  info<K extends LogKind>(kind: K, message: string, fields: LogFields<K>): void {
    this.#log('info', kind, message, fields);
  }

  warn<K extends LogKind>(kind: K, message: string, fields: LogFields<K>): void {
    this.#log('warn', kind, message, fields);
  }

  error<K extends LogKind>(kind: K, message: string, fields: LogFields<K>): void {
    this.#log('error', kind, message, fields);
  }

  fatal<K extends LogKind>(kind: K, message: string, fields: LogFields<K>): void {
    this.#log('fatal', kind, message, fields);
  }

  /** Logs anything thrown as an `error` line: its code, whether it is retryable, its fields. */
  failure(thrown: unknown, where: { readonly stream?: string; readonly lane?: number } = {}): void {
    const { code, message, retryable, fields } = toPlainError(thrown);
    const details = Object.keys(fields).length > 0 ? { details: fields } : {};
    this.#log('error', 'error', message, { code, retryable, ...where, ...details });
  }

  /** Reports what flood control held back and what stdout did not take. Call it once per log interval. */
  tick(): void {
    this.#report(this.#nowMs());
  }

  /**
   * Reports what is still unreported and waits until stdout has taken all lines, at most `timeoutMs`. Every orderly end of
   * the process goes through here. Gives the number of lines that are lost, without a line that says so, if it ends now.
   */
  async close(timeoutMs: number): Promise<number> {
    this.#report(Number.POSITIVE_INFINITY);
    if (this.#output === undefined) return 0;
    const queued = await this.#output.drain(timeoutMs / 2);
    if (queued > 0) return queued + this.#output.takeLost();
    // There is room again to say what was lost while there was none.
    this.#report(Number.POSITIVE_INFINITY);
    return (await this.#output.drain(timeoutMs / 2)) + this.#output.takeLost();
  }

  #log<K extends LogKind>(level: LogLevel, kind: K, message: string, fields: LogFields<K>): void {
    if (!this.#pino.isLevelEnabled(level)) return;
    const nowMs = this.#nowMs();
    this.#report(nowMs);
    const row = logKindTable[kind];
    if (row?.periodic !== true && !this.#flood.admit(floodKey(level, kind, fields, row?.floodBy ?? []), nowMs)) return;
    this.#print(level, kind, message, fields);
  }

  #report(nowMs: number): void {
    for (const held of this.#flood.closeWindows(nowMs)) {
      this.#print('warn', 'flood', `${held.suppressed} lines like these were not printed`, { ...held });
    }
    // Without room the report would only add itself to the lost lines.
    if (this.#output?.hasRoom(4 * logTextMax)) {
      const lost = this.#output.takeLost();
      if (lost > 0) this.#print('warn', 'log', `${lost} log lines were lost: stdout was not read in time`, { lost });
    }
  }

  #print(level: LogLevel, kind: LogKind, message: string, fields: object): void {
    const line: Record<string, unknown> = { kind };
    for (const [name, value] of Object.entries(fields)) line[name] = name === 'hdr' ? value : bounded(value);
    this.#pino[level](line, cut(message));
  }
}

/** The daemon's log, on stdout unless `write` is given. */
export function createLog(options: LogOptions): Log {
  return new Log(options);
}

function floodKey(level: LogLevel, kind: LogKind, fields: object, floodBy: readonly string[]): string {
  let key = `${kind} ${level}`;
  for (const name of floodBy) {
    const value = (fields as Readonly<Record<string, unknown>>)[name];
    if (value !== undefined) key += ` ${name}=${cut(String(value))}`;
  }
  return key;
}

function bounded(value: unknown): unknown {
  if (typeof value === 'string') return cut(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.slice(0, 256).map(bounded);
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, 64)
      .map(([name, each]) => [cut(name), bounded(each)]),
  );
}

function cut(text: string): string {
  return text.length <= logTextMax ? text : `${text.slice(0, logTextMax)}... (${text.length - logTextMax} more)`;
}

function escapeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
