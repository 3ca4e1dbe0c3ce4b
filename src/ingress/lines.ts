/**
 * The parser of newline-delimited events: one line, one event, its bytes unchanged. Main thread; unix connections that do not
 * begin with a hello, HTTP bodies and stdin go through it. It never parses an event whole: with a key field it looks for that
 * field alone, without one a line need not even be JSON.
 *
 * A line ends with `\n` or `\r\n`; empty lines are passed over, but numbered. A line beyond the limit is refused by its number
 * as soon as the limit is passed, and dropped as it arrives. A byte order mark before the first line is passed over. Answers
 * are lines of JSON (PROTOCOL.md): refusals, then the totals since the connection's start; at most one buffer per read.
 */
import { assert } from '../base/assert.ts';
import type { Arena } from '../ring/arena.ts';
import type { Framer } from './framer.ts';
import { firstRefusal, type Intake, noHashKey, randomKeyLength, Verdict } from './intake.ts';
import { type KeyFinder, KeyStatus } from './json-key.ts';
import { isValue } from './json-scan.ts';
import { skipByteOrderMark } from './json-text.ts';
import { RefusalList, type ToldRefusal, tellRefusal } from './refusal-list.ts';
import { Fate, type Watch } from './watch.ts';
import type { WatchedLevel, WatchSender } from './watched-intake.ts';

/** What to do with an event whose key field is absent, or neither a string nor a number. */
export type MissingKey = 'random' | 'refuse';

export interface LineFramerOptions {
  readonly arena: Arena;
  readonly intake: Intake;
  readonly stream: number;
  /** Finds the partition key; undefined: every event gets a random one. May be shared by all framers of the process. */
  readonly keyFinder?: KeyFinder | undefined;
  readonly missingKey: MissingKey;
  /** Longest line in bytes, its break not counted. The listener can carry one more (an unfinished line's `\r`). */
  readonly lineBytesMax: number;
  /** For connections of ack level `disk` or `stream`: the answers tell what became of the events. */
  readonly watched?: { readonly level: WatchedLevel; readonly sender: WatchSender } | undefined;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

export class LineFramer implements Framer {
  readonly stream: number;
  /** Any bytes are lines. */
  readonly failed = false;
  blocked = false;
  /** Events of this connection so far, by outcome. */
  accepted = 0;
  refused = 0;
  readonly #arena: Arena;
  readonly #intake: Intake;
  readonly #keyFinder: KeyFinder | undefined;
  readonly #missingKey: MissingKey;
  readonly #lineBytesMax: number;
  readonly #refusals = new RefusalList();
  /** Lines judged so far, the empty ones among them. */
  #line = 0;
  /** Set while the rest of a line beyond the limit is dropped. */
  #skipping = false;
  /** Bytes at the start of the next consume that are known to hold no line feed. */
  #searchedBytes = 0;
  #toldEvents = 0;
  #toldPending = 0;
  readonly #level: WatchedLevel | undefined;
  /** Of a connection of ack level `disk` or `stream`. */
  readonly #watch: Watch | undefined;
  onDue?: () => void;
  /** Why the listener ends the connection. */
  #farewell: string | undefined;
  #keyOffset = 0;
  #keyLength = 0;

  constructor(options: LineFramerOptions) {
    assert(options.lineBytesMax > 0, 'lines may have bytes');
    this.stream = options.stream;
    this.#arena = options.arena;
    const { level, sender } = options.watched ?? {};
    const onDue = (): void => this.onDue?.();
    const watched = level === undefined ? undefined : sender?.(level, { receiptsMax: 0, onDue, tellsSpills: false });
    this.#level = level;
    this.#watch = watched?.watch;
    this.#intake = watched ?? options.intake;
    this.#keyFinder = options.keyFinder;
    this.#missingKey = options.missingKey;
    this.#lineBytesMax = options.lineBytesMax;
  }

  get judged(): number {
    return this.#line;
  }
  get skipping(): boolean {
    return this.#skipping;
  }

  /** Events judged so far. */
  get offered(): number {
    return this.accepted + this.refused;
  }

  /** Number of the line that is being offered, or comes next. */
  get lineNumber(): number {
    return this.#line + 1;
  }

  consume(start: number, end: number, timeUs: number): number {
    this.blocked = false;
    // The search is native and must not run on into the arena: an object per read bounds it.
    const read = this.#arena.buffer.subarray(0, end);
    let offset = start;
    let searchFrom = Math.min(start + this.#searchedBytes, end);
    this.#searchedBytes = 0;
    while (offset < end) {
      const lineEnd = read.indexOf(lineFeed, searchFrom);
      if (lineEnd === -1) return this.#unfinished(offset, end);
      if (this.#skipping) this.#skipping = false;
      else if (!this.#takeLine(offset, lineEnd, timeUs)) return offset;
      offset = lineEnd + 1;
      searchFrom = offset;
    }
    return offset;
  }

  finish(start: number, end: number, timeUs: number): number {
    const offset = this.consume(start, end, timeUs);
    if (this.blocked || offset === end) return offset;
    return this.#takeLine(offset, end, timeUs) ? end : offset;
  }

  get awaiting(): boolean {
    return this.#watch !== undefined && !this.#watch.closed && this.#watch.pending > 0;
  }

  whenRoom(resume: () => void): void {
    this.#intake.whenRoom(this.stream, resume);
  }

  close(): void {
    this.#watch?.close();
  }

  takeAnswer(): Buffer | undefined {
    const watch = this.#watch;
    const pending = watch?.pending ?? 0;
    // Lines are told sums, which are counted already: stepping over the events makes room for more.
    if (watch !== undefined) while (watch.next() !== Fate.pending);
    const isNew = this.offered !== this.#toldEvents || pending !== this.#toldPending;
    if (!isNew && this.#farewell === undefined) return undefined;
    this.#toldEvents = this.offered;
    this.#toldPending = pending;
    const { told, omitted } = this.takeRefusals();
    const lines = told.map((refusal) => JSON.stringify(refusal));
    if (omitted > 0) lines.push(JSON.stringify({ omitted, message: 'further refusals of this read are only counted' }));
    lines.push(`{"accepted":${this.accepted},"refused":${this.refused}${this.#fates()}}`);
    if (this.#farewell !== undefined) lines.push(this.#farewell);
    return Buffer.from(`${lines.join('\n')}\n`);
  }

  #fates(): string {
    if (this.#watch === undefined) return '';
    const { delivered, onDisk, rejected, durable, stalled } = this.#watch;
    if (this.#level === 'disk') return `,"durable":${durable},"stalled":${stalled}`;
    return `,"delivered":${delivered},"onDisk":${onDisk},"rejected":${rejected}`;
  }

  leave(code: string, message: string, retryable: boolean): void {
    this.#farewell ??= JSON.stringify({ error: code, message, retryable });
  }

  /** The refusals since the last call, for listeners that tell them in another way than {@link takeAnswer}. */
  takeRefusals(): { readonly told: ToldRefusal[]; readonly omitted: number } {
    const { omitted } = this.#refusals;
    return { told: this.#refusals.take().map((run) => tellRefusal(run, 'line', this.#lineBytesMax)), omitted };
  }

  /** A line without its break: left for the next read, or dropped as far as it has come when it is already too long. */
  #unfinished(offset: number, end: number): number {
    if (this.#skipping) return end;
    if (end - offset <= this.#lineBytesMax + 1) {
      this.#searchedBytes = end - offset;
      return offset;
    }
    this.#skipping = true;
    this.#intake.refuse(this.stream, Verdict.eventTooLarge);
    this.#judge(Verdict.eventTooLarge);
    return end;
  }

  /** Offers one line; false when the intake blocked it, and then nothing was counted. */
  #takeLine(lineStart: number, lineEnd: number, timeUs: number): boolean {
    const start = this.#line === 0 ? skipByteOrderMark(this.#arena.bytes, lineStart, lineEnd) : lineStart;
    const end = lineEnd > start && this.#arena.bytes[lineEnd - 1] === carriageReturn ? lineEnd - 1 : lineEnd;
    if (end === start) {
      this.#line++;
      return true;
    }
    const fault = end - start > this.#lineBytesMax ? Verdict.eventTooLarge : this.#findKey(start, end);
    if (fault !== Verdict.ring) {
      this.#intake.refuse(this.stream, fault);
      this.#judge(fault);
      return true;
    }
    const { stream } = this;
    const verdict = this.#intake.offer(stream, this.#keyOffset, this.#keyLength, start, end - start, noHashKey, timeUs);
    if (verdict === Verdict.blocked) {
      this.blocked = true;
      return false;
    }
    this.#judge(verdict);
    return true;
  }

  /** Finds the key of the line; the verdict is a refusal where it has none and must have one, else `ring`. */
  #findKey(start: number, end: number): Verdict {
    const finder = this.#keyFinder;
    if (finder !== undefined) {
      const status = finder.find(start, end);
      if (status === KeyStatus.found) {
        this.#keyOffset = finder.keyOffset;
        this.#keyLength = finder.keyLength;
        return Verdict.ring;
      }
      if (status === KeyStatus.notUtf8) return Verdict.keyNotUtf8;
      if (status === KeyStatus.malformed) return Verdict.badJson;
      // A number, text or array is JSON without the field; anything else is a mistake of the sender.
      if (status === KeyStatus.notObject && !isValue(this.#arena.bytes, start, end)) return Verdict.badJson;
      if (this.#missingKey === 'refuse') return Verdict.missingKey;
    }
    this.#keyOffset = this.#intake.randomKey();
    this.#keyLength = randomKeyLength;
    return Verdict.ring;
  }

  #judge(verdict: Verdict): void {
    this.#line++;
    if (verdict < firstRefusal) {
      this.accepted++;
    } else {
      this.refused++;
      this.#refusals.add(this.#line, verdict);
    }
  }
}
