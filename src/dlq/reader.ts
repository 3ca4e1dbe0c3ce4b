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
 *   sealed  [ header | frame: entry entry entry | frame: entry .......
 * ```
 * A frame of encrypted entries is opened as a whole, in the window, and its entries are walked like others; where the window is lost in
 * the middle of one, it is read and opened again. One that is not what was sealed is damage, all of it. Without payloads a frame
 * that is larger than the window, of a single entry, is opened as far as is needed, and whether it is whole is not known.
 *
 * Long because window, frame and damage move one position, and must be read together.
 */
import { assert } from '../base/assert.ts';
import type { OpenFile } from '../edges/files.ts';
import { crcOfBytes } from './crc.ts';
import { FrameOpener, type Keys } from './encryption.ts';
import { frame, frameHeaderBytes, frameTagBytes, isFrameHeader, mayBeFrame } from './frames.ts';
import { entry, entryHeaderBytes, isEntryHeader, type Memory, segmentHeaderBytes } from './layout.ts';

/** What `step` makes readable of an entry when payloads are not asked for. */
const headerAndNameBytes = entryHeaderBytes + 256;

/** Why a range of a segment holds no entry that can be used. `frame`: encrypted, and not what was sealed. */
export type DamageCause = 'header' | 'payload' | 'frame' | 'tail' | 'larger_than_window';

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
  /** Open frames; absent: all frames are damage. */
  readonly keys?: Keys | undefined;
  readonly onDamage: (from: number, to: number, cause: DamageCause) => void;
  /** Entries whose headers are whole stand, at these offsets of the memory, in a frame that is damaged. */
  readonly onLost?: (entries: readonly number[]) => void;
}

/** Positions in the file: of a frame, of the end of its entries, of the byte behind it. */
interface Frame {
  readonly from: number;
  readonly end: number;
  readonly to: number;
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
  /** What is damaged there has the header of a frame. */
  #isFrameDamaged = false;
  #lastSequence = 0;
  readonly #opener: FrameOpener;
  /** The one that the next entry stands in. */
  #frame: Frame | undefined;
  /** The one that is in clear in the window; of several the last. */
  #opened: Frame | undefined;
  /** The one that {@link at} stands in. */
  #tookFrom: Frame | undefined;
  /** Of the segment, as its first frame has it. */
  #number: number | undefined;

  constructor(options: ReaderOptions) {
    assert(options.window.length >= headerAndNameBytes, 'the window holds at least a header and a stream name');
    assert(options.window.offset % 8 === 0 && options.window.length % 8 === 0, 'the window is aligned to 8 bytes');
    this.#options = options;
    this.#window = options.window;
    this.#tag = options.tag;
    this.limit = options.limit;
    this.#opener = new FrameOpener(options.keys);
  }

  /** The range of the file that is of no use without the entry that `step` moved to: of the first and the last of a frame, more. */
  get extent(): readonly [from: number, to: number] {
    const { position } = this;
    const length = entry.bytes(this.#options.memory, this.at);
    const took = this.#tookFrom;
    if (took === undefined) return [position, position + length];
    return [
      position === took.from + frameHeaderBytes ? took.from : position,
      position + length === took.end ? took.to : position + length,
    ];
  }

  /** The frame in which that entry stands: its first byte and the one behind it; undefined: it is not encrypted. */
  get frame(): { readonly from: number; readonly to: number } | undefined {
    return this.#tookFrom;
  }

  /** False when all up to the limit was walked. Rejects with what the disk reported; the same call can be made again. */
  async load(): Promise<boolean> {
    if (this.#next >= this.limit) return false;
    const { file, memory } = this.#options;
    const window = this.#window;
    const start = this.#frame?.from ?? this.#next;
    const wanted = Math.min(window.length, this.limit - start);
    this.#windowEnd = 0;
    this.#opened = undefined;
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
      if (this.#frame !== undefined && this.#windowEnd > this.#next && !this.#isInFrame()) continue;
      const left = this.#windowEnd - this.#next;
      if (left < entryHeaderBytes) return this.#endOfWindow(left);
      const at = window.offset + (this.#next - this.#windowStart);
      const end = this.#frame?.end ?? this.limit;
      const length = isEntryHeader(memory, at, this.#tag) ? entry.bytes(memory, at) : 0;
      if (length === 0 || this.#next + length > end || entry.sequence(memory, at) <= this.#lastSequence) {
        if (this.#frame === undefined && mayBeFrame(memory, at)) {
          if (left < frameHeaderBytes && this.#windowEnd < this.limit) return false;
          const found = left < frameHeaderBytes ? 'none' : this.#enter(at, left);
          if (found === 'load') return false;
          if (found === 'entry') return true;
          if (found === 'entered') continue;
        }
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

  /** False: there was no entry left in the frame, or the frame is not there any more, and it was left. */
  #isInFrame(): boolean {
    const inside = this.#frame!;
    const { memory } = this.#options;
    if (inside.end - this.#next < entryHeaderBytes) {
      if (this.#next < inside.end && this.#damageFrom < 0) this.#damageFrom = this.#next;
      this.#next = inside.to;
      this.#frame = undefined;
      return false;
    }
    if (this.#opened === inside) return true;
    // It was read again from its beginning, which is where the window starts.
    const at = this.#window.offset;
    const isThere = inside.from === this.#windowStart && inside.to <= this.#windowEnd;
    if (isThere && isFrameHeader(memory, at, this.#tag) && this.#opener.open(memory, at)) {
      this.#opened = inside;
      return true;
    }
    if (this.#damageFrom < 0) this.#damageFrom = inside.from;
    this.#isFrameDamaged = true;
    this.#next = Math.min(inside.to, this.limit);
    this.#frame = undefined;
    return false;
  }

  /**
   * Goes into the frame whose header may stand at `at`. `load`: the window does not hold what is needed of it; `entry`: moved to its only
   * entry, of which the window holds the header; `none`: there is no frame.
   */
  #enter(at: number, left: number): 'none' | 'entered' | 'load' | 'entry' {
    const { memory, payloads } = this.#options;
    const from = this.#next;
    if (!isFrameHeader(memory, at, this.#tag) || from + frame.bytes(memory, at) > this.limit) return 'none';
    if (frame.number(memory, at) !== (this.#number ?? frame.number(memory, at))) return 'none';
    const bytes = frame.bytes(memory, at);
    const inside: Frame = { from, end: from + bytes - frameTagBytes, to: from + bytes };
    if (bytes <= left) {
      if (!this.#opener.open(memory, at)) return this.#lose(at, inside);
      this.#seeFrame(at);
      this.#frame = this.#opened = inside;
      this.#next += frameHeaderBytes;
      return 'entered';
    }
    if (bytes <= this.#window.length) return 'load';
    if (payloads) {
      this.#endDamage(from, 'header');
      this.#lastSequence = frame.lastSequence(memory, at);
      this.#next = this.validEnd = inside.to;
      this.#options.onDamage(from, inside.to, 'larger_than_window');
      return 'entered';
    }
    if (left < frameHeaderBytes + headerAndNameBytes) return 'load';
    return this.#enterPart(at, inside);
  }

  #enterPart(at: number, inside: Frame): 'entered' | 'entry' {
    const { memory } = this.#options;
    const first = at + frameHeaderBytes;
    const isOpen = this.#opener.openPart(memory, at, headerAndNameBytes);
    const length = frame.length(memory, at);
    if (!isOpen || !isEntryHeader(memory, first, this.#tag) || entry.bytes(memory, first) !== length) {
      return this.#lose(at, inside);
    }
    if (entry.sequence(memory, first) <= this.#lastSequence) return this.#lose(at, inside);
    this.#seeFrame(at);
    this.#frame = inside;
    this.#next += frameHeaderBytes;
    this.#take(memory, first, length);
    return 'entry';
  }

  #seeFrame(at: number): void {
    const { memory } = this.#options;
    this.#endDamage(this.#next, 'header');
    this.#number ??= frame.number(memory, at);
    this.#tag ??= frame.tag(memory, at);
  }

  /** Passes a frame that cannot be used. */
  #lose(at: number, { to }: Frame): 'entered' {
    const { memory, onLost, payloads } = this.#options;
    if (onLost !== undefined && (payloads || to <= this.#windowEnd)) onLost(entriesIn(memory, at));
    if (this.#damageFrom < 0) this.#damageFrom = this.#next;
    this.#isFrameDamaged = true;
    this.#next = to;
    return 'entered';
  }

  /** Forgets what the window holds: the next `load` reads it again, into `window`, which is as long as the one before. */
  useWindow(window: Window): void {
    assert(window.length === this.#window.length, 'all windows are of one length');
    this.#window = window;
    this.#windowEnd = this.#windowStart = this.#next;
    this.#opened = undefined;
  }

  /** Makes the entry that `step` moved to the next one again. Only directly after a `step` that returned true. */
  unstep(): void {
    this.#next = this.position;
    this.#frame = this.#tookFrom;
    this.#lastSequence = entry.sequence(this.#options.memory, this.at) - 1;
  }

  #take(memory: Memory, at: number, length: number): void {
    this.#endDamage(this.#next, 'header');
    this.#tag ??= entry.tag(memory, at);
    this.#lastSequence = entry.sequence(memory, at);
    this.at = at;
    this.position = this.#next;
    this.#next += length;
    const inside = this.#frame;
    this.#tookFrom = inside;
    // The tag of a frame belongs to its last entry.
    if (inside !== undefined && this.#next === inside.end) {
      this.#next = inside.to;
      this.#frame = undefined;
    }
    this.validEnd = inside?.to ?? this.#next;
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
    const isFrame = this.#isFrameDamaged && cause === 'header';
    this.#isFrameDamaged = false;
    this.#options.onDamage(from, to, isFrame ? 'frame' : cause);
  }
}

/** Offsets of entries with whole headers in an opened frame at `at`, whether it is whole or not. */
function entriesIn(memory: Memory, at: number): readonly number[] {
  const entries: number[] = [];
  const end = at + frameHeaderBytes + frame.length(memory, at);
  for (let inside = at + frameHeaderBytes; inside + entryHeaderBytes <= end; ) {
    const isEntry = isEntryHeader(memory, inside, frame.tag(memory, at)) && inside + entry.bytes(memory, inside) <= end;
    if (isEntry) entries.push(inside);
    inside += isEntry ? entry.bytes(memory, inside) : 8;
  }
  return entries;
}

function isPayloadWhole(memory: Memory, at: number, length: number): boolean {
  const payload = at + entryHeaderBytes;
  return crcOfBytes(memory.buffer, memory.words, payload, length - entryHeaderBytes) === entry.payloadCrc(memory, at);
}
