/**
 * Cuts the bytes of a log into lines with bounded memory. For commands that read logs; pure on what it is given, and it makes no
 * text of a line: a log has millions, and most are told by a few of their bytes.
 */

const lineBreak = 0x0a;
const carriageReturn = 0x0d;
const noBytes: Buffer = Buffer.alloc(0);

/** Takes the line at `start` to `end` of `bytes`, which are only valid during the call. */
export type TakeLine = (bytes: Buffer, start: number, end: number) => void;

export class LineCutter {
  readonly #lengthMax: number;
  readonly #take: TakeLine;
  #carried = noBytes;

  /** A line longer than `lengthMax` bytes is given cut to that length; its rest is skipped. */
  constructor(lengthMax: number, take: TakeLine) {
    this.#lengthMax = lengthMax;
    this.#take = take;
  }

  /**
   * Gives every line that ends within `chunk`, without its break (LF or CR LF). Zero bytes before a line are skipped: a file that
   * was truncated while its writer kept its position begins with a hole.
   */
  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(lineBreak); end >= 0; end = chunk.indexOf(lineBreak, start)) {
      if (this.#carried.length > 0) {
        this.#carry(chunk, start, end);
        this.#give(this.rest(), 0);
      } else {
        this.#give(chunk, pastHole(chunk, start, end), end);
      }
      start = end + 1;
    }
    this.#carry(chunk, this.#carried.length > 0 ? start : pastHole(chunk, start, chunk.length), chunk.length);
  }

  /** What came after the last line break, and forgets it. Empty where the last line had one. */
  rest(): Buffer {
    const rest = this.#carried;
    this.#carried = noBytes;
    return rest;
  }

  #carry(chunk: Buffer, start: number, end: number): void {
    const part = chunk.subarray(start, Math.min(end, start + this.#lengthMax - this.#carried.length));
    if (part.length > 0) this.#carried = Buffer.concat([this.#carried, part]);
  }

  #give(bytes: Buffer, start: number, end = bytes.length): void {
    const last = bytes[end - 1] === carriageReturn && end > start ? end - 1 : end;
    this.#take(bytes, start, Math.min(last, start + this.#lengthMax));
  }
}

function pastHole(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] === 0) at++;
  return at;
}
