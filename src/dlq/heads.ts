/**
 * What the two ends of a segment file say: its header and first entry, and the sequence of its last one. Main thread; the start
 * asks it of every file before anything is appended, so it reads some hundred bytes of each, and the end of a few.
 */
import type { OpenFile } from '../edges/files.ts';
import type { Positions } from './checkpoint.ts';
import { FrameOpener, type Keys } from './encryption.ts';
import { frame, frameHeaderBytes, isFrameHeader, mayBeFrame } from './frames.ts';
import {
  decodeSegmentHeader,
  entry,
  entryHeaderBytes,
  heapMemory,
  isEntryHeader,
  type Kind,
  type Memory,
  type SegmentHeader,
  sealedVersion,
  segmentHeaderBytes,
  streamNameBytesMax,
} from './layout.ts';
import { scanWindow } from './options.ts';
import { SegmentReader } from './reader.ts';
import type { SegmentFile } from './segment.ts';

/** What an earlier run left: its journal is read as its spills. */
export type FoundKind = typeof Kind.spill | typeof Kind.dead;

/** A segment file as its name, its size and its header tell it. */
export interface Found {
  readonly name: string;
  readonly file: SegmentFile;
  readonly kind: FoundKind;
  /** Of a journal: up to where its run has marked entries as done. */
  readonly marks: Positions | undefined;
  /** In its name. */
  readonly number: number;
  /** In its header: what `continues` of another header refers to. */
  readonly ownNumber: number;
  readonly tag: number | undefined;
  readonly firstSequence: number;
  readonly continues: number;
  readonly isHeaderDamaged: boolean;
}

/** What a head holds: the segment's header, and the fixed part and the stream's name of its first entry, or of its first frame's. */
export const headBytes = segmentHeaderBytes + frameHeaderBytes + entryHeaderBytes + streamNameBytesMax + 1;

/** The end that is read first. An end without an entry in it is larger than this, and the search goes on before it. */
const endBytes = 64 * 1024;

export interface Head {
  /** Undefined: damaged or missing. */
  readonly header: SegmentHeader | undefined;
  /** Of the entry directly behind the header; undefined: there is none. */
  readonly first: { readonly stream: string; readonly sequence: number } | undefined;
  /** Of the key that opens it; undefined: it is not encrypted, as far as can be seen. */
  readonly keyId: number | undefined;
}

/** Reads the head of a file into `memory`, of at least {@link headBytes}. `keys` open the first frame, where there is one. */
export async function readHead(file: OpenFile, memory: Memory, keys: Keys | undefined): Promise<Head> {
  const length = await file.read(memory.buffer, 0, headBytes, 0);
  const header = length >= segmentHeaderBytes ? decodeSegmentHeader(memory) : undefined;
  const isFrame =
    length >= segmentHeaderBytes + frameHeaderBytes && isFrameHeader(memory, segmentHeaderBytes, header?.tag);
  const told = header?.version === sealedVersion ? header.keyId : undefined;
  const keyId = told ?? (isFrame ? frame.keyId(memory, segmentHeaderBytes) : undefined);
  if (!isFrame) return { header, first: firstEntry(memory, segmentHeaderBytes, length, header?.tag), keyId };
  const at = segmentHeaderBytes + frameHeaderBytes;
  const isOpen = new FrameOpener(keys).openPart(memory, segmentHeaderBytes, length - at);
  return { header, first: isOpen ? firstEntry(memory, at, length, header?.tag) : undefined, keyId };
}

/** What stands at `at`, of `length` bytes that were read. */
function firstEntry(memory: Memory, at: number, length: number, tag: number | undefined): Head['first'] {
  const hasEntry = length >= at + entryHeaderBytes && isEntryHeader(memory, at, tag);
  const nameOffset = entry.nameOffset(at);
  const nameEnd = hasEntry ? nameOffset + entry.nameLength(memory, at) : Number.POSITIVE_INFINITY;
  if (nameEnd > length) return undefined;
  return { stream: memory.buffer.toString('utf8', nameOffset, nameEnd), sequence: entry.sequence(memory, at) };
}

/** Sequence of the last entry of the run `tag` in the first `size` bytes of a file, found from its end; 0: there is none. */
export async function lastSequenceIn(
  file: OpenFile,
  memory: Memory,
  size: number,
  tag: number | undefined,
): Promise<number> {
  let end = size;
  for (let bytes = Math.min(endBytes, memory.buffer.length); end > segmentHeaderBytes; bytes = memory.buffer.length) {
    const from = Math.max(segmentHeaderBytes, Math.ceil((end - bytes) / 8) * 8);
    const length = await file.read(memory.buffer, 0, end - from, from);
    let last = 0;
    for (let at = 0; at + entryHeaderBytes <= length; at += 8) {
      if (mayBeFrame(memory, at)) last = Math.max(last, lastOfFrame(memory, at, length, tag, size - from));
      if (!isEntryHeader(memory, at, tag) || from + at + entry.bytes(memory, at) > size) continue;
      last = Math.max(last, entry.sequence(memory, at));
    }
    if (last > 0 || from === segmentHeaderBytes) return last;
    // A header may lie across the border.
    end = from + frameHeaderBytes - 8;
  }
  return 0;
}

/** Sequence of the last entry of a frame at `at` that is whole within `limit`; 0: there is none. */
function lastOfFrame(memory: Memory, at: number, length: number, tag: number | undefined, limit: number): number {
  if (at + frameHeaderBytes > length || !isFrameHeader(memory, at, tag)) return 0;
  return at + frame.bytes(memory, at) > limit ? 0 : frame.lastSequence(memory, at);
}

/** Sequence of the first entry in the first `size` bytes of a file, of whatever run; 0: there is none. `insist` calls a read, again where it failed. */
export async function firstSequenceIn(
  file: OpenFile,
  size: number,
  keys: Keys | undefined,
  insist: (read: () => Promise<boolean>) => Promise<boolean>,
): Promise<number> {
  const memory = heapMemory(scanWindow(size));
  const window = { offset: 0, length: memory.buffer.length };
  const onDamage = (): void => undefined;
  const reader = new SegmentReader({
    file,
    memory,
    window,
    limit: size,
    tag: undefined,
    payloads: false,
    keys,
    onDamage,
  });
  while (await insist(() => reader.load())) {
    if (reader.step()) return entry.sequence(memory, reader.at);
  }
  return 0;
}
