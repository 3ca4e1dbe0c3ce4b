/**
 * Values that JSON and CBOR write differently: bytes (base64 or a byte string) and moments (seconds with a fraction, or tag 1
 * with whole milliseconds, which is what AWS' own Java client writes and reads). Pure.
 */

/** Bytes in an answer. */
export class Bytes {
  readonly bytes: Buffer;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  toJSON(): string {
    return this.bytes.toString('base64');
  }
}

/** A moment in an answer or a request. */
export class Moment {
  readonly epochMs: number;
  constructor(epochMs: number) {
    this.epochMs = epochMs;
  }
  toJSON(): number {
    return this.epochMs / 1_000;
  }
}
