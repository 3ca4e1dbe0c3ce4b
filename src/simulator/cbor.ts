/**
 * CBOR (RFC 8949), as much of it as the Kinesis API uses: maps with text keys, arrays, byte strings, texts, whole numbers,
 * floating-point numbers, booleans, null and tag 1 (a moment); strings, arrays and maps also of indefinite length, which the
 * Java client sends. Pure.
 */
import { Bytes, Moment } from './values.ts';

const depthMax = 16;
const breakByte = 0xff;

/** The one value that `body` holds: byte strings as Buffers on `body`'s memory, tag 1 as {@link Moment}. Throws RangeError. */
export function decodeCbor(body: Buffer): unknown {
  const reader = new Reader(body);
  const value = reader.value(0);
  if (reader.offset !== body.length) throw new RangeError('bytes after the value');
  return value;
}

class Reader {
  readonly #body: Buffer;
  offset = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  value(depth: number): unknown {
    if (depth > depthMax) throw new RangeError('nested too deeply');
    const initial = this.#body.readUInt8(this.offset++);
    const major = initial >> 5;
    const info = initial & 31;
    if (major === 7) return this.#simple(info);
    if (info === 31) return this.#indefinite(major, depth);
    const argument = this.#argument(info);
    switch (major) {
      case 0:
        return argument;
      case 1:
        return -1 - argument;
      case 2:
        return this.#take(argument);
      case 3:
        return this.#take(argument).toString('utf8');
      case 4:
        return this.#array(argument, depth);
      case 5:
        return this.#map(argument, depth);
      default:
        return this.#tagged(argument, depth);
    }
  }

  #argument(info: number): number {
    const at = this.offset;
    if (info < 24) return info;
    if (info > 27) throw new RangeError('reserved length');
    this.offset += 1 << (info - 24);
    if (info === 24) return this.#body.readUInt8(at);
    if (info === 25) return this.#body.readUInt16BE(at);
    if (info === 26) return this.#body.readUInt32BE(at);
    return Number(this.#body.readBigUInt64BE(at));
  }

  #take(length: number): Buffer {
    const end = this.offset + length;
    if (end > this.#body.length) throw new RangeError('a string ends after the body');
    const bytes = this.#body.subarray(this.offset, end);
    this.offset = end;
    return bytes;
  }

  #simple(info: number): unknown {
    const at = this.offset;
    if (info === 20 || info === 21) return info === 21;
    if (info === 22 || info === 23) return null;
    if (info === 26) {
      this.offset += 4;
      return this.#body.readFloatBE(at);
    }
    if (info === 27) {
      this.offset += 8;
      return this.#body.readDoubleBE(at);
    }
    throw new RangeError('a simple value that the API does not use');
  }

  #atBreak(): boolean {
    if (this.#body.readUInt8(this.offset) !== breakByte) return false;
    this.offset++;
    return true;
  }

  #indefinite(major: number, depth: number): unknown {
    if (major === 4) return this.#array(Number.POSITIVE_INFINITY, depth);
    if (major === 5) return this.#map(Number.POSITIVE_INFINITY, depth);
    if (major !== 2 && major !== 3) throw new RangeError('no such indefinite length');
    const pieces: Buffer[] = [];
    while (!this.#atBreak()) {
      const initial = this.#body.readUInt8(this.offset++);
      if (initial >> 5 !== major) throw new RangeError('a piece of another kind');
      pieces.push(this.#take(this.#argument(initial & 31)));
    }
    const bytes = Buffer.concat(pieces);
    return major === 2 ? bytes : bytes.toString('utf8');
  }

  /** `length` may be infinite: then a break ends it. A length that lies runs into the end of the body and throws there. */
  #array(length: number, depth: number): unknown[] {
    const items: unknown[] = [];
    for (let index = 0; index < length; index++) {
      if (length === Number.POSITIVE_INFINITY && this.#atBreak()) break;
      items.push(this.value(depth + 1));
    }
    return items;
  }

  #map(length: number, depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    for (let index = 0; index < length; index++) {
      if (length === Number.POSITIVE_INFINITY && this.#atBreak()) break;
      const key = this.value(depth + 1);
      if (typeof key !== 'string') throw new RangeError('a key that is no text');
      entries.push([key, this.value(depth + 1)]);
    }
    return Object.fromEntries(entries);
  }

  #tagged(tag: number, depth: number): unknown {
    const value = this.value(depth + 1);
    if (tag !== 1) return value;
    if (typeof value !== 'number') throw new RangeError('a moment that is no number');
    return new Moment(value);
  }
}

/** `value` as CBOR, with definite lengths; members that are undefined are left out. */
export function encodeCbor(value: unknown): Buffer {
  const pieces: Buffer[] = [];
  write(pieces, value);
  return Buffer.concat(pieces);
}

function head(major: number, argument: number): Buffer {
  if (argument < 24) return Buffer.of((major << 5) | argument);
  if (argument < 0x100) return Buffer.of((major << 5) | 24, argument);
  const bytes = Buffer.alloc(argument < 0x1_0000 ? 3 : argument < 0x1_0000_0000 ? 5 : 9);
  bytes[0] = (major << 5) | (bytes.length === 3 ? 25 : bytes.length === 5 ? 26 : 27);
  if (bytes.length === 9) bytes.writeBigUInt64BE(BigInt(argument), 1);
  else bytes.writeUIntBE(argument, 1, bytes.length - 1);
  return bytes;
}

function write(pieces: Buffer[], value: unknown): void {
  if (value === null || value === undefined) pieces.push(Buffer.of(0xf6));
  else if (typeof value === 'boolean') pieces.push(Buffer.of(value ? 0xf5 : 0xf4));
  else if (typeof value === 'number') writeNumber(pieces, value);
  else if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'utf8');
    pieces.push(head(3, bytes.length), bytes);
  } else if (value instanceof Bytes) pieces.push(head(2, value.bytes.length), value.bytes);
  else if (value instanceof Moment) pieces.push(head(6, 1), head(0, Math.trunc(value.epochMs)));
  else if (Array.isArray(value)) {
    pieces.push(head(4, value.length));
    for (const item of value) write(pieces, item);
  } else {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined);
    pieces.push(head(5, entries.length));
    for (const [key, member] of entries) {
      write(pieces, key);
      write(pieces, member);
    }
  }
}

function writeNumber(pieces: Buffer[], value: number): void {
  if (Number.isSafeInteger(value)) {
    pieces.push(value >= 0 ? head(0, value) : head(1, -1 - value));
    return;
  }
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xfb;
  bytes.writeDoubleBE(value, 1);
  pieces.push(bytes);
}
