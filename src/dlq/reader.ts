/**
 * Walks the entries of one segment file through a window of memory. Main thread; recovery, replay and tools read with it.
 *
 * `await load()` brings the next stretch of the file into the window, `step()` then moves from entry to entry without
 * waiting, until it returns false and the next `load` is due. Where bytes are not an entry, it looks for the next entry
 * header at every multiple of 8 and reports what it had to skip: one damaged byte costs one entry. It never writes.
 *
 * ```
 *   file    [ header | entry | entry | ###### | entry | entry | en....
 *                            ^ next           window ends here ^
 * ```
 */
import { assert } from '../base/assert.ts';
import type { OpenFile } from '../edges/files.ts';
import { crcOfBytes } from './crc.ts';
import { entry, entryHeaderBytes, isEntryHeader, type Memory, segmentHeaderBytes } from './layout.ts';

/** What `step` makes readable of an entry when payloads are not asked for. */
const headerAndNameBytes = entryHeaderBytes + 256;

/** Why a range of a segment holds no entry that can be used. */
export type DamageCause = 'header' | 'payload' | 'tail' | 'larger_than_window';

export interface ReaderOptions {
  readonly file: OpenFile;
  readonly memory: Memory;
  /** Where the window lies in `memory`; both are multiples of 8. An entry larger than the window cannot be read. */
  readonly window: Window;
  /** First byte that is not to be read. */
  readonly limit: number;
  /** Run tag that entries must carry; undefined: that of the first entry found. */
  readonly tag: number | undefined;
  /** Loads whole entries and checks their payload; otherwise headers only, skipping over what the window does not hold. */
  readonly payloads: boolean;
  readonly onDamage: (from: number, to: number, cause: DamageCause) => void;
}

interface Window {
  readonly offset: number;
  readonly length: number;
}

export class SegmentReader {
  /** Offset in the memory of the entry that `step` moved to. */
  at = 0;
  /** The same entry's position in the file. */
  position = 0;
  /** First byte that is not to be read; grows while the segment is written. */
  limit: number;
  /** Position in the file of the byte after the last undamaged entry. */
  validEnd = segmentHeaderBytes;
  readonly #options: ReaderOptions;
  #window: Window;
  #tag: number | undefined;
  #next = segmentHeaderBytes;
  #windowStart = 0;
  #windowEnd = 0;
  #damageFrom = -1;
  #lastSequence = 0;

  constructor(options: ReaderOptions) {
    assert(options.window.length >= headerAndNameBytes, 'the window holds at least a header and a stream name');
    assert(options.window.offset % 8 === 0 && options.window.length % 8 === 0, 'the window is aligned to 8 bytes');
    this.#options = options;
    this.#window = options.window;
    this.#tag = options.tag;
    this.limit = options.limit;
  }

  /** False when all up to the limit was walked. Rejects with what the disk reported; the same call can be made again. */
  async load(): Promise<boolean> {
    if (this.#next >= this.limit) return false;
    const { file, memory } = this.#options;
    const window = this.#window;
    const start = this.#next;
    const wanted = Math.min(window.length, this.limit - start);
    this.#windowEnd = 0;
    const length = await file.read(memory.buffer, window.offset, wanted, start);
    this.#windowStart = start;
    this.#windowEnd = start + length;
    if (length < wanted) this.limit = this.#windowEnd;
    if (length === 0) this.#endDamage(this.limit, 'tail');
    return length > 0;
  }

  /** Moves to the next undamaged entry; false when the window holds no more of them. */
  step(): boolean {
    const { memory, payloads } = this.#options;
    const window = this.#window;
    for (;;) {
      const left = this.#windowEnd - this.#next;
      if (left < entryHeaderBytes) return this.#endOfWindow(left);
      const at = window.offset + (this.#next - this.#windowStart);
      const length = isEntryHeader(memory, at, this.#tag) ? entry.bytes(memory, at) : 0;
      if (length === 0 || this.#next + length > this.limit || entry.sequence(memory, at) <= this.#lastSequence) {
        if (this.#damageFrom < 0) this.#damageFrom = this.#next;
        this.#next += 8;
        continue;
      }
      const needed = payloads ? length : Math.min(length, headerAndNameBytes);
      if (needed > left) {
        if (needed <= window.length) return false;
        this.#take(memory, at, length);
        this.#options.onDamage(this.position, this.#next, 'larger_than_window');
        return false;
      }
      this.#take(memory, at, length);
      if (payloads && !isPayloadWhole(memory, at, length)) {
        this.#options.onDamage(this.position, this.#next, 'payload');
        continue;
      }
      return true;
    }
  }

  /** Forgets what the window holds: the next `load` reads it again, into `window`, which is as long as the one before. */
  useWindow(window: Window): void {
    assert(window.length === this.#window.length, 'all windows are of one length');
    this.#window = window;
    this.#windowEnd = this.#windowStart = this.#next;
  }

  /** Makes the entry that `step` moved to the next one again. Only directly after a `step` that returned true. */
  unstep(): void {
    this.#next = this.position;
    this.#lastSequence = entry.sequence(this.#options.memory, this.at) - 1;
  }

  #take(memory: Memory, at: number, length: number): void {
    this.#endDamage(this.#next, 'header');
    this.#tag ??= entry.tag(memory, at);
    this.#lastSequence = entry.sequence(memory, at);
    this.at = at;
    this.position = this.#next;
    this.#next += length;
    this.validEnd = this.#next;
  }

  #endOfWindow(left: number): false {
    if (this.#windowEnd === this.limit && left > 0) {
      if (this.#damageFrom < 0) this.#damageFrom = this.#next;
      this.#next = this.limit;
    }
    if (this.#next >= this.limit) this.#endDamage(this.limit, 'tail');
    return false;
  }

  #endDamage(to: number, cause: DamageCause): void {
    if (this.#damageFrom < 0) return;
    const from = this.#damageFrom;
    this.#damageFrom = -1;
    this.#options.onDamage(from, to, cause);
  }
}

function isPayloadWhole(memory: Memory, at: number, length: number): boolean {
  const payload = at + entryHeaderBytes;
  return crcOfBytes(memory.buffer, memory.words, payload, length - entryHeaderBytes) === entry.payloadCrc(memory, at);
}
