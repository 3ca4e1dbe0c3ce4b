/**
 * Reads a PutRecords request in JSON as it arrives, in pieces of any size, without building it: the data is never decoded,
 * only measured; keys are the only texts taken out. Order of members and white space do not matter. Used in counting mode,
 * where it shares the machine with benchmarks: per byte of data it costs one search for the closing quote.
 *
 * It does not prove that the body is valid JSON: it follows strings, braces and brackets, and skips the rest. `\/` within
 * base64, which is legal and which no AWS client writes, is measured as two characters.
 */

import { recordsMax } from './shapes.ts';

const quote = 0x22;
const backslash = 0x5c;
const padding = 0x3d;

/** Texts longer than this (in bytes, escapes included) are cut, which every limit of the API finds too long still. */
const textBytesMax = 4_096;

/** Nesting: the request is 1, its list of records 2, a record 3. */
const requestDepth = 1;
const recordDepth = 3;

export interface ScannedRecord {
  partitionKey: string | undefined;
  explicitHashKey: string | undefined;
  /** Bytes of the decoded data; undefined when the record has none. */
  dataBytes: number | undefined;
}

export class PutRecordsScanner {
  streamName: string | undefined;
  streamArn: string | undefined;
  dryRun = false;
  /** At most one more than a request may have. */
  readonly records: ScannedRecord[] = [];
  #depth = 0;
  #closed = false;
  #record: ScannedRecord = emptyRecord();
  /** Name of the member whose value comes next, until that value has come; undefined: the next string is a name. */
  #member: string | undefined;
  #inString = false;
  #inData = false;
  #escaped = false;
  readonly #text = Buffer.allocUnsafe(textBytesMax);
  #textLength = 0;
  #dataLength = 0;
  #paddingLength = 0;

  /** Whether what was fed is one complete request. */
  get complete(): boolean {
    return this.#closed && this.#depth === 0 && !this.#inString;
  }

  feed(source: Buffer, start: number, end: number): void {
    const piece = start === 0 && end === source.length ? source : source.subarray(start, end);
    let offset = 0;
    while (offset < piece.length) {
      if (this.#inString) offset = this.#readString(piece, offset);
      else offset = this.#readStructure(piece, offset);
    }
  }

  #readStructure(piece: Buffer, from: number): number {
    for (let offset = from; offset < piece.length; offset++) {
      switch (piece[offset]) {
        case quote:
          this.#startString();
          return offset + 1;
        case 0x7b: // {
        case 0x5b: // [
          this.#depth++;
          this.#member = undefined;
          if (this.#depth === recordDepth) this.#record = emptyRecord();
          break;
        case 0x7d: // }
        case 0x5d: // ]
          if (this.#depth === recordDepth && this.records.length <= recordsMax) this.records.push(this.#record);
          this.#depth--;
          this.#member = undefined;
          if (this.#depth === 0) this.#closed = true;
          break;
        case 0x74: // t of true
          if (this.#depth === requestDepth && this.#member === 'DryRun') this.dryRun = true;
          break;
        case 0x2c: // ,
          this.#member = undefined;
          break;
        default:
      }
    }
    return piece.length;
  }

  #startString(): void {
    this.#inString = true;
    this.#inData = this.#depth === recordDepth && this.#member === 'Data';
    this.#escaped = false;
    this.#textLength = 0;
    this.#dataLength = 0;
    this.#paddingLength = 0;
  }

  #readString(piece: Buffer, from: number): number {
    const found = piece.indexOf(quote, from);
    const end = found === -1 ? piece.length : found;
    if (this.#inData) {
      this.#measure(piece, from, end);
      if (found !== -1) this.#endData();
    } else {
      const closes = this.#collect(piece, from, end);
      if (found === -1) return end;
      if (closes) this.#endText();
      else this.#collect(piece, end, end + 1);
    }
    return end + 1;
  }

  /** Adds `from`..`end` of the piece to the length of the data, and counts the padding at its end. */
  #measure(piece: Buffer, from: number, end: number): void {
    this.#dataLength += end - from;
    if (end === from) return;
    let paddingStart = end;
    while (paddingStart > from && piece[paddingStart - 1] === padding) paddingStart--;
    this.#paddingLength = end - paddingStart + (paddingStart === from ? this.#paddingLength : 0);
  }

  /** Adds to the text; returns whether a quote after it would end the string, rather than be part of it. */
  #collect(piece: Buffer, from: number, end: number): boolean {
    for (let offset = from; offset < end; offset++) {
      const byte = piece[offset] as number;
      if (this.#textLength < textBytesMax) this.#text[this.#textLength++] = byte;
      this.#escaped = byte === backslash && !this.#escaped;
    }
    return !this.#escaped;
  }

  #endData(): void {
    this.#inString = false;
    this.#record.dataBytes = Math.floor((this.#dataLength * 3) / 4) - this.#paddingLength;
    this.#member = undefined;
  }

  #endText(): void {
    this.#inString = false;
    const raw = this.#text.toString('utf8', 0, this.#textLength);
    const text = raw.includes('\\') ? unescape(raw) : raw;
    const member = this.#member;
    if (member === undefined) {
      this.#member = text;
      return;
    }
    if (this.#depth === recordDepth) {
      if (member === 'PartitionKey') this.#record.partitionKey = text;
      else if (member === 'ExplicitHashKey') this.#record.explicitHashKey = text;
    } else if (this.#depth === requestDepth) {
      if (member === 'StreamName') this.streamName = text;
      else if (member === 'StreamARN') this.streamArn = text;
    }
    this.#member = undefined;
  }
}

function emptyRecord(): ScannedRecord {
  return { partitionKey: undefined, explicitHashKey: undefined, dataBytes: undefined };
}

/** A text that was cut within an escape stays as it came: it is too long for any member anyway. */
function unescape(raw: string): string {
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}
