/**
 * Steps over JSON text that lies in bytes: white space, strings, numbers, whole values. Main thread; pure; called by the key
 * finder and the array framer.
 *
 * The grammar is RFC 8259's, exactly: what these functions step over, `JSON.parse` would have parsed. They keep nothing,
 * decode nothing and allocate nothing. They do not check that the text is UTF-8; who uses a string's bytes does.
 */

/** Returned instead of an offset when the text is not JSON or stops in the middle of a value. */
export const malformed = -1;

/** Containers within containers, the outermost included. Deeper text is called malformed: it bounds the recursion. */
export const depthMax = 64;

const quote = 0x22;
const backslash = 0x5c;

/** Offset of the first byte at or behind `offset` that is not white space; `end` when there is none. */
export function skipSpace(bytes: Uint8Array, offset: number, end: number): number {
  while (offset < end) {
    const byte = bytes[offset] as number;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return offset;
    offset++;
  }
  return end;
}

/** Steps over a string whose opening quote lies before `offset`; returns the offset behind its closing quote. */
export function skipString(bytes: Uint8Array, offset: number, end: number): number {
  while (offset < end) {
    const byte = bytes[offset] as number;
    // Small letters come first: one comparison for most bytes of most strings.
    if (byte > backslash) {
      offset++;
    } else if (byte === quote) {
      return offset + 1;
    } else if (byte === backslash) {
      const length = escapeLength(bytes, offset, end);
      if (length === 0) return malformed;
      offset += length;
    } else if (byte < 0x20) {
      return malformed;
    } else {
      offset++;
    }
  }
  return malformed;
}

/** Bytes of the escape that begins with the backslash at `offset`; 0 when it is none or incomplete. */
export function escapeLength(bytes: Uint8Array, offset: number, end: number): number {
  if (offset + 1 >= end) return 0;
  switch (bytes[offset + 1]) {
    case 0x22: // "
    case 0x5c: // \
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return 2;
    case 0x75: // u
      return offset + 6 <= end && hexUnit(bytes, offset + 2) >= 0 ? 6 : 0;
    default:
      return 0;
  }
}

/** The number that four hexadecimal digits at `offset` spell; negative when one of them is none. */
export function hexUnit(bytes: Uint8Array, offset: number): number {
  return (
    (hexDigit(bytes[offset] as number) << 12) |
    (hexDigit(bytes[offset + 1] as number) << 8) |
    (hexDigit(bytes[offset + 2] as number) << 4) |
    hexDigit(bytes[offset + 3] as number)
  );
}

/** Every bit set (-1) for a byte that is no digit: it stays negative through the shifts and the union above. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/**
 * Steps over the number that begins at `offset` with a minus sign or a digit. A number that nothing delimits (the text ends
 * behind it, or a letter follows) is malformed, since more of it may be missing.
 */
export function skipNumber(bytes: Uint8Array, offset: number, end: number): number {
  const numberEnd = skipDigitsAndSigns(bytes, offset, end);
  return numberEnd !== malformed && numberEnd < end && delimits(bytes[numberEnd] as number) ? numberEnd : malformed;
}

/** Steps over what the grammar calls a number, whatever stands behind it. */
function skipDigitsAndSigns(bytes: Uint8Array, offset: number, end: number): number {
  if (bytes[offset] === 0x2d) offset++;
  const integer = offset;
  offset = skipDigits(bytes, offset, end);
  if (offset === integer || (bytes[integer] === 0x30 && offset > integer + 1)) return malformed;
  if (offset < end && bytes[offset] === 0x2e) {
    const fraction = offset + 1;
    offset = skipDigits(bytes, fraction, end);
    if (offset === fraction) return malformed;
  }
  if (offset < end && ((bytes[offset] as number) | 0x20) === 0x65) {
    offset++;
    if (offset < end && (bytes[offset] === 0x2b || bytes[offset] === 0x2d)) offset++;
    const exponent = offset;
    offset = skipDigits(bytes, offset, end);
    if (offset === exponent) return malformed;
  }
  return offset;
}

function skipDigits(bytes: Uint8Array, offset: number, end: number): number {
  while (offset < end && (bytes[offset] as number) >= 0x30 && (bytes[offset] as number) <= 0x39) offset++;
  return offset;
}

/** Whether a byte may follow a number: white space, a comma, a closing bracket. */
function delimits(byte: number): boolean {
  return (
    byte === 0x2c || byte === 0x7d || byte === 0x5d || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
  );
}

/**
 * Steps over the value that begins at `offset` (no white space before it). `depth` counts the containers around it.
 * Returns the offset behind it, or {@link malformed}.
 */
export function skipValue(bytes: Uint8Array, offset: number, end: number, depth: number): number {
  if (offset >= end) return malformed;
  const byte = bytes[offset] as number;
  if (byte === quote) return skipString(bytes, offset + 1, end);
  if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) return skipNumber(bytes, offset, end);
  if (byte === 0x7b) return depth < depthMax ? skipObject(bytes, offset + 1, end, depth + 1) : malformed;
  if (byte === 0x5b) return depth < depthMax ? skipArray(bytes, offset + 1, end, depth + 1) : malformed;
  if (byte === 0x74) return skipWord(bytes, offset, end, 'true');
  if (byte === 0x66) return skipWord(bytes, offset, end, 'false');
  if (byte === 0x6e) return skipWord(bytes, offset, end, 'null');
  return malformed;
}

/** Whether [start, end) is one JSON value, all of it, with nothing but white space around. */
export function isValue(bytes: Uint8Array, start: number, end: number): boolean {
  const offset = skipSpace(bytes, start, end);
  if (offset >= end) return false;
  const first = bytes[offset] as number;
  // The end of the text delimits a number here, which skipValue cannot know.
  const isNumber = first === 0x2d || (first >= 0x30 && first <= 0x39);
  const valueEnd = isNumber ? skipDigitsAndSigns(bytes, offset, end) : skipValue(bytes, offset, end, 0);
  return valueEnd !== malformed && skipSpace(bytes, valueEnd, end) === end;
}

function skipWord(bytes: Uint8Array, offset: number, end: number, word: string): number {
  if (offset + word.length > end) return malformed;
  for (let index = 0; index < word.length; index++) {
    if (bytes[offset + index] !== word.charCodeAt(index)) return malformed;
  }
  return offset + word.length;
}

/** Steps over an object whose brace lies before `offset`. */
function skipObject(bytes: Uint8Array, offset: number, end: number, depth: number): number {
  offset = skipSpace(bytes, offset, end);
  if (offset < end && bytes[offset] === 0x7d) return offset + 1;
  for (;;) {
    if (offset >= end || bytes[offset] !== quote) return malformed;
    offset = skipColon(bytes, skipString(bytes, offset + 1, end), end);
    if (offset === malformed) return malformed;
    offset = skipValue(bytes, offset, end, depth);
    if (offset === malformed) return malformed;
    offset = skipSpace(bytes, offset, end);
    if (offset >= end) return malformed;
    if (bytes[offset] === 0x7d) return offset + 1;
    if (bytes[offset] !== 0x2c) return malformed;
    offset = skipSpace(bytes, offset + 1, end);
  }
}

/** Steps over an array whose bracket lies before `offset`. */
function skipArray(bytes: Uint8Array, offset: number, end: number, depth: number): number {
  offset = skipSpace(bytes, offset, end);
  if (offset < end && bytes[offset] === 0x5d) return offset + 1;
  for (;;) {
    offset = skipValue(bytes, offset, end, depth);
    if (offset === malformed) return malformed;
    offset = skipSpace(bytes, offset, end);
    if (offset >= end) return malformed;
    if (bytes[offset] === 0x5d) return offset + 1;
    if (bytes[offset] !== 0x2c) return malformed;
    offset = skipSpace(bytes, offset + 1, end);
  }
}

/** From behind a member's name (or {@link malformed}) to where its value begins. */
export function skipColon(bytes: Uint8Array, offset: number, end: number): number {
  if (offset === malformed) return malformed;
  offset = skipSpace(bytes, offset, end);
  if (offset >= end || bytes[offset] !== 0x3a) return malformed;
  return skipSpace(bytes, offset + 1, end);
}
