/**
 * One series of segments, spills or dead letters, from its appending end. Main thread; the admission path calls `append` once
 * per event, so it allocates nothing per event and touches no file.
 *
 * An entry is laid out straight into a block of the arena. A block goes to the {@link SegmentWriter} when it is full, when
 * its oldest entry has waited {@link lingerMs} and the disk is not behind, or when somebody waits for it.
 *
 * Long because an entry's way into a block, or into several, is spelled out without allocating.
 */
import { crc32 } from 'node:zlib';
import { assert } from '../base/assert.ts';
import { addToFrames, newUnit, type Unit } from './blocks.ts';
import type { DlqContext } from './context.ts';
import { crcOfBytes } from './crc.ts';
import { frameOverheadBytes } from './frames.ts';
import type { Kind } from './layout.ts';
import {
  entryBytes,
  entryHeaderBytes,
  hashKeyBytes,
  padded,
  sealEntryHeader,
  segmentHeaderBytes,
  writeEntryHeader,
} from './layout.ts';
import { lingerMs } from './options.ts';
import { Refusals } from './refusals.ts';
import type { StreamNames } from './streams.ts';
import { type Tally, tallyOf } from './tally.ts';
import { SegmentWriter } from './writer.ts';

/** What became of an append. */
export const Appended = {
  /** Taken. */
  ok: 0,
  /** Not taken: all blocks wait for the disk. Try again after `whenWritable`. */
  busy: 1,
  /** Not taken: `dlq.max_bytes` is reached, or the disk keeps failing. */
  full: 2,
} as const;
export type Appended = (typeof Appended)[keyof typeof Appended];

/** What the journal has otherwise than the other series. */
interface OwnWays {
  /** Told before the first entry of a segment gets its sequence. Given: half-full blocks wait until they are pushed. */
  readonly onSegment?: () => void;
}

export class Series {
  readonly kind: Kind;
  readonly writer: SegmentWriter;
  readonly refusals: Refusals;
  /** Events of this series in the queue. */
  readonly tally: Tally;
  readonly #context: DlqContext;
  readonly #streams: StreamNames;
  /** Frees blocks that the other series holds half full. */
  readonly #onPressure: () => void;
  /** Sequence of the last entry that was taken; 0: none was in this run. */
  lastSequence = 0;
  #current: Unit | undefined;
  /** Bytes of the segment that the current unit belongs to, as far as it is filled. */
  #segmentBytes = Number.POSITIVE_INFINITY;
  /** Set for ever where half-full blocks wait for nobody's timer. */
  #lingering = false;
  readonly #onSegment: (() => void) | undefined;
  /** Most that encryption adds to an entry; 0: there is none. */
  readonly #sealBytes: number;

  constructor(kind: Kind, context: DlqContext, streams: StreamNames, onPressure: () => void, own: OwnWays = {}) {
    this.kind = kind;
    this.writer = new SegmentWriter(kind, context);
    this.tally = tallyOf(kind, context.options.streams.length);
    this.#context = context;
    this.#streams = streams;
    this.#onPressure = onPressure;
    this.refusals = new Refusals(kind, context, this.writer);
    this.#onSegment = own.onSegment;
    this.#sealBytes = context.options.keys?.currentId === undefined ? 0 : frameOverheadBytes;
    this.#lingering = own.onSegment !== undefined;
  }

  /**
   * Takes one event; all offsets are the arena's, `ehkOffset` 0 means none. `stream` -1: not configured, its name stands at
   * `nameOffset`; otherwise both name arguments are ignored.
   */
  append(
    stream: number,
    nameOffset: number,
    nameLength: number,
    reason: number,
    attempts: number,
    firstSeenUs: number,
    keyOffset: number,
    keyLength: number,
    ehkOffset: number,
    dataOffset: number,
    dataLength: number,
  ): Appended {
    const length = stream < 0 ? nameLength : this.#streams.length(stream);
    const total = entryBytes(length, ehkOffset !== 0, keyLength, dataLength);
    const most = total + this.#sealBytes;
    if (this.refusals.has(most)) return this.refusals.refuse(most) ? Appended.busy : Appended.full;
    const unit = this.#unitFor(total);
    // Blocks that wait for a disk that fails may wait for long, whichever series they are of.
    if (unit === undefined)
      return this.#context.isDiskFailing && !this.refusals.refuse(most) ? Appended.full : Appended.busy;

    const { arena } = this.#context.options;
    const sequence = ++this.#context.lastSequence;
    const payloadLength = length + (ehkOffset === 0 ? 0 : hashKeyBytes) + keyLength + dataLength;
    const offset = unit.blocks[0]! + unit.length;
    writeEntryHeader(
      arena, offset, this.kind, payloadLength, sequence, firstSeenUs, attempts, reason,
      length, ehkOffset !== 0, keyLength, this.#context.tag,
    ); // biome-ignore format: two lines of arguments
    const payload = offset + entryHeaderBytes;
    if (unit.blocks.length === 1) {
      const end = payload + padded(payloadLength);
      if (payloadLength > 0) arena.words[(end >>> 2) - 1] = arena.words[(end >>> 2) - 2] = 0;
      if (stream < 0) arena.copy(payload, nameOffset, length);
      else this.#streams.write(arena.words, payload, stream);
      let to = payload + length;
      if (ehkOffset !== 0) {
        arena.copy(to, ehkOffset, hashKeyBytes);
        to += hashKeyBytes;
      }
      arena.copy(to, keyOffset, keyLength);
      arena.copy(to + keyLength, dataOffset, dataLength);
      sealEntryHeader(arena, offset, crcOfBytes(arena.buffer, arena.words, payload, end - payload));
    } else {
      if (stream < 0) arena.copy(payload, nameOffset, length);
      else this.#streams.write(arena.words, payload, stream);
      let at = entryHeaderBytes + length;
      if (ehkOffset !== 0) at = this.#spread(unit, at, ehkOffset, hashKeyBytes);
      at = this.#spread(unit, at, keyOffset, keyLength);
      at = this.#spread(unit, at, dataOffset, dataLength);
      sealEntryHeader(arena, offset, this.#sealSpread(unit, at, total));
    }
    this.#account(unit, stream, sequence, firstSeenUs, total, keyLength + dataLength);
    return Appended.ok;
  }

  /** Gives the half-full block to the writer. */
  push(): void {
    const unit = this.#current;
    if (unit === undefined) return;
    this.#current = undefined;
    this.writer.push(unit);
  }

  /** Something was taken that its writer has not got. */
  get hasUnpushed(): boolean {
    return this.#current !== undefined;
  }

  /** First-seen time of the oldest event, in microseconds; infinite when there is none. Exact to the segment. */
  oldestUs(): number {
    let oldest = Math.min(this.writer.oldestUs, this.#current?.oldestUs ?? Number.POSITIVE_INFINITY);
    for (const segment of this.writer.segments) {
      if (segment.tally.totalEvents > 0) oldest = Math.min(oldest, segment.oldestUs);
    }
    return oldest;
  }

  /** Events that were taken and are in memory only. */
  get unwrittenEvents(): number {
    return this.writer.unwrittenEvents + (this.#current?.tally.totalEvents ?? 0);
  }

  /** Closes the segment that is being written, once all before this call is in it. Resolves then, or when a write fails. */
  rotate(): Promise<void> {
    this.push();
    this.#segmentBytes = Number.POSITIVE_INFINITY;
    return this.writer.rotateWhenIdle();
  }

  /** The unit that an entry of `total` bytes goes into; undefined when no block is free. */
  #unitFor(total: number): Unit | undefined {
    const { blockBytes, count } = this.#context.pool;
    const rotate = this.#segmentBytes + total + this.#sealBytes > this.#context.options.segmentBytes;
    const current = this.#current;
    if (current !== undefined && !rotate && current.length + total <= blockBytes) return current;
    assert(total <= blockBytes * count, 'the event fits into the blocks: the DLQ was opened with enough of them');
    this.push();
    const blocks = this.#context.pool.take(Math.ceil(total / blockBytes));
    if (blocks === undefined) {
      this.#onPressure();
      return undefined;
    }
    if (this.#context.space.isTight(this.#context.roomBytes)) this.#context.makeRoom();
    if (rotate) {
      this.#onSegment?.();
      this.#segmentBytes = segmentHeaderBytes;
      this.#context.space.usedBytes += segmentHeaderBytes;
    }
    this.#current = newUnit(this.kind, blocks, rotate, this.#context.options.streams.length);
    return this.#current;
  }

  #account(unit: Unit, stream: number, sequence: number, firstSeenUs: number, total: number, bytes: number): void {
    if (unit.length === 0) unit.firstSequence = sequence;
    unit.lastSequence = this.lastSequence = sequence;
    unit.length += total;
    if (firstSeenUs < unit.oldestUs) unit.oldestUs = firstSeenUs;
    if (firstSeenUs > unit.newestUs) unit.newestUs = firstSeenUs;
    unit.tally.count(stream, bytes, 1);
    this.tally.count(stream, bytes, 1);
    const written = this.#sealBytes === 0 ? total : total + addToFrames(unit, total, sequence);
    this.#segmentBytes += written;
    this.#context.space.usedBytes += written;
    this.refusals.over();
    if (unit.blocks.length > 1) this.push();
    else if (!this.#lingering) this.#linger();
  }

  /** A block that would only wait behind others is filled further meanwhile: so a slow disk finds full ones, not many. */
  #linger(): void {
    this.#lingering = true;
    this.#context.options.clock.after(lingerMs, () => {
      this.#lingering = false;
      if (this.#current === undefined) return;
      if (this.writer.isBehind) this.#linger();
      else this.push();
    });
  }

  /** Copies to byte `at` of a chain of blocks; returns the byte after the copy. */
  #spread(unit: Unit, at: number, source: number, length: number): number {
    const { blockBytes } = this.#context.pool;
    const end = at + length;
    while (at < end) {
      const within = at % blockBytes;
      const piece = Math.min(end - at, blockBytes - within);
      this.#context.options.arena.copy(unit.blocks[Math.floor(at / blockBytes)]! + within, source, piece);
      source += piece;
      at += piece;
    }
    return at;
  }

  /** Zeroes the padding of a chained entry from byte `at` on, and returns the CRC of its padded payload. */
  #sealSpread(unit: Unit, at: number, total: number): number {
    const { blockBytes } = this.#context.pool;
    const { buffer } = this.#context.options.arena;
    const lastStart = unit.blocks[unit.blocks.length - 1]!;
    const paddingStart = lastStart + (at - (unit.blocks.length - 1) * blockBytes);
    buffer.fill(0, paddingStart, paddingStart + total - at);
    let crc = 0;
    for (let index = 0, left = total; left > 0; index++, left -= blockBytes) {
      const skip = index === 0 ? entryHeaderBytes : 0;
      const start = unit.blocks[index]! + skip;
      crc = crc32(buffer.subarray(start, unit.blocks[index]! + Math.min(left, blockBytes)), crc);
    }
    return crc | 0;
  }
}
