/**
 * The parser of newline-delimited events: one line, one event, its bytes unchanged. Main thread; unix connections that do not
 * begin with a frame's hello, HTTP bodies and stdin go through it. It never parses an event whole: with a key field it looks
 * for that field alone, without one a line need not even be JSON.
 *
 * Answers are lines of JSON: refusals, equal neighbours folded into one, then the totals. Their number per read is bounded;
 * what is left out is still counted in the totals.
 */
import type { Arena } from '../ring/arena.ts';
import type { Framer } from './framer.ts';
import { firstRefusal, type Intake, noHashKey, randomKeyLength, refusals, Verdict } from './intake.ts';
import { type KeyFinder, KeyStatus } from './json-key.ts';

/** Refusals told one by one between two answers. */
export const refusalsToldMax = 16;

export interface LineFramerOptions {
  readonly arena: Arena;
  readonly intake: Intake;
  readonly stream: number;
  /** Finds the partition key; absent: every event gets a random one, unless {@link fixedKey} is given. */
  readonly keyFinder?: KeyFinder;
  readonly missingKey: 'random' | 'refuse';
  /** Longest line in bytes, its break not counted. */
  readonly lineBytesMax: number;
  /** Partition key of all events. */
  readonly fixedKey?: string;
}

/** A run of refused lines: `count` lines from number `line` on. */
export interface RefusedLines {
  readonly line: number;
  readonly verdict: Verdict;
  count: number;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

export class LineFramer implements Framer {
  readonly stream: number;
  readonly failed = false;
  blocked = false;
  /** Events judged, by outcome; `spilled` are among the accepted. */
  accepted = 0;
  refused = 0;
  spilled = 0;
  /** Verdict and line of the first refusal after which the rest should be sent again; 0: none. */
  firstRetryable = 0;
  readonly #options: LineFramerOptions;
  #line = 0;
  #skipping = false;
  #due: RefusedLines[] = [];
  #told = 0;

  constructor(options: LineFramerOptions) {
    this.#options = options;
    this.stream = options.stream;
  }

  get offered(): number {
    return this.accepted + this.refused;
  }

  consume(start: number, end: number, timeUs: number): number {
    const { buffer } = this.#options.arena;
    this.blocked = false;
    let at = start;
    while (at < end) {
      const found = buffer.indexOf(lineFeed, at);
      const lineEnd = found === -1 || found >= end ? -1 : found;
      if (lineEnd === -1) return this.#unfinished(at, end);
      if (this.#skipping) this.#skipping = false;
      else if (!this.#takeLine(at, lineEnd, timeUs)) return at;
      at = lineEnd + 1;
    }
    return at;
  }

  finish(start: number, end: number, timeUs: number): number {
    const at = this.consume(start, end, timeUs);
    if (this.blocked || at === end || this.#skipping) return this.blocked ? at : end;
    return this.#takeLine(at, end, timeUs) ? end : at;
  }

  /** The refusals since the last call, at most {@link refusalsToldMax}. */
  takeRefusals(): RefusedLines[] {
    const due = this.#due;
    this.#due = [];
    return due;
  }

  takeAnswer(): Buffer | undefined {
    if (this.offered === this.#told) return undefined;
    this.#told = this.offered;
    const lines = this.takeRefusals().map((run) => `${JSON.stringify(describeRefusal(run))}\n`);
    lines.push(`{"accepted":${this.accepted},"refused":${this.refused}}\n`);
    return Buffer.from(lines.join(''));
  }

  /** A line without its break: kept for the next read, or dropped as far as it is here when it is already too long. */
  #unfinished(at: number, end: number): number {
    if (this.#skipping) return end;
    if (end - at <= this.#options.lineBytesMax) return at;
    this.#skipping = true;
    this.#line++;
    this.#options.intake.refuse(this.stream, Verdict.eventTooLarge);
    this.#refuse(Verdict.eventTooLarge);
    return end;
  }

  /** Offers one line; false when the intake blocked it, and then nothing was counted. */
  #takeLine(start: number, lineEnd: number, timeUs: number): boolean {
    const { arena, intake, stream, lineBytesMax } = this.#options;
    const end = lineEnd > start && arena.bytes[lineEnd - 1] === carriageReturn ? lineEnd - 1 : lineEnd;
    if (end === start) {
      this.#line++;
      return true;
    }
    let verdict: Verdict = end - start > lineBytesMax ? Verdict.eventTooLarge : this.#findKey(start, end);
    if (verdict >= firstRefusal) intake.refuse(stream, verdict);
    else verdict = intake.offer(stream, this.#keyOffset, this.#keyLength, start, end - start, noHashKey, timeUs);
    if (verdict === Verdict.blocked) {
      this.blocked = true;
      return false;
    }
    this.#line++;
    if (verdict >= firstRefusal) this.#refuse(verdict);
    else this.accepted++;
    if (verdict === Verdict.spilled) this.spilled++;
    return true;
  }
  #keyOffset = 0;
  #keyLength = 0;

  /** Sets the key of the line; a refusal where it has none and must have one. */
  #findKey(start: number, end: number): Verdict {
    const { arena, fixedKey, keyFinder, missingKey, intake } = this.#options;
    if (fixedKey !== undefined) {
      // Directly before the line, over bytes that are judged already (or the carry room): key and data are then one copy.
      this.#keyLength = Buffer.byteLength(fixedKey);
      this.#keyOffset = start - this.#keyLength;
      arena.buffer.write(fixedKey, this.#keyOffset, 'utf8');
      return Verdict.ring;
    }
    if (keyFinder !== undefined) {
      const status = keyFinder.find(start, end);
      if (status === KeyStatus.found) {
        this.#keyOffset = keyFinder.keyOffset;
        this.#keyLength = keyFinder.keyLength;
        return Verdict.ring;
      }
      if (status !== KeyStatus.missing) return Verdict.badJson;
      if (missingKey === 'refuse') return Verdict.missingKey;
    }
    this.#keyOffset = intake.randomKey();
    this.#keyLength = randomKeyLength;
    return Verdict.ring;
  }

  #refuse(verdict: Verdict): void {
    this.refused++;
    if (this.firstRetryable === 0 && refusals[verdict]?.retryable === true) this.firstRetryable = this.#line;
    const last = this.#due.at(-1);
    if (last !== undefined && last.verdict === verdict && last.line + last.count === this.#line) last.count++;
    else if (this.#due.length < refusalsToldMax) this.#due.push({ line: this.#line, verdict, count: 1 });
  }
}

/** A run of refusals as senders are told: `line` is the first, `count` says how many followed it when there was more than one. */
export function describeRefusal({ line, verdict, count }: RefusedLines): object {
  const refusal = refusals[verdict];
  return {
    line,
    error: refusal?.code ?? 'refused',
    message: refusal?.message ?? '',
    retryable: refusal?.retryable ?? false,
    ...(count === 1 ? {} : { count }),
  };
}
