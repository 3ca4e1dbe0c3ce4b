/**
 * Writes a segment anew without some of its bytes. Main thread; for purge and replay of dead letters, on segments that nobody
 * writes to.
 *
 * ```
 *   dead-0000000005.seg ──copy what stays──▶ dead-0000000005.seg.tmp ──fdatasync──▶ rename over the old one ──▶ fsync of the directory
 *                          └─ of an encrypted frame, entries: what stays of it is sealed anew
 * ```
 * Whatever instruction it dies at, the name has the old bytes or the new ones; a start removes a copy that was not finished. Who
 * is just reading the old file goes on with it.
 */
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { Files, OpenFile } from '../edges/files.ts';
import { FrameOpener, type FrameSealer, type Keys } from './encryption.ts';
import { frame, frameHeaderBytes, frameTagBytes, isFrameHeader } from './frames.ts';
import { entry, heapMemory, isEntryHeader, type Memory } from './layout.ts';
import { scanBytes } from './options.ts';
import type { Ranges } from './ranges.ts';
import { SegmentReader } from './reader.ts';
import { partialName } from './segment.ts';

const copyBytes = 256 * 1024;

export interface Rewrite {
  readonly files: Files;
  readonly directory: string;
  readonly name: string;
  /** Of the segment; what stands behind is left out, too. */
  readonly bytes: number;
  /** Of its run; undefined: its header is damaged. */
  readonly tag: number | undefined;
  readonly keys: Keys | undefined;
  readonly randomWord: () => number;
}

type Range = readonly [from: number, to: number];

/** Resolves to the new length. Rejects with what the disk reported: then nothing has changed. */
export async function rewriteWithout(rewrite: Rewrite, drops: Ranges): Promise<number> {
  const { files, directory, name } = rewrite;
  const path = join(directory, name);
  const partial = join(directory, partialName(name));
  const source = await files.open(path, 'read');
  let length = 0;
  try {
    const copy = await files.open(partial, 'replace');
    try {
      length = await copyKept(rewrite, drops, source, copy);
      await copy.sync();
    } finally {
      await copy.close();
    }
    await files.rename(partial, path);
    await files.syncDirectory(directory);
  } catch (error) {
    await files.unlink(partial).catch(() => undefined);
    throw error;
  } finally {
    await source.close();
  }
  return length;
}

/** Resolves to the length of the copy. */
async function copyKept(rewrite: Rewrite, drops: Ranges, source: OpenFile, copy: OpenFile): Promise<number> {
  const broken = rewrite.keys === undefined ? [] : await brokenFrames(rewrite, drops, source);
  const resealing = new Resealing(rewrite, source);
  let length = 0;
  let next = 0;
  /** What stands before it was written, or goes. */
  let done = 0;
  for (const [from, to] of drops.gaps(rewrite.bytes)) {
    for (let position = Math.max(from, done); position < to; position = Math.max(position, done)) {
      while (next < broken.length && broken[next]![1] <= position) next += 1;
      const [start, end] = broken[next] ?? [to, to];
      if (position < start) {
        done = Math.min(start, to);
        await copyRange(source, copy, position, done, length);
        length += done - position;
      } else {
        // The first piece that stays of a frame: all that stays of it.
        const { memory, bytes } = await resealing.without(drops, start, end);
        await copy.write(memory.buffer, 0, bytes, length);
        length += bytes;
        done = end;
      }
    }
  }
  return length;
}

/** Frames that lose some of their entries, not all. Only small ones have several. */
async function brokenFrames({ bytes, tag, keys }: Rewrite, drops: Ranges, source: OpenFile): Promise<Range[]> {
  const memory = heapMemory(scanBytes);
  const window = { offset: 0, length: scanBytes };
  const onDamage = (): void => undefined;
  const reader = new SegmentReader({
    file: source,
    memory,
    window,
    limit: bytes,
    tag,
    payloads: false,
    keys,
    onDamage,
  });
  const broken: Range[] = [];
  let current: Range | undefined;
  let [dropped, kept] = [0, 0];
  const close = (): void => {
    if (current !== undefined && dropped > 0 && kept > 0) broken.push(current);
    [dropped, kept] = [0, 0];
  };
  while (await reader.load()) {
    while (reader.step()) {
      const { frame: inside, position } = reader;
      if (inside?.from !== current?.[0]) {
        close();
        current = inside === undefined ? undefined : [inside.from, inside.to];
      }
      if (drops.has(position)) dropped += 1;
      else kept += 1;
    }
  }
  close();
  return broken;
}

/** Seals what is left of frames, with the key that they had and a salt of its own. */
class Resealing {
  readonly #rewrite: Rewrite;
  readonly #source: OpenFile;
  readonly #opener: FrameOpener;
  #sealer: FrameSealer | undefined;

  constructor(rewrite: Rewrite, source: OpenFile) {
    this.#rewrite = rewrite;
    this.#source = source;
    this.#opener = new FrameOpener(rewrite.keys);
  }

  /** The frame from `from` up to `to`, without the entries that go. */
  async without(drops: Ranges, from: number, to: number): Promise<{ readonly memory: Memory; readonly bytes: number }> {
    const memory = heapMemory(to - from);
    const length = await this.#source.read(memory.buffer, 0, to - from, from);
    const isWhole = length === to - from && isFrameHeader(memory, 0, this.#rewrite.tag);
    if (!isWhole || frame.bytes(memory, 0) !== length || !this.#opener.open(memory, 0)) {
      throw Object.assign(new Error('a frame is not as it was'), { code: 'EIO' });
    }
    const end = length - frameTagBytes;
    let kept = frameHeaderBytes;
    let [first, last] = [0, 0];
    for (let at = frameHeaderBytes; at < end; ) {
      assert(isEntryHeader(memory, at, this.#rewrite.tag), 'what was sealed are entries');
      const bytes = entry.bytes(memory, at);
      if (!drops.has(from + at)) {
        last = entry.sequence(memory, at);
        if (first === 0) first = last;
        memory.buffer.copyWithin(kept, at, at + bytes);
        kept += bytes;
      }
      at += bytes;
    }
    this.#sealer ??= this.#sealerLike(memory);
    return { memory, bytes: this.#sealer.seal(memory, 0, kept - frameHeaderBytes, first, last) };
  }

  #sealerLike(memory: Memory): FrameSealer {
    const { keys, randomWord } = this.#rewrite;
    const identity = { kind: frame.kind(memory, 0), number: frame.number(memory, 0), tag: frame.tag(memory, 0) };
    return (keys as Keys).sealer(identity, frame.keyId(memory, 0), randomWord);
  }
}

async function copyRange(source: OpenFile, copy: OpenFile, from: number, to: number, at: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(copyBytes, to - from));
  for (let position = from; position < to; ) {
    const length = await source.read(buffer, 0, Math.min(buffer.length, to - position), position);
    if (length === 0) throw Object.assign(new Error('the segment is shorter than it was'), { code: 'EIO' });
    await copy.write(buffer, 0, length, at + position - from);
    position += length;
  }
}
