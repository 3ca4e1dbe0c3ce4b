/**
 * What PROTOCOL.md says must become of the bytes of a connection: a second reading of it, slow and plain, to hold the daemon
 * against. For the fuzz lane.
 */
import { isUtf8 } from 'node:buffer';
import { eventBytesMax } from './mutations.ts';

export interface Expected {
  /** Events that are answered with an ack or a refusal. */
  judged: number;
  /** Of those, refused, by code. */
  readonly refused: Record<string, number>;
  /** The code that the connection ends with; undefined: it ends in peace. */
  error: string | undefined;
  /** Data of the accepted events, with their keys. */
  readonly accepted: { readonly key: string; readonly data: string }[];
  /** Bytes that were looked at: what stands behind them cannot have mattered. */
  read: number;
}

const frameBytesMax = eventBytesMax + 24;

/** Frames, from the hello on, of a connection whose sender ends its side behind them. `ackLevels`: those that are offered there. */
export function expectFrames(bytes: Buffer, streamName: string, ackLevels: readonly number[]): Expected {
  const expected: Expected = { judged: 0, refused: {}, error: undefined, accepted: [], read: 0 };
  const fail = (code: string): Expected => Object.assign(expected, { error: code });
  if (bytes.length >= 4 && bytes.readUInt32BE(0) !== 0xff535057) return fail('bad_hello');
  if (bytes.length < 8) return fail('truncated');
  if (bytes[4] !== 1) return fail('bad_version');
  const [level, nameBytes, helloFlags] = [bytes[5] as number, bytes[6] as number, bytes[7] as number];
  if (![0, 2, 255].includes(level)) return fail('ack_level');
  if (helloFlags > 1) return fail('bad_hello');
  let offset = 8 + nameBytes;
  if (offset > bytes.length) return fail('truncated');
  const name = bytes.toString('utf8', 8, offset);
  if (name !== '' && name !== streamName) return fail('unknown_stream');
  if (!ackLevels.includes(level) || (helloFlags === 1 && level !== 2)) return fail('ack_level');
  for (;;) {
    expected.read = offset;
    const rest = bytes.subarray(offset);
    if (rest.length === 0) return expected;
    if (rest.length < 8) return fail('truncated');
    const body = rest.readUInt32LE(0);
    const [type, flags, key] = [rest[4], rest[5] as number, rest.readUInt16LE(6)];
    if (type === 2 || type === 3) {
      if (body !== 0 || flags !== 0 || key !== 0) return fail('bad_frame');
      if (type === 3) return expected;
    } else {
      const hashKey = (flags & 1) === 0 ? 0 : 16;
      if (type !== 1 || flags > 3 || hashKey + key > body || ((flags & 2) !== 0 && key > 0)) return fail('bad_frame');
      const tooLong = 8 + body > frameBytesMax;
      if (rest.length < 8 + body && !tooLong) return fail('truncated');
      judge(expected, rest.subarray(8 + hashKey, 8 + body), key, (flags & 2) !== 0, tooLong);
      if (rest.length < 8 + body) return fail('truncated');
    }
    offset += 8 + body;
  }
}

function judge(expected: Expected, body: Buffer, keyBytes: number, anyKey: boolean, tooLong: boolean): void {
  expected.judged += 1;
  const key = body.subarray(0, keyBytes);
  const code = tooLong
    ? 'event_too_large'
    : anyKey
      ? sizeFault(body.length + 16)
      : (keyFault(key) ?? sizeFault(body.length));
  if (code !== undefined) expected.refused[code] = (expected.refused[code] ?? 0) + 1;
  else expected.accepted.push({ key: key.toString(), data: body.toString('utf8', keyBytes) });
}

function sizeFault(bytes: number): string | undefined {
  return bytes > eventBytesMax ? 'event_too_large' : undefined;
}

function keyFault(key: Buffer): string | undefined {
  if (key.length === 0) return 'empty_key';
  // UTF-16 units are counted by the bytes that begin a character, also where the text is none.
  let characters = 0;
  for (const byte of key) if ((byte & 0xc0) !== 0x80) characters += byte >= 0xf0 ? 2 : 1;
  if (key.length > 1024 || characters > 256) return 'key_too_long';
  return isUtf8(key) ? undefined : 'key_not_utf8';
}

/** Lines that are events: not empty, whatever they hold. A byte order mark may stand before the first. */
export function expectLines(bytes: Buffer): string[] {
  const text = bytes.toString('latin1').replace(/^\u00ef\u00bb\u00bf/, '');
  return text
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line !== '');
}

/** Elements of a JSON body; undefined when it is not JSON, or no array and no object. */
export function expectElements(bytes: Buffer): unknown[] | undefined {
  const text = bytes.toString().replace(/^[ \t\r\n\ufeff]+/, '');
  if (text === '') return [];
  try {
    const value = JSON.parse(text) as unknown;
    if (Array.isArray(value)) return value;
    return typeof value === 'object' && value !== null ? [value] : undefined;
  } catch {
    return undefined;
  }
}
