/**
 * How a PutRecords request stands on the wire, behind one small interface: AWS JSON 1.1 and AWS CBOR 1.1. Lane worker.
 *
 * The SDK would build the body from an object per record, through JSON.stringify, into fresh memory each time (8 ms a
 * megabyte); these write each record's bytes once, into the batch's own memory (under 1 ms). Both place `Data`,
 * `PartitionKey`, `ExplicitHashKey` of each record, in the service model's shapes.
 */
import type { Arena } from '../ring/arena.ts';
import type { Base64 } from './base64.ts';
import type { Batch } from './batch.ts';

/** Which stream a request names: by ARN where there is one, else by name. */
export interface StreamRef {
  readonly streamName?: string;
  readonly streamArn?: string;
}

export interface Wire {
  readonly contentType: string;
  /** Body bytes that the frame of a request and of one record take at the most, beside the data. */
  bodyBytesMax(payloadBytes: number, records: number): number;
  begin(batch: Batch): void;
  /** Appends a record: data at `offset` of the arena. The caller has checked that it fits. */
  record(batch: Batch, offset: number, length: number, partitionKey: string, hashKey: string): void;
  end(batch: Batch): void;
}

/** Data is encoded and hashed in pieces of this many bytes (a multiple of 3: no padding inside), which stay in the cache. */
export const base64PieceBytes = 24_576;

/** Most bytes around one record's data: names, quotes, a partition key of 256 characters fully escaped, a hash key. */
const recordFrameBytes = 256 * 6 + 128;
const requestFrameBytes = 2_400;

/** `{"StreamName":"…","Records":[{"Data":"<base64>","PartitionKey":"…","ExplicitHashKey":"…"},…]}` */
export class JsonWire implements Wire {
  readonly contentType = 'application/x-amz-json-1.1';
  readonly #buffer: Buffer;
  readonly #base64: Base64;
  readonly #prefix: string;

  constructor(arena: Arena, base64: Base64, stream: StreamRef) {
    this.#buffer = arena.buffer;
    this.#base64 = base64;
    const name = stream.streamArn ? { StreamARN: stream.streamArn } : { StreamName: stream.streamName };
    this.#prefix = `${JSON.stringify(name).slice(0, -1)},"Records":[`;
  }

  bodyBytesMax(payloadBytes: number, records: number): number {
    return Math.ceil(payloadBytes / 3) * 4 + records * recordFrameBytes + requestFrameBytes;
  }

  begin(batch: Batch): void {
    batch.length = this.#buffer.write(this.#prefix, batch.start, 'utf8');
  }

  record(batch: Batch, offset: number, length: number, partitionKey: string, hashKey: string): void {
    const buffer = this.#buffer;
    let at = batch.start + batch.length;
    at += buffer.write(batch.records === 0 ? '{"Data":"' : ',{"Data":"', at, 'latin1');
    const dataEnd = offset + length;
    for (let from = offset; from < dataEnd; from += base64PieceBytes) {
      at = this.#base64.encode(at, from, Math.min(base64PieceBytes, dataEnd - from));
      batch.length = at - batch.start;
      batch.absorb(buffer);
    }
    const frame = `","PartitionKey":${JSON.stringify(partitionKey)},"ExplicitHashKey":"${hashKey}"}`;
    at += buffer.write(frame, at, 'utf8');
    batch.length = at - batch.start;
  }

  end(batch: Batch): void {
    batch.length += this.#buffer.write(']}', batch.start + batch.length, 'latin1');
  }
}

/** CBOR major types (RFC 8949, section 3.1). */
const major = { bytes: 2, text: 3, array: 4, map: 5 } as const;

/** The same members as a CBOR map; `Data` is a byte string. The record count has a fixed width and is filled in at the end. */
export class CborWire implements Wire {
  readonly contentType = 'application/x-amz-cbor-1.1';
  readonly #arena: Arena;
  readonly #stream: StreamRef;
  #countAt = 0;

  constructor(arena: Arena, stream: StreamRef) {
    this.#arena = arena;
    this.#stream = stream;
  }

  bodyBytesMax(payloadBytes: number, records: number): number {
    return payloadBytes + records * recordFrameBytes + requestFrameBytes;
  }

  begin(batch: Batch): void {
    const arn = this.#stream.streamArn;
    let at = this.#head(batch.start, major.map, 2);
    at = this.#text(at, arn ? 'StreamARN' : 'StreamName');
    at = this.#text(at, arn ?? this.#stream.streamName ?? '');
    at = this.#text(at, 'Records');
    this.#arena.bytes[at] = (major.array << 5) | 25;
    this.#countAt = at + 1;
    batch.length = at + 3 - batch.start;
  }

  record(batch: Batch, offset: number, length: number, partitionKey: string, hashKey: string): void {
    let at = this.#head(batch.start + batch.length, major.map, 3);
    at = this.#text(at, 'Data');
    at = this.#head(at, major.bytes, length);
    this.#arena.copy(at, offset, length);
    at = this.#text(at + length, 'PartitionKey');
    at = this.#text(at, partitionKey);
    at = this.#text(at, 'ExplicitHashKey');
    at = this.#text(at, hashKey);
    batch.length = at - batch.start;
  }

  end(batch: Batch): void {
    this.#arena.buffer.writeUInt16BE(batch.records, this.#countAt);
  }

  #head(at: number, type: number, value: number): number {
    const { buffer } = this.#arena;
    if (value < 24) return buffer.writeUInt8((type << 5) | value, at);
    if (value < 0x100) return buffer.writeUInt8(value, buffer.writeUInt8((type << 5) | 24, at));
    if (value < 0x1_0000) return buffer.writeUInt16BE(value, buffer.writeUInt8((type << 5) | 25, at));
    return buffer.writeUInt32BE(value, buffer.writeUInt8((type << 5) | 26, at));
  }

  #text(at: number, text: string): number {
    const length = Buffer.byteLength(text);
    const start = this.#head(at, major.text, length);
    this.#arena.buffer.write(text, start, 'utf8');
    return start + length;
  }
}
