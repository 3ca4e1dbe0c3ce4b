/**
 * Reads the CBOR (RFC 8949) that Kinesis answers with: maps, arrays, texts, byte strings, integers, floats, simple values, tags
 * (whose number is dropped), definite and indefinite lengths. Lane worker. Throws SpillwayError `bad_answer` on anything else.
 */
import { SpillwayError } from '../base/errors.ts';

/** Containers within containers; Kinesis' answers have three. */
const depthMax = 16;

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

/** Marks the end of an indefinite-length item; never escapes this file. */
const breakMark = Symbol('break');

export function decodeCbor(bytes: Buffer): Record<string, unknown> {
  const cursor: Cursor = { bytes, at: 0 };
  try {
    const value = item(cursor, 0);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw new SpillwayError('bad_answer', 'the answer is not valid CBOR', { retryable: true, cause });
  }
  throw new SpillwayError('bad_answer', 'the answer is not a CBOR map', { retryable: true });
}

function item(cursor: Cursor, depth: number): unknown {
  if (depth > depthMax) throw new RangeError('nested too deep');
  const initial = cursor.bytes.readUInt8(cursor.at++);
  const type = initial >> 5;
  const info = initial & 0x1f;
  if (type === 7) return simple(cursor, info);
  const indefinite = info === 31;
  const value = indefinite ? Number.POSITIVE_INFINITY : argument(cursor, info);
  switch (type) {
    case 0:
      return value;
    case 1:
      return -1 - value;
    case 2:
    case 3:
      return string(cursor, type, value, depth);
    case 4:
      return array(cursor, value, depth);
    case 5:
      return map(cursor, value, depth);
    default:
      return item(cursor, depth + 1);
  }
}

function argument(cursor: Cursor, info: number): number {
  const { bytes, at } = cursor;
  if (info < 24) return info;
  if (info > 27) throw new RangeError(`length code ${info}`);
  const width = 1 << (info - 24);
  cursor.at += width;
  return width === 8 ? Number(bytes.readBigUInt64BE(at)) : bytes.readUIntBE(at, width);
}

function string(cursor: Cursor, type: number, length: number, depth: number): string | Buffer {
  if (length === Number.POSITIVE_INFINITY) {
    const parts: (string | Buffer)[] = [];
    for (let part = item(cursor, depth + 1); part !== breakMark; part = item(cursor, depth + 1)) {
      parts.push(part as string | Buffer);
    }
    return type === 3 ? parts.join('') : Buffer.concat(parts as Buffer[]);
  }
  if (cursor.at + length > cursor.bytes.length) throw new RangeError('ends within a string');
  const piece = cursor.bytes.subarray(cursor.at, cursor.at + length);
  cursor.at += length;
  return type === 3 ? piece.toString('utf8') : piece;
}

function array(cursor: Cursor, length: number, depth: number): unknown[] {
  const values: unknown[] = [];
  while (values.length < length) {
    const value = item(cursor, depth + 1);
    if (value === breakMark) break;
    values.push(value);
  }
  return values;
}

function map(cursor: Cursor, length: number, depth: number): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null);
  for (let i = 0; i < length; i++) {
    const key = item(cursor, depth + 1);
    if (key === breakMark) break;
    values[String(key)] = item(cursor, depth + 1);
  }
  return values;
}

function simple(cursor: Cursor, info: number): unknown {
  const { bytes, at } = cursor;
  switch (info) {
    case 20:
      return false;
    case 21:
      return true;
    case 22:
      return null;
    case 23:
      return undefined;
    case 26:
      cursor.at += 4;
      return bytes.readFloatBE(at);
    case 27:
      cursor.at += 8;
      return bytes.readDoubleBE(at);
    case 31:
      return breakMark;
    default:
      throw new RangeError(`simple value ${info}`);
  }
}
