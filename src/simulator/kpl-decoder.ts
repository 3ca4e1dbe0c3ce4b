/**
 * Reads KPL aggregates as consumers do, from the format's description alone: it shares no code with the daemon's encoder, so
 * that a mistake there cannot hide behind the same mistake here. Pure.
 *
 * ```
 *   F3 89 9A C2 | protobuf AggregatedRecord | MD5 of the protobuf, 16 bytes
 * ```
 */
import { createHash } from 'node:crypto';

const magic = Buffer.from('f3899ac2', 'hex');
const digestLength = 16;
// A byte order mark is a character of a key like any other.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One event of an aggregate. `data` lies on the aggregate's memory. */
export interface SubRecord {
  readonly partitionKey: string;
  readonly explicitHashKey: string | undefined;
  readonly data: Buffer;
}

/** The events of an aggregate; undefined when `record` is a plain record: no magic, 20 bytes or less, a wrong checksum, or no such message. */
export function decodeAggregate(record: Buffer): readonly SubRecord[] | undefined {
  if (record.length <= magic.length + digestLength) return undefined;
  if (record.compare(magic, 0, magic.length, 0, magic.length) !== 0) return undefined;
  const message = record.subarray(magic.length, record.length - digestLength);
  const digest = createHash('md5').update(message).digest();
  if (!digest.equals(record.subarray(record.length - digestLength))) return undefined;
  try {
    return readAggregatedRecord(message);
  } catch (error) {
    if (error instanceof MalformedMessage || error instanceof TypeError || error instanceof RangeError)
      return undefined;
    throw error;
  }
}

class MalformedMessage extends Error {}

interface Field {
  readonly number: number;
  /** Of wire type 0. */
  readonly integer: number | undefined;
  /** Of wire type 2. */
  readonly bytes: Buffer | undefined;
}

/** The fields of a message in order; those of the fixed-width wire types have neither an integer nor bytes. */
function* fieldsOf(message: Buffer): Generator<Field> {
  let offset = 0;
  const varint = (): number => {
    let value = 0;
    // Ten bytes hold 64 bits; indexes and lengths beyond 2^53 exceed every limit below, so their inexactness is harmless.
    for (let scale = 1, count = 0; count < 10; scale *= 128, count++) {
      const byte = message[offset++];
      if (byte === undefined) throw new MalformedMessage('ends within a number');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new MalformedMessage('a number of more than ten bytes');
  };
  const skip = (length: number): number => {
    const start = offset;
    offset += length;
    if (offset > message.length) throw new MalformedMessage('ends within a field');
    return start;
  };
  while (offset < message.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    if (number === 0) throw new MalformedMessage('field number 0');
    switch (tag % 8) {
      case 0:
        yield { number, integer: varint(), bytes: undefined };
        break;
      case 1:
        skip(8);
        break;
      case 2: {
        const length = varint();
        const start = skip(length);
        yield { number, integer: undefined, bytes: message.subarray(start, start + length) };
        break;
      }
      case 5:
        skip(4);
        break;
      default:
        throw new MalformedMessage('a wire type that proto2 messages of this schema do not have');
    }
  }
}

function readAggregatedRecord(message: Buffer): readonly SubRecord[] {
  const partitionKeys: string[] = [];
  const explicitHashKeys: string[] = [];
  const records: Buffer[] = [];
  for (const { number, bytes } of fieldsOf(message)) {
    if (number > 3) continue;
    if (bytes === undefined) throw new MalformedMessage('a table entry that is no string');
    if (number === 1) partitionKeys.push(utf8.decode(bytes));
    else if (number === 2) explicitHashKeys.push(utf8.decode(bytes));
    else records.push(bytes);
  }
  return records.map((record) => readRecord(record, partitionKeys, explicitHashKeys));
}

function readRecord(record: Buffer, partitionKeys: readonly string[], explicitHashKeys: readonly string[]): SubRecord {
  let keyIndex: number | undefined;
  let hashIndex: number | undefined;
  let data: Buffer | undefined;
  for (const { number, integer, bytes } of fieldsOf(record)) {
    if (number === 1) keyIndex = integer;
    else if (number === 2) hashIndex = integer;
    else if (number === 3) data = bytes;
  }
  const partitionKey = keyIndex === undefined ? undefined : partitionKeys[keyIndex];
  if (partitionKey === undefined || data === undefined) throw new MalformedMessage('a record without key or data');
  if (hashIndex === undefined) return { partitionKey, explicitHashKey: undefined, data };
  const explicitHashKey = explicitHashKeys[hashIndex];
  if (explicitHashKey === undefined || !/^\d+$/.test(explicitHashKey)) {
    throw new MalformedMessage('an explicit hash key that is not in the table or no number');
  }
  return { partitionKey, explicitHashKey, data };
}
