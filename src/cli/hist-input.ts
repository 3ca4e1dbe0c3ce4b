/**
 * The logs that `spillway hist` reads: files, plain or gzip, and stdin, oldest first, cut into lines. Main thread; called by
 * `hist.ts`. Each log is read once, in blocks, with memory that does not grow with it.
 *
 * Rotated files are one log: a line that was cut where one file ends and the next begins is put together again.
 */
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SpillwayError } from '../base/errors.ts';
import type { LatencyMerge } from '../observe/hist.ts';
import { isOtherKind, type LatencyLine, lineLengthMax } from '../observe/latency-line.ts';
import { LineCutter } from '../observe/lines.ts';

const blockBytes = 262_144;

/** What files begin with that are no text, and how to read them. */
const unreadable: readonly (readonly [start: string, what: string, cure: (file: string) => string])[] = [
  ['28b52ffd', 'compressed by zstd', (file) => `zstd -dc ${file} | spillway hist`],
  ['fd377a585a', 'compressed by xz', (file) => `xz -dc ${file} | spillway hist`],
  ['425a68', 'compressed by bzip2', (file) => `bzip2 -dc ${file} | spillway hist`],
  ['4c504b5348485248', "a journal's file", (file) => `journalctl --file ${file} -o cat | spillway hist`],
];

/**
 * Adds every line of `files` ("-": `stdin`) to `merge`, and gives after each block the latency lines that it merged. Files come
 * in the order of the first time in them, whatever their order here. Throws `hist_file`, which names the file.
 */
export async function* readLogs(
  files: readonly string[],
  merge: LatencyMerge,
  stdin: Readable,
): AsyncGenerator<LatencyLine[]> {
  let merged: LatencyLine[] = [];
  const add = (text: string): void => {
    const line = merge.addLine(text);
    if (line !== undefined) merged.push(line);
  };
  // What the file before ended with, where it did not end with a line break.
  let tail: Buffer = Buffer.alloc(0);
  for (const file of await oldestFirst(files)) {
    // One byte more than is looked at, so that a line that was cut is seen to be too long.
    const cutter = new LineCutter(lineLengthMax + 1, (bytes, start, end) => {
      if (tail.length > 0) {
        for (const line of meeting(tail, bytes.subarray(start, end))) add(line.toString());
        tail = tail.subarray(0, 0);
      } else if (isOtherKind(bytes, start, end)) {
        merge.lines.other++;
      } else {
        add(bytes.toString('utf8', start, end));
      }
    });
    for await (const block of blocksOf(file, stdin)) {
      cutter.push(block);
      if (merged.length > 0) yield merged;
      merged = [];
    }
    const lines = meeting(tail, cutter.rest());
    tail = lines.pop() ?? tail;
    for (const line of lines) add(line.toString());
  }
  if (tail.length > 0) add(tail.toString());
  if (merged.length > 0) yield merged;
}

/** The end of one file and the beginning of the next: one line where they fit together, else each by itself. */
function meeting(tail: Buffer, head: Buffer): Buffer[] {
  const joined = Buffer.concat([tail, head]);
  if (tail.length > 0 && head.length > 0 && !isWhole(tail) && !isWhole(head) && isWhole(joined)) return [joined];
  return [tail, head].filter(({ length }) => length > 0).map((part) => Buffer.from(part));
}

function isWhole(line: Buffer): boolean {
  if (line.length > lineLengthMax) return false;
  const text = line.toString();
  try {
    JSON.parse(text.slice(text.indexOf('{')));
    return true;
  } catch {
    return false;
  }
}

/** By the first time in them; of files that begin in the same millisecond, the one that was written to last comes last. */
async function oldestFirst(files: readonly string[]): Promise<string[]> {
  if (files.length < 2) return [...files];
  const known: (Age & { readonly file: string })[] = [];
  for (const file of files) known.push({ file, ...(await ageOf(file)) });
  // What can be read only once, such as a pipe, has no age: it comes last.
  const order = (a: number, b: number): number => (a === b ? 0 : a - b);
  return known.sort((a, b) => order(a.firstMs, b.firstMs) || order(a.writtenMs, b.writtenMs)).map(({ file }) => file);
}

interface Age {
  /** The first time in the file's first block, or when it was written where there is none. */
  readonly firstMs: number;
  readonly writtenMs: number;
}

async function ageOf(file: string): Promise<Age> {
  const unknown = { firstMs: Number.POSITIVE_INFINITY, writtenMs: Number.POSITIVE_INFINITY };
  if (file === '-') return unknown;
  try {
    const found = await stat(file);
    if (!found.isFile()) return unknown;
    const writtenMs = found.mtimeMs;
    for await (const block of blocksOf(file)) {
      const time = /"time":"([^"]{24})"|"__REALTIME_TIMESTAMP":"(\d{1,16})\d{3}"/.exec(block.toString('latin1'));
      // A hole, as a truncation leaves it.
      if (time === null && block.at(-1) === 0) continue;
      const firstMs = time?.[1] === undefined ? Number(time?.[2]) : Date.parse(time[1]);
      return { firstMs: Number.isFinite(firstMs) ? firstMs : writtenMs, writtenMs };
    }
    return { firstMs: writtenMs, writtenMs };
  } catch (cause) {
    failed('read', file, cause);
  }
}

/** The bytes of a file, inflated where they begin as gzip does, whatever it is called. A block is valid until the next is asked for. */
async function* blocksOf(file: string, stdin?: Readable): AsyncGenerator<Buffer> {
  try {
    const source =
      stdin !== undefined && file === '-' ? (stdin as AsyncIterable<Buffer>) : fileBlocks(await open(file));
    yield* inflated(source, file);
  } catch (cause) {
    failed('read', file === '-' ? 'stdin' : file, cause);
  }
}

async function* fileBlocks(handle: FileHandle): AsyncGenerator<Buffer> {
  try {
    const buffer = Buffer.allocUnsafe(blockBytes);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, blockBytes, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

async function* inflated(source: AsyncIterable<Buffer>, file: string): AsyncGenerator<Buffer> {
  const blocks = source[Symbol.asyncIterator]();
  try {
    let start: Buffer = Buffer.alloc(0);
    while (start.length < 8) {
      const next = await blocks.next();
      if (next.done) break;
      start = Buffer.concat([start, next.value]);
    }
    requireText(start, file);
    async function* whole(): AsyncGenerator<Buffer> {
      if (start.length > 0) yield start;
      // Copied: what inflates may still hold a block when the next one is read.
      for (let next = await blocks.next(); !next.done; next = await blocks.next()) yield Buffer.from(next.value);
    }
    if (start[0] === 0x1f && start[1] === 0x8b) {
      const gunzip = createGunzip({ chunkSize: blockBytes });
      const pumped = pipeline(whole, gunzip);
      // The iteration below throws the same error; without this the rejection would have no handler until it ends.
      pumped.catch(() => undefined);
      yield* gunzip as AsyncIterable<Buffer>;
      await pumped;
      return;
    }
    if (start.length > 0) yield start;
    for (let next = await blocks.next(); !next.done; next = await blocks.next()) yield next.value;
  } finally {
    await blocks.return?.();
  }
}

function requireText(start: Buffer, file: string): void {
  const hex = start.subarray(0, 8).toString('hex');
  const found = unreadable.find(([opening]) => hex.startsWith(opening));
  if (found === undefined) return;
  const [, what, cure] = found;
  const name = file === '-' ? 'stdin' : file;
  throw new SpillwayError('hist_file', `read ${name}: it is ${what}; give it as text: ${cure(name)}`, {
    fields: { file: name },
  });
}

/** Throws `hist_file`: what could not be done with which file, why, and the cure where one is known. */
export function failed(what: string, file: string, cause: unknown): never {
  if (cause instanceof SpillwayError) throw cause;
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or folder',
    EISDIR: `it is a folder; give the files in it, such as ${file}/*.log`,
    EACCES: 'permission denied; run it as a user who may, such as by sudo',
  };
  throw new SpillwayError('hist_file', `${what} ${file}: ${known[code] ?? message}`, { cause, fields: { file } });
}
