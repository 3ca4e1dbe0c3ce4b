/**
 * Cuts a byte stream into lines with bounded memory. For commands that read logs; pure on the stream it is given.
 */

const lineBreak = 0x0a;
const noBytes = Buffer.alloc(0);

/**
 * The lines of `chunks`, several at a time: a log has millions, and an `await` per line costs more than reading it. A line
 * longer than `lengthMax` bytes is given cut to that length; its rest is skipped. CR before LF is removed; a last line
 * without a break counts.
 */
export async function* linesOf(chunks: AsyncIterable<Buffer>, lengthMax: number): AsyncGenerator<string[]> {
  let carried: Buffer = noBytes;
  for await (const chunk of chunks) {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(lineBreak); end >= 0; end = chunk.indexOf(lineBreak, start)) {
      lines.push(text(joined(carried, chunk.subarray(start, end), lengthMax)));
      carried = noBytes;
      start = end + 1;
    }
    carried = Buffer.from(joined(carried, chunk.subarray(start), lengthMax));
    if (lines.length > 0) yield lines;
  }
  if (carried.length > 0) yield [text(carried)];
}

function joined(carried: Buffer, more: Buffer, lengthMax: number): Buffer {
  const part = more.subarray(0, Math.max(0, lengthMax - carried.length));
  return carried.length === 0 ? part : Buffer.concat([carried, part]);
}

function text(line: Buffer): string {
  return line.toString('utf8', 0, line.at(-1) === 0x0d ? line.length - 1 : line.length);
}
