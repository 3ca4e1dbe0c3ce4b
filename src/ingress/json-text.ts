/**
 * Text within JSON strings: undoes escapes into a small scratch area of the arena, compares names that contain escapes, and
 * checks that bytes are UTF-8. Main thread; called by the key finder for the few strings that need it.
 */
import { escapeLength, hexUnit } from './json-scan.ts';

const replacement = 0xfffd;

/** What a letter behind a backslash stands for; other characters (quote, backslash, slash) stand for themselves. */
function controlOf(letter: number): number {
  switch (letter) {
    case 0x62:
      return 0x08;
    case 0x66:
      return 0x0c;
    case 0x6e:
      return 0x0a;
    case 0x72:
      return 0x0d;
    case 0x74:
      return 0x09;
    default:
      return letter;
  }
}

/**
 * Writes the text of the JSON string whose inside is [start, end) to `target`, as UTF-8, and returns its length in bytes. The
 * inside must have been stepped over by `skipString` before. Escaped surrogates that have no partner become U+FFFD, as
 * everywhere in JavaScript where text becomes bytes. Text that does not fit is cut less than 4 bytes before `lengthMax`.
 */
export function unescapeText(bytes: Uint8Array, start: number, end: number, target: number, lengthMax: number): number {
  const targetEnd = target + lengthMax - 4;
  let write = target;
  let offset = start;
  while (offset < end && write <= targetEnd) {
    const byte = bytes[offset] as number;
    if (byte !== 0x5c) {
      bytes[write++] = byte;
      offset++;
      continue;
    }
    const letter = bytes[offset + 1] as number;
    if (letter !== 0x75) {
      bytes[write++] = controlOf(letter);
      offset += 2;
      continue;
    }
    let point = hexUnit(bytes, offset + 2);
    offset += 6;
    if (point >= 0xd800 && point <= 0xdfff) {
      const low = lowSurrogate(bytes, offset, end);
      if (point <= 0xdbff && low !== 0) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        offset += 6;
      } else {
        point = replacement;
      }
    }
    write = writePoint(bytes, write, point);
  }
  return write - target;
}

/** The low surrogate that an escape at `offset` spells, 0 when there is none. */
function lowSurrogate(bytes: Uint8Array, offset: number, end: number): number {
  if (offset >= end || bytes[offset] !== 0x5c || escapeLength(bytes, offset, end) !== 6) return 0;
  const unit = hexUnit(bytes, offset + 2);
  return unit >= 0xdc00 && unit <= 0xdfff ? unit : 0;
}

function writePoint(bytes: Uint8Array, write: number, point: number): number {
  if (point < 0x80) {
    bytes[write++] = point;
  } else if (point < 0x800) {
    bytes[write++] = 0xc0 | (point >> 6);
    bytes[write++] = 0x80 | (point & 0x3f);
  } else if (point < 0x10000) {
    bytes[write++] = 0xe0 | (point >> 12);
    bytes[write++] = 0x80 | ((point >> 6) & 0x3f);
    bytes[write++] = 0x80 | (point & 0x3f);
  } else {
    bytes[write++] = 0xf0 | (point >> 18);
    bytes[write++] = 0x80 | ((point >> 12) & 0x3f);
    bytes[write++] = 0x80 | ((point >> 6) & 0x3f);
    bytes[write++] = 0x80 | (point & 0x3f);
  }
  return write;
}

/**
 * Offset behind a byte order mark (`EF BB BF`) at `start`, else `start`. RFC 8259, 8.1 lets who reads JSON pass over it; it is
 * how some editors and exports begin a file, and no part of the first event.
 */
export function skipByteOrderMark(bytes: Uint8Array, start: number, end: number): number {
  const isMark = end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf;
  return isMark ? start + 3 : start;
}

/**
 * Characters of UTF-8 text, one beyond U+FFFF counted as two. Kinesis says "256 Unicode characters" of a partition key and not how
 * it counts them; where it counts UTF-16 units it refuses a whole request for one key, so a key is taken only if it fits both ways.
 */
export function charactersOf(text: Uint8Array): number {
  let characters = 0;
  for (const byte of text) if ((byte & 0xc0) !== 0x80) characters += byte < 0xf0 ? 1 : 2;
  return characters;
}

/** Whether `length` bytes at `offset` are `expected`. */
export function bytesEqual(bytes: Uint8Array, offset: number, length: number, expected: Uint8Array): boolean {
  if (length !== expected.length) return false;
  for (let index = 0; index < length; index++) {
    if (bytes[offset + index] !== expected[index]) return false;
  }
  return true;
}

/** Whether [offset, end) is UTF-8 as the Unicode standard's table 3-7 has it: shortest forms, no surrogates, up to U+10FFFF. */
export function isUtf8(bytes: Uint8Array, offset: number, end: number): boolean {
  while (offset < end) {
    const lead = bytes[offset++] as number;
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const followers = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (offset + followers > end) return false;
    const second = bytes[offset] as number;
    const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (second < least || second > most) return false;
    for (let index = 1; index < followers; index++) {
      if (((bytes[offset + index] as number) & 0xc0) !== 0x80) return false;
    }
    offset += followers;
  }
  return true;
}
