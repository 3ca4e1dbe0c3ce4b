/**
 * Names of the configured streams, ready to be written into entries and found again in them. Main thread.
 *
 * Every entry carries the name of its stream, not a number: it stays readable whatever happens to the config, to the start
 * of its segment or to the entries around it, for about 20 bytes and 10 ns per event.
 */
import { SpillwayError } from '../base/errors.ts';
import { streamNameBytesMax } from './layout.ts';

export class StreamNames {
  readonly #bytes: Buffer[];
  /** The same bytes in words, padded with zeros: a few plain stores beat any copy call. */
  readonly #words: Int32Array[];
  #lastFound = 0;

  constructor(names: readonly string[]) {
    this.#bytes = names.map((name) => Buffer.from(name, 'utf8'));
    this.#words = this.#bytes.map((bytes, index) => {
      if (bytes.length === 0 || bytes.length > streamNameBytesMax) {
        throw new SpillwayError(
          'dlq_stream_name',
          `the name of stream ${index} has ${bytes.length} bytes; give it 1 to ${streamNameBytesMax}`,
        );
      }
      const words = new Int32Array(Math.ceil(bytes.length / 4));
      bytes.copy(Buffer.from(words.buffer));
      return words;
    });
  }

  /** Bytes of a stream's name. */
  length(stream: number): number {
    return this.#bytes[stream]!.length;
  }

  /** Writes a stream's name at `offset`, a multiple of 4, and up to three zeros after it. */
  write(words: Int32Array, offset: number, stream: number): void {
    const source = this.#words[stream]!;
    const target = offset >>> 2;
    for (let index = 0; index < source.length; index++) words[target + index] = source[index]!;
  }

  /** Index of the stream whose name stands at `offset`, or -1: not configured. */
  find(buffer: Buffer, offset: number, length: number): number {
    if (this.#matches(this.#lastFound, buffer, offset, length)) return this.#lastFound;
    for (let stream = 0; stream < this.#bytes.length; stream++) {
      if (this.#matches(stream, buffer, offset, length)) {
        this.#lastFound = stream;
        return stream;
      }
    }
    return -1;
  }

  #matches(stream: number, buffer: Buffer, offset: number, length: number): boolean {
    const bytes = this.#bytes[stream];
    if (bytes === undefined || bytes.length !== length) return false;
    for (let index = 0; index < length; index++) {
      if (bytes[index] !== buffer[offset + index]) return false;
    }
    return true;
  }
}
