/**
 * Brings the units of one series to disk, in order, in segments of its own run. Main thread; every call is asynchronous.
 *
 * ```
 *   push ──▶ queue ──write──▶ unsynced ──fdatasync──▶ settled          policy "none": settled when written
 *              ▲                  │
 *              └── retire ◀───────┘   a failed write or sync: the segment takes nothing more; what is not known to be
 *                                     on disk goes, with its old sequences, into a new segment that `continues` it
 * ```
 *
 * A sync that takes long holds up nothing but what waits for it: meanwhile the open segment grows beyond its size, rather than
 * have what comes next wait. A file whose sync failed is never synced again: the kernel may report success for data that it has dropped. Between two
 * tries it waits, longer each time. It drops nothing: only units whose memory was reclaimed between write and sync (never
 * under policy "each", nor where senders wait for the disk) stay behind in the failed segment, and are reported as being at risk.
 *
 * With `zeroAheadBytes` small writes go over zeros: where a file does not grow, an fdatasync has no metadata to write, and takes
 * half the time. One in many writes and syncs the zeros for those behind it. Recovery knows them. Where the zeros are on disk and nothing else
 * waits to be, one write _through_ does what a write and an fdatasync do, with one thread of libuv woken instead of two one after the
 * other: a busy host gives commits several times as often (bench/journal-commit).
 *
 * Long because its states (queue, unsynced, settled, poisoned) are one machine, and must be read together.
 */
import type { OpenFile } from '../edges/files.ts';
import { type Unit, unitBytes } from './blocks.ts';
import { type DlqContext, errorFields } from './context.ts';
import type { FrameSealer } from './encryption.ts';
import {
  encodeSegmentHeader,
  formatVersion,
  type Kind,
  kindNames,
  sealedVersion,
  segmentHeaderBytes,
} from './layout.ts';
import { failuresUntilAbandoned, failuresUntilFull, retryMsMax, retryMsMin, stallMs } from './options.ts';
import { writeSealed } from './sealed-writes.ts';
import { newSegment, type Segment } from './segment.ts';
import { Trouble } from './trouble.ts';

/** Who waits for entries to be on disk, whatever the policy. */
export interface WriterWatch {
  /** All entries up to `sequence` are on disk. */
  durable(sequence: number): void;
  /** Those up to `sequence` that are not on disk never will be known to be: their segment failed, and their memory is gone. */
  lost(sequence: number): void;
  /** An fdatasync took so long. */
  synced(tookMs: number): void;
  /** Nothing is being written or synced. */
  idle(): void;
}

/** Larger writes than this share of the zeros go to the end of the file: they would write them more often than it saves. */
const writesPerZeros = 8;

interface OpenSegment {
  readonly segment: Segment;
  readonly file: OpenFile;
  /** Absent: entries are written in clear. */
  readonly sealer: FrameSealer | undefined;
  /** Its name is on disk, too. */
  isNamed: boolean;
  /** Position up to which the file has bytes or zeros. */
  zeroedTo: number;
  /** Position up to which those are on disk. */
  syncedTo: number;
  /** The same file, for writes through; undefined: not opened yet, or it cannot be. */
  through: Promise<OpenFile | undefined> | undefined;
}

export class SegmentWriter {
  watch: WriterWatch | undefined;
  /** All segments of the series, oldest first; the last one may still be open. */
  readonly segments: Segment[] = [];
  readonly #kind: Kind;
  readonly #context: DlqContext;
  readonly #queue: Unit[] = [];
  readonly #unsynced: Unit[] = [];
  #open: OpenSegment | undefined;
  #syncing: Promise<void> | undefined;
  #syncStartMs = 0;
  /** Bytes written since the last sync began. */
  #unsyncedBytes = 0;
  /** Why the open segment must not be used any more. */
  #poison: { readonly error: unknown } | undefined;
  #zeros: Buffer | undefined;
  #syncDue = false;
  /** Units, counted from the start, that somebody wants to be on disk soon. */
  #wantedUnits = 0;
  #cancelSyncTimer: (() => void) | undefined;
  #rotateWhenIdle = false;
  /** Number of the segment that the next one continues. */
  #continues = 0;
  #failures = 0;
  readonly #trouble: Trouble;
  #draining: Promise<void> | undefined;
  /** Something happened since the drain last looked. */
  #pumped = false;
  #stopped = false;
  #pushedUnits = 0;
  #settledUnits = 0;
  #settleWaiters: { readonly target: number; readonly resolve: (settled: boolean) => void }[] = [];
  #writtenWaiters: (() => void)[] = [];
  #sealWaiters: (() => void)[] = [];

  constructor(kind: Kind, context: DlqContext) {
    this.#kind = kind;
    this.#context = context;
    context.writers.push(this);
    this.#trouble = new Trouble(context, {
      names: { begins: 'failing', lasts: 'still_failing', ends: 'recovered' },
      fields: () => ({ series: kindNames[kind], failures: this.#failures }),
    });
    context.pool.onDry(() => this.#reclaim());
  }

  /** Takes over a segment that an earlier run left; they come in the order of their sequences. */
  adopt(segment: Segment): void {
    const before = this.segments.findLastIndex(({ firstSequence }) => firstSequence <= segment.firstSequence);
    this.segments.splice(before + 1, 0, segment);
  }

  /** The disk has refused several writes in a row. */
  get failing(): boolean {
    return this.#failures >= failuresUntilFull;
  }

  /** The last write or sync failed. */
  get isInTrouble(): boolean {
    return this.#failures > 0;
  }

  /** What is pushed now would wait for the disk. */
  get isBehind(): boolean {
    return this.#queue.length > 0;
  }

  /** Nothing is being written or synced: what is pushed now is on disk after one of each. */
  get isIdle(): boolean {
    return this.#draining === undefined && this.#syncing === undefined;
  }

  /** Bytes of all of its segments. */
  get bytes(): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** First-seen time of the oldest event that waits for the disk, in microseconds; infinite when none waits. */
  get oldestUs(): number {
    return this.#queue.reduce((oldest, unit) => Math.min(oldest, unit.oldestUs), Number.POSITIVE_INFINITY);
  }

  /** Events that are in memory only. */
  get unwrittenEvents(): number {
    return this.#queue.reduce((events, unit) => events + unit.tally.totalEvents, 0);
  }

  /** Sequence of the last entry that can be read from a segment; 0: there is none. */
  get lastWrittenSequence(): number {
    return this.segments.findLast(({ lastSequence }) => lastSequence > 0)?.lastSequence ?? 0;
  }

  push(unit: Unit): void {
    this.#queue.push(unit);
    this.#pushedUnits += 1;
    this.pump();
  }

  /**
   * Resolves to true when all that was pushed is as durable as the policy makes it; to false when the disk keeps failing, or may
   * have lost what it had taken.
   */
  settled(): Promise<boolean> {
    if (this.#settledUnits === this.#pushedUnits) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#settleWaiters.push({ target: this.#pushedUnits, resolve });
      this.pump();
    });
  }

  /** All that was pushed shall be on disk soon; {@link watch} is told. */
  syncSoon(): void {
    this.#wantedUnits = this.#pushedUnits;
    this.pump();
  }

  /** Resolves when all that was pushed can be read from its segment, or a write has failed. */
  written(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#writtenWaiters.push(resolve);
    });
  }

  /** Closes the open segment as soon as nothing waits to be written to it. Resolves then, or when a write fails. */
  rotateWhenIdle(): Promise<void> {
    if (this.#open === undefined && this.#queue.length === 0) return Promise.resolve();
    this.#rotateWhenIdle = true;
    return new Promise((resolve) => {
      this.#sealWaiters.push(resolve);
      this.pump();
    });
  }

  /** Settles all and closes the open segment; false when the disk keeps failing and events remain in memory. */
  async close(): Promise<boolean> {
    const settled = await this.settled();
    if (settled) void this.rotateWhenIdle();
    this.#stopped = !settled;
    await this.#draining;
    this.#cancelSyncTimer?.();
    this.#trouble.close();
    const open = this.#open;
    if (open !== undefined) await this.#closeFiles(open);
    return settled;
  }

  /** Starts the work if it is not under way. Rejections would be bugs, and end the process as such. */
  pump(): void {
    this.#pumped = true;
    if (!this.#stopped) this.#draining ??= this.#drain();
  }

  async #drain(): Promise<void> {
    while (this.#pumped && !this.#stopped) {
      this.#pumped = false;
      try {
        while (await this.#step());
      } catch (error) {
        this.#pumped = true;
        await this.#retire(error);
      }
    }
    this.#draining = undefined;
    if (this.#syncing === undefined) this.watch?.idle();
  }

  /** One write or rotation; false when there is nothing to do. Throws what the disk reported. */
  async #step(): Promise<boolean> {
    if (this.#poison !== undefined) throw this.#poison.error;
    this.#syncIfWanted();
    const unit = this.#queue[0];
    if (unit === undefined) {
      const waiters = this.#writtenWaiters.splice(0);
      for (const resolve of waiters) resolve();
      if (!this.#rotateWhenIdle || this.#open === undefined) return waiters.length > 0;
      return this.#seal();
    }
    const mustSeal = unit.startsSegment && this.#open !== undefined && this.#open.segment.lastSequence > 0;
    if (mustSeal && !(await this.#seal()) && unit.isHeaderCounted) {
      unit.isHeaderCounted = false;
      this.#context.space.usedBytes -= segmentHeaderBytes;
    }
    await this.#write(unit);
    return true;
  }

  async #write(unit: Unit): Promise<void> {
    const { arena, blocks, fsync } = this.#context.options;
    this.#open ??= await this.#create(unit);
    const { segment, file, sealer } = this.#open;
    let position = segment.bytes;
    unit.position = position;
    const through = await this.#throughFile(unit);
    const startMs = this.#context.options.clock.nowMs();
    if (through === undefined) await this.#zeroAhead(position, unitBytes(unit));
    if (sealer !== undefined) position = await writeSealed(this.#context, sealer, unit, file, position);
    else {
      for (let index = 0, left = unit.length; left > 0; index++) {
        const length = Math.min(left, blocks.length);
        await (through ?? file).write(arena.buffer, unit.blocks[index]!, length, position);
        position += length;
        left -= length;
      }
    }
    segment.bytes = segment.file.bytes = position;
    segment.lastSequence = unit.lastSequence;
    segment.oldestUs = Math.min(segment.oldestUs, unit.oldestUs);
    segment.newestUs = Math.max(segment.newestUs, unit.newestUs);
    segment.tally.add(unit.tally, 1);
    this.#queue.shift();
    this.#unsynced.push(unit);
    if (through !== undefined) return this.#isOnDisk(1, unit.lastSequence, startMs);
    const { syncs } = this.#context;
    this.#unsyncedBytes += unitBytes(unit);
    if (fsync.kind === 'bytes' && this.#unsyncedBytes >= fsync.bytes) this.#syncDue = true;
    if (syncs === 'none') this.#settle(1);
    // What is written may be reclaimed, or synced at once: who waits for a block must not wait for the next sync.
    else if (syncs !== 'each') this.#context.pool.wake();
    if (fsync.kind === 'interval' && this.#cancelSyncTimer === undefined) {
      this.#cancelSyncTimer = this.#context.options.clock.after(fsync.intervalMs, () => {
        this.#cancelSyncTimer = undefined;
        this.#syncDue = true;
        this.pump();
      });
    }
  }

  /** What the open segment's next unit can be written through; undefined: it is written, and synced. */
  async #throughFile(unit: Unit): Promise<OpenFile | undefined> {
    const open = this.#open!;
    const end = unit.position + unitBytes(unit);
    // A write through covers nothing but itself: neither the name of the file, nor what was written before.
    const isAlone = this.#unsynced.length === 0 && open.isNamed && end <= open.syncedTo;
    if (!isAlone || open.sealer !== undefined || unit.blocks.length !== 1) return undefined;
    const { files } = this.#context.options;
    open.through ??= files.open(this.#context.path(open.segment.name), 'through').catch(() => undefined);
    return open.through;
  }

  async #zeroAhead(position: number, length: number): Promise<void> {
    const open = this.#open!;
    const { zeroAheadBytes = 0 } = this.#context.options;
    if (length > zeroAheadBytes / writesPerZeros || position + length <= open.zeroedTo) return;
    this.#zeros ??= Buffer.alloc(zeroAheadBytes);
    try {
      await open.file.write(this.#zeros, 0, zeroAheadBytes, position);
      open.zeroedTo = position + zeroAheadBytes;
    } catch {
      // There may be room for the entries alone; whether there is, their own write tells.
      open.zeroedTo = Number.POSITIVE_INFINITY;
    }
  }

  async #create(unit: Unit): Promise<OpenSegment> {
    const { options, space, tag } = this.#context;
    const { firstSequence } = unit;
    const keyId = options.keys?.currentId;
    const segment = newSegment(
      this.#kind,
      this.#context.takeSegmentNumber(),
      tag,
      firstSequence,
      options.streams.length,
    );
    const path = this.#context.path(segment.name);
    const file = await options.files.open(path, 'create');
    try {
      const header = encodeSegmentHeader({
        version: keyId === undefined ? formatVersion : sealedVersion,
        kind: this.#kind,
        tag,
        number: segment.number,
        firstSequence,
        createdMs: options.clock.nowMs(),
        continues: this.#continues,
        keyId: keyId ?? 0,
      });
      await file.write(header, 0, header.length, 0);
    } catch (error) {
      await this.#context.attempt('close', () => file.close());
      await this.#context.attempt('unlink', () => options.files.unlink(path));
      throw error;
    }
    segment.bytes = segment.file.bytes = segmentHeaderBytes;
    if (unit.isHeaderCounted) unit.isHeaderCounted = false;
    else space.usedBytes += segmentHeaderBytes;
    this.segments.push(segment);
    const identity = { kind: this.#kind, number: segment.number, tag };
    const sealer = keyId === undefined ? undefined : options.keys?.sealer(identity, keyId, options.randomWord);
    return {
      segment,
      file,
      sealer,
      isNamed: false,
      zeroedTo: segmentHeaderBytes,
      syncedTo: 0,
      through: undefined,
    };
  }

  #syncIfWanted(): void {
    if (this.#unsynced.length === 0 || this.#syncing !== undefined) return;
    const written = this.#settledUnits + this.#unsynced.length;
    const awaited = this.#settleWaiters[0]?.target ?? Number.POSITIVE_INFINITY;
    const isAwaited = awaited <= written || (this.#wantedUnits > this.#settledUnits && this.#wantedUnits <= written);
    const isDue = this.#syncDue || this.#failures > 0 || isAwaited;
    if (this.#context.syncs === 'each' || isDue) void this.#startSync();
  }

  /** Syncs beside the writes that follow; covers the units written so far. */
  #startSync(): Promise<void> {
    const units = this.#unsynced.length;
    const { lastSequence } = this.#unsynced[units - 1]!;
    const { clock } = this.#context.options;
    const startMs = clock.nowMs();
    this.#syncDue = false;
    this.#unsyncedBytes = 0;
    this.#syncStartMs = startMs;
    this.#syncing = this.#sync().then(
      () => {
        this.#syncing = undefined;
        this.#isOnDisk(units, lastSequence, startMs);
        this.pump();
      },
      (error: unknown) => {
        this.#syncing = undefined;
        this.#poison = { error };
        this.pump();
      },
    );
    return this.#syncing;
  }

  /** The oldest of the unsynced units are. */
  #isOnDisk(units: number, lastSequence: number, startMs: number): void {
    this.#settle(units);
    this.watch?.synced(this.#context.options.clock.nowMs() - startMs);
    this.watch?.durable(lastSequence);
  }

  async #sync(): Promise<void> {
    const open = this.#open!;
    const { zeroedTo } = open;
    await open.file.sync();
    // Where zeros could not be written ahead, it is infinite: what comes there is synced.
    if (Number.isFinite(zeroedTo)) open.syncedTo = zeroedTo;
    if (open.isNamed) return;
    const { files, directory } = this.#context.options;
    await files.syncDirectory(directory);
    open.isNamed = true;
  }

  /** As {@link #syncAll}, but not longer than {@link stallMs} per sync; false: the disk is too slow for that. */
  async #syncAllSoon(): Promise<boolean> {
    while (this.#unsynced.length > 0 && this.#poison === undefined) {
      const syncing = this.#syncing ?? this.#startSync();
      const leftMs = this.#syncStartMs + stallMs - this.#context.options.clock.nowMs();
      if (leftMs <= 0) return false;
      await Promise.race([syncing, this.#context.delay(leftMs)]);
    }
    if (this.#poison !== undefined) throw this.#poison.error;
    return true;
  }

  /** Waits until all written units are synced; throws when a sync fails. */
  async #syncAll(): Promise<void> {
    while (this.#unsynced.length > 0 && this.#poison === undefined) await (this.#syncing ?? this.#startSync());
    if (this.#poison !== undefined) throw this.#poison.error;
  }

  #settle(units: number): void {
    for (const unit of this.#unsynced.splice(0, units)) this.#context.pool.giveBack(unit);
    this.#settledUnits += units;
    if (this.#failures > 0) {
      this.#trouble.over();
      this.#failures = 0;
      this.#context.pool.wake();
    }
    while (this.#settleWaiters.length > 0 && this.#settleWaiters[0]!.target <= this.#settledUnits) {
      this.#settleWaiters.shift()!.resolve(true);
    }
  }

  /** Closes the open segment. False: a sync takes long, and the segment stays open rather than let what follows wait for it. */
  async #seal(): Promise<boolean> {
    this.#rotateWhenIdle = false;
    const open = this.#open!;
    const { segment } = open;
    if (!(await this.#syncAllSoon())) {
      for (const resolve of this.#sealWaiters.splice(0)) resolve();
      return false;
    }
    this.#open = undefined;
    this.#continues = 0;
    segment.sealed = true;
    await this.#closeFiles(open);
    this.#context.report({ change: 'segment_sealed', segment: segment.name, bytes: segment.bytes });
    for (const resolve of this.#sealWaiters.splice(0)) resolve();
    return true;
  }

  /** Gives up the open segment, takes back what is not known to be on disk, and waits before the next try. */
  async #retire(error: unknown): Promise<void> {
    this.#failures += 1;
    this.#trouble.met(() => errorFields(error));
    this.#context.reserve.saw(error);
    if (this.#open !== undefined) await this.#abandonOpen();
    for (const resolve of [...this.#writtenWaiters.splice(0), ...this.#sealWaiters.splice(0)]) resolve();
    if (this.failing) this.#context.pool.wake();
    if (this.#failures >= failuresUntilAbandoned) {
      for (const { resolve } of this.#settleWaiters.splice(0)) resolve(false);
    }
    await this.#context.delay(Math.min(retryMsMin * 2 ** (this.#failures - 1), retryMsMax));
  }

  async #abandonOpen(): Promise<void> {
    const open = this.#open!;
    const { segment, file } = open;
    await this.#syncAll().catch(() => this.#takeBackUnsynced(segment));
    this.#open = undefined;
    this.#poison = undefined;
    segment.sealed = true;
    await this.#context.attempt('truncate', () => file.truncate(segment.bytes));
    await this.#closeFiles(open);
    if (segment.lastSequence > 0) {
      this.#continues = segment.number;
      return;
    }
    this.segments.splice(this.segments.indexOf(segment), 1);
    const { files } = this.#context.options;
    const unlinked = await this.#context.attempt('unlink', () => files.unlink(this.#context.path(segment.name)));
    if (unlinked) this.#context.space.usedBytes -= segmentHeaderBytes;
  }

  async #closeFiles({ file, through }: OpenSegment): Promise<void> {
    await this.#context.attempt('close', () => file.close());
    const other = await through;
    if (other !== undefined) await this.#context.attempt('close', () => other.close());
  }

  #takeBackUnsynced(segment: Segment): void {
    const units = this.#unsynced.splice(0);
    const kept = units.filter((unit) => unit.blocks.length > 0);
    const atRisk = units.slice(0, units.length - kept.length);
    this.#settledUnits += atRisk.length;
    if (atRisk.length > 0) {
      const events = atRisk.reduce((sum, unit) => sum + unit.tally.totalEvents, 0);
      this.#context.report({ change: 'at_risk', segment: segment.name, events });
      // Whoever waits, waits for these too.
      for (const { resolve } of this.#settleWaiters.splice(0)) resolve(false);
      this.watch?.lost(atRisk.at(-1)!.lastSequence);
    }
    const first = kept[0];
    if (first === undefined) return;
    for (const unit of kept) segment.tally.add(unit.tally, -1);
    segment.bytes = first.position;
    segment.lastSequence = first.position > segmentHeaderBytes ? first.firstSequence - 1 : 0;
    this.#queue.unshift(...kept);
  }

  /**
   * Gives back the memory of the oldest unit that is written but not synced. Not where senders were promised that their events are on
   * disk: one that was, and came back, may be in it. Then it is synced at once, which gives its memory back.
   */
  #reclaim(): boolean {
    if (this.#context.syncs === 'each') return false;
    if (this.#context.mustSync) {
      if (this.#unsynced.length === 0) return false;
      this.#syncDue = true;
      this.pump();
      return false;
    }
    const unit = this.#unsynced.find(({ blocks }) => blocks.length > 0);
    if (unit === undefined) return false;
    this.#context.pool.giveBack(unit);
    return true;
  }
}
