/**
 * How far the entries of a run's journal are done, by stream: a small file beside its segments, written in place. Main thread;
 * the journal writes it, recovery reads it.
 *
 * ```
 *  slot 0                                    slot 1, at the next multiple of 4096              as in a checkpoint (checkpoint.ts), but
 *   0 u32 magic "SPLM"   4 u32 version: 1     the same, of the write before or after it         8 f64 generation: grows with each write
 *   ... records, CRC of all before, zero                                                       28 u32 tag of the run
 * ```
 * The slots are written in turns, one write at a time, and never synced: what a kill cuts off, the other slot still says, a little
 * less of it. Marks that are missing or damaged mean that more is replayed, never less.
 */
import type { Files, OpenFile } from '../edges/files.ts';
import { checkpointBytes, encodeRecords, type Positions, recordsOf } from './checkpoint.ts';
import type { DlqContext } from './context.ts';
import { crcOfWords } from './crc.ts';
import { heapMemory } from './layout.ts';

const marksMagic = 0x4d4c5053;
const marksVersion = 1;
const slotAlignment = 4096;
/** Largest file that is read: as of a checkpoint, twice. */
const marksBytesMax = 2 * 1024 * 1024;

/** `journal-0000000007.marks`: the number is one of those that segments have. */
export function marksName(number: number): string {
  return `journal-${String(number).padStart(10, '0')}.marks`;
}

/** The number in the name of a file of marks, or undefined: it is none. */
export function marksNumber(name: string): number | undefined {
  const match = /^journal-(\d{10,15})\.marks$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/** Writes the marks of one run. */
export class MarksFile {
  readonly #context: DlqContext;
  readonly #path: string;
  readonly #stride: number;
  #file: OpenFile | undefined;
  #generation = 0;

  constructor(context: DlqContext) {
    this.#context = context;
    this.#path = context.path(marksName(context.takeSegmentNumber()));
    this.#stride = Math.ceil(checkpointBytes(context.options.streams) / slotAlignment) * slotAlignment;
  }

  /** `done`: by stream. Rejects with what the disk reported: then what was written before still holds. */
  async write(done: ArrayLike<number>): Promise<void> {
    const { files, streams, clock } = this.#context.options;
    const byName = new Map(streams.map((name, stream) => [name, done[stream]!]));
    const generation = this.#generation + 1;
    const head = {
      magic: marksMagic,
      version: marksVersion,
      first: generation,
      nowMs: clock.nowMs(),
      tag: this.#context.tag,
    };
    const { buffer } = encodeRecords(head, byName);
    this.#file ??= await files.open(this.#path, 'replace');
    await this.#file.write(buffer, 0, buffer.length, (generation % 2) * this.#stride);
    this.#generation = generation;
  }

  /** All of the journal is done. */
  async remove(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    await this.#context.attempt('close', () => file.close());
    await this.#context.attempt('unlink', () => this.#context.options.files.unlink(this.#path));
  }
}

/** What a file of marks says, and of which run; undefined when neither of its slots is whole. */
export async function readMarks(
  files: Files,
  path: string,
): Promise<{ tag: number; positions: Positions } | undefined> {
  const file = await files.open(path, 'read');
  try {
    const size = Math.min(await file.size(), marksBytesMax);
    const stride = Math.ceil(size / 2 / slotAlignment) * slotAlignment;
    // Only one was written yet: the second, and the first is a hole.
    const slots = [await readSlot(file, 0, size - stride), await readSlot(file, stride, size - stride)];
    const whole = slots.filter((slot) => slot !== undefined);
    whole.sort((a, b) => b.generation - a.generation);
    return whole[0];
  } finally {
    await file.close();
  }
}

async function readSlot(
  file: OpenFile,
  position: number,
  length: number,
): Promise<{ generation: number; tag: number; positions: Positions } | undefined> {
  if (length < 40 || length % 8 !== 0) return undefined;
  const memory = heapMemory(length);
  const { words, floats } = memory;
  if ((await file.read(memory.buffer, 0, length, position)) < length) return undefined;
  const crcWord = (length - 8) >>> 2;
  if (words[0] !== marksMagic || words[1] !== marksVersion || words[crcWord] !== crcOfWords(words, 0, crcWord)) {
    return undefined;
  }
  const byName = recordsOf(memory, length - 8);
  if (byName === undefined) return undefined;
  return { generation: floats[1]!, tag: words[7]!, positions: { others: 0, byName } };
}
