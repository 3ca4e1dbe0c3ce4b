/**
 * Cuts a stream of bytes into lines, one array per chunk. Runs in the sender's process; used by `spillway send`. Copies nothing
 * but lines that span chunks; a line beyond `lineBytesMax` is counted and dropped as it comes, never gathered.
 */
import type { Readable } from 'node:stream';
import { skipByteOrderMark } from '../ingress/json-text.ts';

const newline = 0x0a;
const carriageReturn = 0x0d;

export interface LineBatch {
  /** Lines without their end, empty ones left out. They share the chunk's memory. */
  readonly lines: readonly NumberedLine[];
  /** Bytes read since the batch before. */
  readonly bytesRead: number;
  /** Numbers of the lines beyond `lineBytesMax` since the batch before. */
  readonly tooLong: readonly number[];
}

export interface NumberedLine {
  /** From 1, the empty ones counted. */
  readonly number: number;
  readonly bytes: Buffer;
}

/**
 * The lines of `stream`, whose last one may lack its newline. A byte order mark before the first is passed over, as the daemon
 * does.
 */
export async function* lineBatches(stream: Readable, lineBytesMax: number): AsyncGenerator<LineBatch> {
  let pieces: Buffer[] = [];
  let pieceBytes = 0;
  let dropping = false;
  let number = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const lines: NumberedLine[] = [];
    const tooLong: number[] = [];
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      const tail = chunk.subarray(from, end);
      from = end + 1;
      number += 1;
      if (!dropping && pieceBytes + tail.length > lineBytesMax) tooLong.push(number);
      else if (!dropping) addLine(lines, number, pieces.length === 0 ? tail : Buffer.concat([...pieces, tail]));
      dropping = false;
      pieces = [];
      pieceBytes = 0;
    }
    if (from < chunk.length && !dropping) {
      pieces.push(Buffer.from(chunk.subarray(from)));
      pieceBytes += chunk.length - from;
      if (pieceBytes > lineBytesMax) {
        dropping = true;
        tooLong.push(number + 1);
        pieces = [];
        pieceBytes = 0;
      }
    }
    yield { lines, bytesRead: chunk.length, tooLong };
  }
  const last: NumberedLine[] = [];
  addLine(last, number + 1, Buffer.concat(pieces));
  yield { lines: last, bytesRead: 0, tooLong: [] };
}

function addLine(lines: NumberedLine[], number: number, line: Buffer): void {
  const start = number === 1 ? skipByteOrderMark(line, 0, line.length) : 0;
  const end = line.at(-1) === carriageReturn ? line.length - 1 : line.length;
  if (end > start) lines.push({ number, bytes: line.subarray(start, end) });
}
