/**
 * Cuts a stream of bytes into lines, one array per chunk. Runs in the sender's process; used by `spillway send`. Copies nothing
 * but lines that span chunks; a line beyond `lineBytesMax` is counted and dropped as it comes, never gathered.
 */
import type { Readable } from 'node:stream';

const newline = 0x0a;
const carriageReturn = 0x0d;

export interface LineBatch {
  /** Lines without their end, empty ones left out. They share the chunk's memory. */
  readonly lines: readonly Buffer[];
  /** Bytes read since the batch before. */
  readonly bytesRead: number;
  /** Lines beyond `lineBytesMax` since the batch before. */
  readonly tooLong: number;
}

/** The lines of `stream`, whose last one may lack its newline. */
export async function* lineBatches(stream: Readable, lineBytesMax: number): AsyncGenerator<LineBatch> {
  let pieces: Buffer[] = [];
  let pieceBytes = 0;
  let dropping = false;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const lines: Buffer[] = [];
    let tooLong = 0;
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      const tail = chunk.subarray(from, end);
      from = end + 1;
      if (!dropping && pieceBytes + tail.length > lineBytesMax) tooLong += 1;
      else if (!dropping) addLine(lines, pieces.length === 0 ? tail : Buffer.concat([...pieces, tail]));
      dropping = false;
      pieces = [];
      pieceBytes = 0;
    }
    if (from < chunk.length && !dropping) {
      pieces.push(Buffer.from(chunk.subarray(from)));
      pieceBytes += chunk.length - from;
      if (pieceBytes > lineBytesMax) {
        dropping = true;
        tooLong += 1;
        pieces = [];
        pieceBytes = 0;
      }
    }
    yield { lines, bytesRead: chunk.length, tooLong };
  }
  const last: Buffer[] = [];
  addLine(last, Buffer.concat(pieces));
  yield { lines: last, bytesRead: 0, tooLong: 0 };
}

function addLine(lines: Buffer[], line: Buffer): void {
  const bare = line.at(-1) === carriageReturn ? line.subarray(0, -1) : line;
  if (bare.length > 0) lines.push(bare);
}
