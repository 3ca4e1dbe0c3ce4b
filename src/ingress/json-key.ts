/**
 * Finds a partition key in an event's JSON text: the string or number at a dotted path (`user.id`), without parsing the event
 * and without allocating. Main thread; called by the line and array framers for every event when a listener has a `key_field`.
 *
 * It walks the top-level object member by member, steps over what does not match, goes down where a name matches, and stops
 * at the value: what stands behind it is never looked at. What stands before it is checked as strictly as `JSON.parse` does.
 * Where a name occurs twice in one object the first wins (`JSON.parse` takes the last): the key is found early or not at all.
 */
import { assert } from '../base/assert.ts';
import { SpillwayError } from '../base/errors.ts';
import { malformed, skipColon, skipNumber, skipSpace, skipString, skipValue } from './json-scan.ts';
import { bytesEqual, isUtf8, unescapeText } from './json-text.ts';

/** Most names in one path. */
export const keyPathNamesMax = 16;

/** Most bytes of one name in a path. A document's name of more than six times as many cannot be equal to it. */
export const keyPathNameBytesMax = 256;

/** Least bytes of scratch that a finder needs: four times the longest partition key of 256 characters. */
export const keyScratchBytes = 4096;

/** A dotted path, compiled once: one UTF-8 name per level. */
export interface KeyPath {
  readonly text: string;
  readonly names: readonly Uint8Array[];
}

/** What became of a search. */
export const KeyStatus = {
  /** {@link KeyFinder.keyOffset} and {@link KeyFinder.keyLength} say where. */
  found: 0,
  /** The field is absent, or its value is null, a boolean, an object or an array, or something on its path is no object. */
  missing: 1,
  /** The text is not JSON up to where the field was looked for, or nested deeper than 64. */
  malformed: 2,
  /** The text does not begin with an object. Whether it is JSON at all was not looked at. */
  notObject: 3,
  /** The field is there, and its text is not UTF-8. */
  notUtf8: 4,
} as const;
export type KeyStatus = (typeof KeyStatus)[keyof typeof KeyStatus];

/**
 * Compiles `user.id`. A dot within a name is written `\.`, a backslash `\\`. Throws `bad_key_field` when a name is empty or
 * too long, when there are too many, or when a backslash stands before anything else.
 */
export function compileKeyPath(text: string): KeyPath {
  const names: Uint8Array[] = [];
  let name = '';
  for (let index = 0; index <= text.length; index++) {
    const character = text[index];
    if (character === '.' || character === undefined) {
      names.push(new TextEncoder().encode(name));
      name = '';
    } else if (character === '\\') {
      const escaped = text[++index];
      if (escaped !== '.' && escaped !== '\\') {
        throw badPath(text, 'has a backslash before something else than a dot or a backslash; write "\\\\" for one');
      }
      name += escaped;
    } else {
      name += character;
    }
  }
  if (names.some((each) => each.length === 0)) {
    throw badPath(text, 'has an empty name; write names separated by single dots, like user.id');
  }
  if (names.some((each) => each.length > keyPathNameBytesMax)) {
    throw badPath(text, `has a name of more than ${keyPathNameBytesMax} bytes; key by a shorter field`);
  }
  if (names.length > keyPathNamesMax) {
    throw badPath(text, `has ${names.length} names, ${keyPathNamesMax} are the most; key by a field nearer to the top`);
  }
  return { text, names };
}

function badPath(text: string, fault: string): SpillwayError {
  return new SpillwayError('bad_key_field', `key_field ${JSON.stringify(text)} ${fault}`, {
    fields: { keyField: text },
  });
}

/** Whether the bytes of a name stand in JSON text as they are: no quote, no backslash, no control character. */
function needsNoEscape(name: Uint8Array): boolean {
  return name.every((byte) => byte >= 0x20 && byte !== 0x22 && byte !== 0x5c);
}

/** Searches events for one path. Keeps nothing between searches but the last result: one finder serves all connections. */
export class KeyFinder {
  /** Where the last found key begins, in bytes from the arena's start: within the event, or in scratch when it had escapes. */
  keyOffset = 0;
  /** Bytes of the last found key; 0 for an empty string. A key that outgrows the scratch is cut there, still far too long. */
  keyLength = 0;
  readonly path: KeyPath;
  readonly #bytes: Uint8Array;
  readonly #scratch: number;
  readonly #names: readonly Uint8Array[];
  readonly #verbatim: readonly boolean[];

  /** `bytes`: the arena's, or what else holds the events. `scratchOffset`: {@link keyScratchBytes} of it that nobody else writes while an event is being offered. */
  constructor(bytes: Uint8Array, scratchOffset: number, path: KeyPath) {
    assert(scratchOffset >= 0 && scratchOffset + keyScratchBytes <= bytes.length, 'the scratch lies in the memory');
    this.path = path;
    this.#bytes = bytes;
    this.#scratch = scratchOffset;
    this.#names = path.names;
    this.#verbatim = path.names.map(needsNoEscape);
  }

  /** Searches the JSON text in the arena's bytes [start, end). */
  find(start: number, end: number): KeyStatus {
    const bytes = this.#bytes;
    let offset = skipSpace(bytes, start, end);
    if (offset >= end || bytes[offset] !== 0x7b) return KeyStatus.notObject;
    let level = 0;
    offset = skipSpace(bytes, offset + 1, end);
    if (offset < end && bytes[offset] === 0x7d) return KeyStatus.missing;
    for (;;) {
      if (offset >= end || bytes[offset] !== 0x22) return KeyStatus.malformed;
      const nameStart = offset + 1;
      const verbatimEnd = this.#matchVerbatim(nameStart, end, level);
      const nameEnd = verbatimEnd === 0 ? skipString(bytes, nameStart, end) : verbatimEnd;
      // The usual spelling, without white space, is worth its own branch here and below: it saves calls for every member.
      if (
        nameEnd !== malformed &&
        nameEnd + 1 < end &&
        bytes[nameEnd] === 0x3a &&
        (bytes[nameEnd + 1] as number) > 0x20
      ) {
        offset = nameEnd + 1;
      } else {
        offset = skipColon(bytes, nameEnd, end);
      }
      if (offset === malformed) return KeyStatus.malformed;
      if (verbatimEnd !== 0 || this.#matchEscaped(nameStart, nameEnd - 1, level)) {
        if (++level === this.#names.length) return this.#take(offset, end, level);
        if (offset >= end || bytes[offset] !== 0x7b) return this.#missingUnless(offset, end, level);
        offset = skipSpace(bytes, offset + 1, end);
        if (offset < end && bytes[offset] === 0x7d) return KeyStatus.missing;
        continue;
      }
      offset = skipValue(bytes, offset, end, level + 1);
      if (offset === malformed) return KeyStatus.malformed;
      if (offset < end && bytes[offset] !== 0x2c) offset = skipSpace(bytes, offset, end);
      if (offset >= end) return KeyStatus.malformed;
      if (bytes[offset] === 0x7d) return KeyStatus.missing;
      if (bytes[offset] !== 0x2c) return KeyStatus.malformed;
      offset++;
      if (offset < end && bytes[offset] !== 0x22) offset = skipSpace(bytes, offset, end);
    }
  }

  /** Offset behind the closing quote when the name at `offset` is the path's, byte by byte; 0 when it is not. */
  #matchVerbatim(offset: number, end: number, level: number): number {
    const bytes = this.#bytes;
    const name = this.#names[level] as Uint8Array;
    const length = name.length;
    if (offset + length >= end || bytes[offset + length] !== 0x22 || !this.#verbatim[level]) return 0;
    for (let index = 0; index < length; index++) {
      if (bytes[offset + index] !== name[index]) return 0;
    }
    return offset + length + 1;
  }

  /** Whether the name in [start, end), stepped over and not equal as it stands, is the path's once its escapes are undone. */
  #matchEscaped(start: number, end: number, level: number): boolean {
    const bytes = this.#bytes;
    const name = this.#names[level] as Uint8Array;
    const length = end - start;
    if (length <= name.length || length > 6 * name.length) return false;
    for (let offset = start; offset < end; offset++) {
      if (bytes[offset] === 0x5c) {
        const plain = unescapeText(bytes, start, end, this.#scratch, keyScratchBytes);
        return bytesEqual(bytes, this.#scratch, plain, name);
      }
    }
    return false;
  }

  /** The value at `offset` is what the path leads to. */
  #take(offset: number, end: number, level: number): KeyStatus {
    const bytes = this.#bytes;
    const first = offset < end ? (bytes[offset] as number) : 0;
    if (first === 0x22) return this.#takeString(offset + 1, end);
    if (first !== 0x2d && (first < 0x30 || first > 0x39)) return this.#missingUnless(offset, end, level);
    const numberEnd = skipNumber(bytes, offset, end);
    if (numberEnd === malformed) return KeyStatus.malformed;
    this.keyOffset = offset;
    this.keyLength = numberEnd - offset;
    return KeyStatus.found;
  }

  #takeString(start: number, end: number): KeyStatus {
    const bytes = this.#bytes;
    let union = 0;
    let offset = start;
    for (; offset < end; offset++) {
      const byte = bytes[offset] as number;
      if (byte === 0x22 || byte === 0x5c) break;
      if (byte < 0x20) return KeyStatus.malformed;
      union |= byte;
    }
    if (offset < end && bytes[offset] === 0x22) {
      if (union >= 0x80 && !isUtf8(bytes, start, offset)) return KeyStatus.notUtf8;
      this.keyOffset = start;
      this.keyLength = offset - start;
      return KeyStatus.found;
    }
    const behind = skipString(bytes, offset, end);
    if (behind === malformed) return KeyStatus.malformed;
    if (!isUtf8(bytes, start, behind - 1)) return KeyStatus.notUtf8;
    this.keyOffset = this.#scratch;
    this.keyLength = unescapeText(bytes, start, behind - 1, this.#scratch, keyScratchBytes);
    return KeyStatus.found;
  }

  /** The value at `offset` is not what a path can lead to or through: missing, if it is a value at all. */
  #missingUnless(offset: number, end: number, depth: number): KeyStatus {
    return skipValue(this.#bytes, offset, end, depth) === malformed ? KeyStatus.malformed : KeyStatus.missing;
  }
}
