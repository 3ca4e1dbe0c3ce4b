/**
 * Finds where a JSON value ends in bytes that arrive in pieces. Main thread; used by the array framer for one element after the
 * other. It looks at brackets and strings only, each byte once; whether the value is JSON is checked when it is whole.
 */

/** The value's end has not come yet. */
export const unfinished = -1;

const quote = 0x22;
const backslash = 0x5c;

export class ElementScan {
  /** Bytes of the value that were scanned and need not be scanned again. */
  #scannedBytes = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Bytes of the value that the caller has let go of. */
  #dropped = 0;

  /**
   * Length of the value that begins at `start`, or {@link unfinished}. The next call then gets the same value from its first
   * byte, with more behind it; or, after {@link drop}, from behind what was dropped.
   * Brackets and strings end with their last byte, everything else before white space, a comma or a closing bracket.
   */
  scan(bytes: Uint8Array, start: number, end: number): number {
    let offset = start + this.#scannedBytes;
    while (offset < end) {
      const byte = bytes[offset] as number;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === backslash) this.#escaped = true;
        else if (byte === quote) {
          this.#inString = false;
          if (this.#depth === 0) return this.#found(offset + 1 - start);
        }
      } else if (byte === quote) {
        if (this.#depth === 0 && this.#dropped + offset > start) return this.#found(offset - start);
        this.#inString = true;
      } else if (byte === 0x7b || byte === 0x5b) {
        this.#depth++;
      } else if (byte === 0x7d || byte === 0x5d) {
        if (this.#depth === 0) return this.#found(offset - start);
        this.#depth--;
        if (this.#depth === 0) return this.#found(offset + 1 - start);
      } else if (this.#depth === 0 && (byte === 0x2c || byte <= 0x20)) {
        return this.#found(offset - start);
      }
      offset++;
    }
    this.#scannedBytes = offset - start;
    return unfinished;
  }

  /** The caller lets go of all bytes of the value that were scanned: it is too long to be kept. */
  drop(): void {
    this.#dropped += this.#scannedBytes;
    this.#scannedBytes = 0;
  }

  #found(length: number): number {
    this.#scannedBytes = 0;
    this.#dropped = 0;
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
    return length;
  }
}
