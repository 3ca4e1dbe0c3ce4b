/**
 * Log lines whose strings hold what breaks lines, steers terminals and misleads parsers: each must be one line of plain text that
 * says what was logged. Only tests import it; pure.
 */
import { createLog, floodWindowMs } from '../../src/observe/log.ts';
import { checkLogLine } from '../../src/observe/log-check.ts';
import { random } from './latency-log.ts';

// biome-ignore format: a list
const nasty = [
  '\n', '\r', '\0', '\x1b[31m', '\x7f', '\x9b', '\u2028', '\u2029', '\u202e', '\ufeff', '"', '\\', '\ud800', '{"', '%s%d%j', 'ü', '😀',
];
const plain = /^[^\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]*\n$/u;

export interface HostileFindings {
  readonly strings: number;
  readonly lines: number;
  /** The first lines that were wrong. */
  readonly wrong: readonly string[];
}

/** Logs at least so many strings, four a line. */
export function logHostile(strings: number, seed: number): HostileFindings {
  const next = random(seed);
  const text = (): string =>
    Array.from({ length: next() * 120 }, () => nasty[Math.floor(next() * nasty.length)]).join('');
  let nowMs = 0;
  let printed: string[] = [];
  const log = createLog({ level: 'info', nowMs: () => nowMs, write: (line) => printed.push(line) });
  const found = { strings: 0, lines: 0, wrong: [] as string[] };
  for (; found.strings < strings; found.strings += 4) {
    nowMs += floodWindowMs;
    const [message, stream, value, name] = [text(), text(), text(), text()];
    printed = [];
    log.error('error', message, { code: 'x', retryable: false, stream, details: { [name]: value } });
    found.lines += printed.length;
    const [line = ''] = printed;
    const isRight = printed.length === 1 && plain.test(line) && saysSo(line, [message, stream, name, value]);
    if (!isRight && found.wrong.length < 5) found.wrong.push(printed.join(''));
  }
  return found;
}

/** A lone surrogate is no character: it may come as the one that stands for such. */
const legible = (text: string): string => text.replaceAll('\ud800', '\ufffd');

function saysSo(line: string, logged: readonly string[]): boolean {
  const parsed = JSON.parse(line) as { msg: string; stream: string; details: Record<string, string> };
  if (checkLogLine(parsed).length > 0) return false;
  const read = [parsed.msg, parsed.stream, ...Object.entries(parsed.details).flat()];
  return read.length === logged.length && read.every((each, i) => legible(each) === legible(logged[i] as string));
}
