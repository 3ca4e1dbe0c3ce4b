/**
 * Reads the text form of a histogram (HdrHistogram V2, compressed, base64) as pairs of value and count. For the `hist`
 * command and for the daemon's metrics; pure.
 *
 * Log lines come from outside, and the library's own decoder trusts them: a run of 2^55 zeros keeps it busy for years. This
 * one checks size, layout and every index first, and builds no histogram of its own.
 *
 * ```
 *   compressed:  cookie 1c849304 | length | zlib stream of:
 *   inflated:    cookie 1c849303 | payload length | 0 | digits | lowest (8) | highest (8) | ratio (8) | payload
 *   payload:     ZigZag LEB128 numbers: n >= 0 is the count of the next index, n < 0 skips -n indexes
 *   index:       as in hdr-counts.ts
 * ```
 * Source: https://github.com/HdrHistogram/HdrHistogram, AbstractHistogram.encodeIntoByteBuffer and ZigZagEncoding.
 */
import { inflateSync } from 'node:zlib';
import { SpillwayError } from '../base/errors.ts';
import { type HdrCounts, indexCount, lowestAt } from './hdr-counts.ts';
import { highestUs, lowestUs, significantDigits } from './histogram.ts';

const inflatedCookie = 0x1c849303;
const compressedCookie = 0x1c849304;
/** Bits 4 to 7 of a cookie are the word size, which V2 does not need. */
const cookieMask = ~0xf0;
const headerLength = 40;

const numberBytesMax = 9;
const inflatedLengthMax = headerLength + indexCount * numberBytesMax;
/** Zlib's worst case is far less than a sixteenth more. */
const compressedLengthMax = Math.ceil((inflatedLengthMax * 17) / 16);

/** Decodes texts one after the other into the same memory; holds what the last one held. */
export class HdrDecoder {
  readonly #indexes = new Uint16Array(indexCount);
  readonly #counts = new Float64Array(indexCount);
  readonly #compressed = Buffer.alloc(compressedLengthMax);
  #length = 0;

  /** Sum of all counts. */
  total = 0;
  /** Lower end of the highest bucket that has a count, in microseconds. */
  highestValueUs = 0;

  /** Reads `text`, replacing what was there. Throws `bad_histogram`, and holds nothing, when it is not of spillway's layout. */
  decode(text: string): void {
    this.#clear();
    try {
      this.#readCounts(this.#inflate(text));
    } catch (cause) {
      this.#clear();
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SpillwayError('bad_histogram', `hdr: not a V2 histogram of spillway's layout: ${why}`, { cause });
    }
  }

  addTo(counts: HdrCounts): void {
    counts.addAll(this.#indexes, this.#counts, this.#length);
  }

  /** Adds each count to the one of `sums` that `slotOf` names by the count's index. */
  addBySlot(slotOf: Uint8Array, sums: Float64Array): void {
    for (let entry = 0; entry < this.#length; entry++) {
      const slot = slotOf[this.#indexes[entry] as number] as number;
      sums[slot] = (sums[slot] as number) + (this.#counts[entry] as number);
    }
  }

  #clear(): void {
    this.#length = 0;
    this.total = 0;
    this.highestValueUs = 0;
  }

  /** Local variables throughout: this loop runs over every byte of every histogram of a log. */
  #readCounts(inflated: Buffer): void {
    const indexes = this.#indexes;
    const counts = this.#counts;
    const end = inflated.length;
    let position = headerLength;
    let index = 0;
    let entries = 0;
    let total = 0;
    while (position < end) {
      let zigzag = inflated[position++] as number;
      if (zigzag >= 0x80) {
        zigzag &= 0x7f;
        let scale = 0x80;
        for (let length = 2; ; length++) {
          if (position >= end) throw new Error('a number that is cut off');
          const byte = inflated[position++] as number;
          // The ninth byte carries eight bits and no continuation mark.
          zigzag += (length === numberBytesMax ? byte : byte & 0x7f) * scale;
          if (byte < 0x80 || length === numberBytesMax) break;
          scale *= 0x80;
        }
        if (zigzag > Number.MAX_SAFE_INTEGER) throw new Error('a count beyond 2^53');
      }
      if ((zigzag & 1) === 1) {
        index += (zigzag + 1) / 2;
        continue;
      }
      if (zigzag > 0) {
        if (index >= indexCount) throw new Error('a value beyond one hour');
        const count = zigzag / 2;
        indexes[entries] = index;
        counts[entries] = count;
        entries++;
        total += count;
      }
      index++;
    }
    this.#length = entries;
    this.total = total;
    if (entries > 0) this.highestValueUs = lowestAt(indexes[entries - 1] as number);
  }

  #inflate(text: string): Buffer {
    const digits = text.length - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);
    if (digits * 3 > compressedLengthMax * 4) throw new Error('longer than any of this layout');
    const length = this.#compressed.write(text, 'base64');
    // Node's decoder skips what is not base64, line breaks included, and takes the signs of URLs; whoever copies the text onward
    // must be able to rely on it.
    if (length !== Math.floor((digits * 3) / 4) || text.includes('-') || text.includes('_')) {
      throw new Error('not base64');
    }
    return inflate(this.#compressed.subarray(0, length));
  }
}

function inflate(compressed: Buffer): Buffer {
  if ((compressed.readInt32BE(0) & cookieMask) !== compressedCookie) throw new Error('no V2 cookie');
  const length = compressed.readInt32BE(4);
  if (length < 1 || length > compressed.length - 8) throw new Error('shorter than its header says');
  const inflated = inflateSync(compressed.subarray(8, 8 + length), {
    maxOutputLength: inflatedLengthMax,
  });
  if ((inflated.readInt32BE(0) & cookieMask) !== inflatedCookie) throw new Error('no V2 cookie inside');
  if (inflated.readInt32BE(4) !== inflated.length - headerLength) throw new Error('its counts are cut off');
  const digits = inflated.readInt32BE(12);
  const lowest = inflated.readInt32BE(16) * 2 ** 32 + inflated.readUInt32BE(20);
  const highest = inflated.readInt32BE(24) * 2 ** 32 + inflated.readUInt32BE(28);
  if (digits !== significantDigits || lowest !== lowestUs || highest !== highestUs) {
    throw new Error(`its layout is ${lowest}..${highest} at ${digits} digits`);
  }
  return inflated;
}
