/**
 * The parser of an `application/json` body: an array of events, or one object that is the only event. Main thread; the HTTP
 * listener feeds it as the body arrives. Each element's bytes are one event, unchanged; the array is never held whole.
 *
 * ```
 *   begin ─ '[' ─▶ first ─▶ element ─▶ behind ─ ',' ─▶ next ─▶ element …      behind, first ─ ']' ─▶ done
 *     └──── '{' ──────────▶ element ─▶ done
 * ```
 *
 * An element that is whole is checked as strictly as `JSON.parse` would, and refused by its index if it is not JSON; one beyond
 * the limit is refused and dropped as it arrives. Where nothing tells where the next element begins the framer fails: what
 * stands before that place is taken, the rest is not.
 */
import { assert } from '../base/assert.ts';
import type { Arena } from '../ring/arena.ts';
import { ElementScan, unfinished } from './element-scan.ts';
import type { Framer } from './framer.ts';
import { type Intake, noHashKey, type Refusal, randomKeyLength, Verdict } from './intake.ts';
import { type KeyFinder, KeyStatus } from './json-key.ts';
import { malformed, skipSpace, skipValue } from './json-scan.ts';
import { skipByteOrderMark } from './json-text.ts';
import type { MissingKey } from './lines.ts';

export interface JsonArrayFramerOptions {
  readonly arena: Arena;
  readonly intake: Intake;
  readonly stream: number;
  /** Finds the partition key; undefined: every event gets a random one. May be shared by all framers of the process. */
  readonly keyFinder?: KeyFinder | undefined;
  readonly missingKey: MissingKey;
  /** Longest element in bytes. The listener can carry so many. */
  readonly elementBytesMax: number;
}

type State = 'begin' | 'first' | 'next' | 'element' | 'behind' | 'done';

/** First byte of a byte order mark. */
const markByte = 0xef;

/** What is wrong with a byte that may not stand where it does. */
const faults: Readonly<Record<Exclude<State, 'element'>, string>> = {
  begin: 'the body begins with neither [ nor {',
  first: 'no JSON value stands where the first element should begin',
  next: 'no JSON value stands behind a comma',
  behind: 'neither a comma nor ] stands behind an element',
  done: 'something stands behind the end of the array or object',
};

export class JsonArrayFramer implements Framer {
  readonly stream: number;
  blocked = false;
  failed = false;
  failure: Refusal | undefined;
  /** Elements judged so far. */
  offered = 0;
  readonly #options: JsonArrayFramerOptions;
  readonly #bytes: Uint8Array;
  readonly #scan = new ElementScan();
  #state: State = 'begin';
  /** The body is one object. */
  #single = false;
  /** Set while the rest of an element beyond the limit is dropped. */
  #skipping = false;

  constructor(options: JsonArrayFramerOptions) {
    assert(options.elementBytesMax > 0, 'elements may have bytes');
    this.stream = options.stream;
    this.#options = options;
    this.#bytes = options.arena.bytes;
  }

  consume(start: number, end: number, timeUs: number): number {
    this.blocked = false;
    let offset = start;
    while (!this.failed) {
      if (this.#state !== 'element') {
        offset = skipSpace(this.#bytes, offset, end);
        if (offset === end) return end;
        if (this.#state === 'begin' && this.#bytes[offset] === markByte) {
          const behind = skipByteOrderMark(this.#bytes, offset, end);
          if (behind === offset && end - offset < 3) return offset;
          if (behind === end) return end;
          offset = behind;
          continue;
        }
        offset = this.#between(offset);
        continue;
      }
      const length = this.#scan.scan(this.#bytes, offset, end);
      if (length === unfinished) return this.#unfinished(offset, end);
      if (this.#skipping) this.#skipping = false;
      else if (!this.#take(offset, length, end, timeUs)) return offset;
      offset += length;
      this.#state = this.#single ? 'done' : 'behind';
    }
    return end;
  }

  finish(start: number, end: number, timeUs: number): number {
    const offset = this.consume(start, end, timeUs);
    if (this.blocked || this.failed || this.#state === 'done') return offset;
    // A body of nothing has no events, as for lines.
    if (this.#state !== 'begin' || offset < end) this.#fail('the body ends inside the array or object');
    return end;
  }

  /** Senders of arrays are told by the HTTP answer. */
  takeAnswer(): Buffer | undefined {
    return undefined;
  }

  /** Takes one byte between elements, or goes over to the element that begins there. */
  #between(offset: number): number {
    const byte = this.#bytes[offset] as number;
    const state = this.#state as Exclude<State, 'element'>;
    if (state === 'begin' && byte === 0x5b) {
      this.#state = 'first';
    } else if (state === 'begin' && byte === 0x7b) {
      this.#single = true;
      this.#state = 'element';
      return offset;
    } else if (state === 'behind' && byte === 0x2c) {
      this.#state = 'next';
    } else if ((state === 'behind' || state === 'first') && byte === 0x5d) {
      this.#state = 'done';
    } else if (
      (state === 'first' || state === 'next') &&
      byte > 0x20 &&
      byte !== 0x2c &&
      byte !== 0x5d &&
      byte !== 0x7d
    ) {
      this.#state = 'element';
      return offset;
    } else {
      this.#fail(faults[state]);
    }
    return offset + 1;
  }

  /** An element without its end: left for the next read, or dropped as far as it has come when it is already too long. */
  #unfinished(offset: number, end: number): number {
    if (!this.#skipping) {
      if (end - offset <= this.#options.elementBytesMax) return offset;
      this.#skipping = true;
      this.#refuse(Verdict.eventTooLarge);
    }
    this.#scan.drop();
    return end;
  }

  /** Offers one element; false when the intake blocked it, and then nothing was counted. */
  #take(start: number, length: number, end: number, timeUs: number): boolean {
    const { intake, elementBytesMax, keyFinder, missingKey } = this.#options;
    if (length > elementBytesMax) return this.#refuse(Verdict.eventTooLarge);
    // One byte more where there is one: only what delimits a number shows that it is whole.
    const valueEnd = skipValue(this.#bytes, start, Math.min(start + length + 1, end), 0);
    if (valueEnd === malformed || valueEnd !== start + length) return this.#refuse(Verdict.badJson);
    let keyOffset = 0;
    let keyLength = 0;
    const status = keyFinder === undefined ? KeyStatus.missing : keyFinder.find(start, start + length);
    if (keyFinder !== undefined && status === KeyStatus.found) {
      keyOffset = keyFinder.keyOffset;
      keyLength = keyFinder.keyLength;
    } else if (status === KeyStatus.notUtf8) {
      return this.#refuse(Verdict.keyNotUtf8);
    } else if (status === KeyStatus.malformed) {
      return this.#refuse(Verdict.badJson);
    } else if (keyFinder !== undefined && missingKey === 'refuse') {
      return this.#refuse(Verdict.missingKey);
    } else {
      keyOffset = intake.randomKey();
      keyLength = randomKeyLength;
    }
    const verdict = intake.offer(this.stream, keyOffset, keyLength, start, length, noHashKey, timeUs);
    if (verdict === Verdict.blocked) {
      this.blocked = true;
      return false;
    }
    this.offered++;
    return true;
  }

  /** Counts a refusal of the element at hand; true: it is judged. */
  #refuse(verdict: Verdict): boolean {
    this.#options.intake.refuse(this.stream, verdict);
    this.offered++;
    return true;
  }

  #fail(fault: string): void {
    const message = `behind ${this.offered} elements: ${fault}; the elements before are judged`;
    this.failure = { code: 'bad_body', retryable: false, message };
    this.failed = true;
    this.#refuse(Verdict.badJson);
  }
}
