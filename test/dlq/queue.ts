/**
 * A real DLQ on a real directory, with an arena of its own, for the tests of this folder. It is closed and its directory
 * removed by the test's teardown; only tests import it.
 */
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dlq, type OpenDlqOptions, openDlq } from '../../src/dlq/dlq.ts';
import type { DurableLogs, DurableWatch } from '../../src/dlq/durable-logs.ts';
import type { JournalOptions } from '../../src/dlq/journal.ts';
import { Kind } from '../../src/dlq/layout.ts';
import type { BlockArea, DlqEvent } from '../../src/dlq/options.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { Appended } from '../../src/dlq/series.ts';
import { realFiles } from '../../src/edges/files.ts';
import { type Arena, createArena } from '../../src/ring/arena.ts';

export interface Event {
  readonly stream: number;
  readonly reason: number;
  readonly attempts: number;
  readonly firstSeenUs: number;
  readonly key: string;
  readonly hashKey: string | undefined;
  readonly data: string;
}

export type QueueOptions = Partial<
  Pick<
    OpenDlqOptions,
    | 'maxBytes'
    | 'segmentBytes'
    | 'fsync'
    | 'streams'
    | 'files'
    | 'eventBytesMax'
    | 'reserveBytes'
    | 'whenFull'
    | 'maxAgeMs'
    | 'clock'
    | 'randomWord'
    | 'indexAtOnceBytes'
    | 'onFound'
    | 'keys'
  >
> & {
  /** One that an earlier queue is done with. */
  readonly arena?: Arena;
  readonly blockBytes?: number;
  readonly blockCount?: number;
  readonly windowBytes?: number;
  readonly windowCount?: number;
  /** Its timers run so many times as fast as the clock on the wall. */
  readonly clockRate?: number;
};

type Teardown = { teardown(end: () => unknown): void };

export function temporaryDirectory(t: Teardown): string {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-dlq-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Event number `id`, different in every field from its neighbours. */
export function eventOf(id: number, data = `event ${id}`): Event {
  const hashKey = id % 3 === 0 ? id.toString(16).padStart(32, '0') : undefined;
  const firstSeenUs = 1.7e15 + id;
  return { stream: 0, reason: Reason.saturated, attempts: id % 7, firstSeenUs, key: `key${id}`, hashKey, data };
}

/** Data of every length up to two and a half of the blocks of 1 KiB, told by its number. */
export function longDataOf(id: number): string {
  return `${id}:`.padEnd((id * 7_919) % 2_500, String.fromCharCode(97 + (id % 26)));
}

const scratch = 65_536;
const scratchBytes = 2 * 1024 ** 2;

export class Queue {
  readonly dlq: Dlq;
  readonly directory: string;
  /** What was reported since the opening. */
  readonly reports: readonly DlqEvent[];
  /** Events that were booked as dropped, by stream. */
  readonly dropped: readonly number[];
  readonly #arena: Arena;
  #closed = false;
  readonly #journalBlocks: BlockArea;
  #logs: DurableLogs | undefined;

  private constructor(
    dlq: Dlq,
    arena: Arena,
    reports: DlqEvent[],
    dropped: number[],
    journalBlocks: BlockArea,
    directory: string,
  ) {
    this.#journalBlocks = journalBlocks;
    this.directory = directory;
    this.dlq = dlq;
    this.reports = reports;
    this.dropped = dropped;
    this.#arena = arena;
  }

  static async open(t: Teardown, directory: string, options: QueueOptions = {}): Promise<Queue> {
    const {
      blockBytes = 4_096,
      blockCount = 8,
      windowBytes = 64 * 1024,
      windowCount = 2,
      arena: lent,
      clockRate = 1,
      ...given
    } = options;
    const blocks = { offset: scratch + scratchBytes, length: blockBytes, count: blockCount };
    const replayWindows = { offset: blocks.offset + blockBytes * blockCount, length: windowBytes, count: windowCount };
    const journalBlocks = { offset: replayWindows.offset + windowBytes * windowCount, length: 4_096, count: 8 };
    const arena = lent ?? createArena(journalBlocks.offset + journalBlocks.length * journalBlocks.count);
    const reports: DlqEvent[] = [];
    const dropped = [0, 0];
    const dlq = await openDlq({
      directory,
      maxBytes: 1024 ** 3,
      segmentBytes: 1024 ** 2,
      fsync: { kind: 'none' },
      streams: ['orders', 'clicks'],
      eventBytesMax: [scratchBytes, scratchBytes],
      arena,
      blocks,
      replayWindows,
      files: realFiles,
      clock: {
        nowMs: () => Date.now(),
        after: (delayMs, run) => {
          const timer = setTimeout(run, delayMs / clockRate);
          return () => clearTimeout(timer);
        },
      },
      randomWord: () => randomInt(2 ** 32),
      onEvent: (event) => reports.push(event),
      onDropped: (stream, events) => {
        dropped[stream]! += events;
      },
      ...given,
    });
    const queue = new Queue(dlq, arena, reports, dropped, journalBlocks, directory);
    t.teardown(() => queue.close());
    return queue;
  }

  /** Offers one event; what the DLQ answers. */
  offer(event: Event, kind: Kind = Kind.spill): Appended {
    const { hashKey, key, keyLength, dataLength } = this.#write(event);
    return this.dlq.append(
      kind, event.stream, event.reason, event.attempts, event.firstSeenUs,
      key, keyLength, hashKey, key + keyLength, dataLength,
    ); // biome-ignore format: two lines of arguments
  }

  /** Puts an event's bytes into the arena; `hashKey` 0: it has none. */
  #write(event: Event): { hashKey: number; key: number; keyLength: number; dataLength: number } {
    const { buffer } = this.#arena;
    const hashKey = event.hashKey === undefined ? undefined : Buffer.from(event.hashKey, 'hex');
    hashKey?.copy(buffer, scratch);
    const key = scratch + 16;
    const keyLength = buffer.write(event.key, key);
    const dataLength = buffer.write(event.data, key + keyLength, 'latin1');
    return { hashKey: hashKey === undefined ? 0 : scratch, key, keyLength, dataLength };
  }

  /** Opens the journal, of events in these rings. */
  openJournal(rings: JournalOptions['rings'], watch: DurableWatch, given: Partial<JournalOptions> = {}): DurableLogs {
    const options = { maxBytes: 1024 ** 2, commitWindowMs: 0, ...given, blocks: this.#journalBlocks, rings };
    return (this.#logs = this.dlq.openJournal(options, watch));
  }

  /** Offers one event that is in `ring` to the journal; what that answers. */
  offerJournal(event: Event, ring = event.stream): Appended {
    const { hashKey, key, keyLength, dataLength } = this.#write(event);
    return (this.#logs as DurableLogs).journal.append(
      ring, event.stream, event.firstSeenUs, key, keyLength, hashKey, key + keyLength, dataLength,
    ); // biome-ignore format: one line of arguments
  }

  offerBytes(stream: number, key: Uint8Array, data: Uint8Array, kind: Kind = Kind.spill): Appended {
    const { buffer } = this.#arena;
    const [at, us] = [scratch + key.length, Date.now() * 1_000];
    buffer.set(key, scratch);
    buffer.set(data, at);
    return this.dlq.append(kind, stream, Reason.saturated, 0, us, scratch, key.length, 0, at, data.length);
  }

  /** Appends one event, waiting for a free block where it must. Throws when the queue is full. */
  async append(event: Event, kind: Kind = Kind.spill): Promise<void> {
    for (;;) {
      const answer = this.offer(event, kind);
      if (answer === Appended.ok) return;
      if (answer === Appended.full) throw new Error('the queue is full');
      await new Promise<void>((resolve) => this.dlq.whenWritable(resolve));
    }
  }

  /** The entry that a stream's cursor stands on. */
  current(stream = 0): Event {
    const cursor = this.dlq.cursor(stream);
    const { buffer } = this.#arena;
    const text = (offset: number, length: number, encoding: 'utf8' | 'latin1' | 'hex'): string =>
      buffer.toString(encoding, offset, offset + length);
    return {
      stream: cursor.stream,
      reason: cursor.reason,
      attempts: cursor.attempts,
      firstSeenUs: cursor.firstSeenUs,
      key: text(cursor.keyOffset, cursor.keyLength, 'utf8'),
      hashKey: cursor.ehkOffset === 0 ? undefined : text(cursor.ehkOffset, 16, 'hex'),
      data: text(cursor.dataOffset, cursor.dataLength, 'latin1'),
    };
  }

  /** Takes all spills of one stream, or of one after the other, out in the order in which they come. Nothing is checkpointed. */
  async replay(only?: number): Promise<Event[]> {
    const events: Event[] = [];
    for (let stream = only ?? 0; stream <= (only ?? this.dlq.queueCount - 1); stream++) {
      const cursor = this.dlq.cursor(stream);
      while (await cursor.load()) while (cursor.next()) events.push(this.current(stream));
    }
    return events;
  }

  /** Says that all that was taken out is done. */
  checkpoint(): void {
    for (let stream = 0; stream < this.dlq.queueCount; stream++) {
      this.dlq.checkpoint(stream, this.dlq.cursor(stream).handedPosition);
    }
  }

  reported(change: string): DlqEvent[] {
    return this.reports.filter((report) => report.change === change);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.dlq.close();
  }
}
