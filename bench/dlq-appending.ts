/**
 * Appends events to a real DLQ in a directory of its own, as fast as it takes them: the part that the benchmarks of the DLQ share.
 */
import { openDlq } from '../src/dlq/dlq.ts';
import type { Keys } from '../src/dlq/encryption.ts';
import { entryBytes, Kind } from '../src/dlq/layout.ts';
import type { FsyncPolicy } from '../src/dlq/options.ts';
import { Reason } from '../src/dlq/reasons.ts';
import { Appended } from '../src/dlq/series.ts';
import { realFiles } from '../src/edges/files.ts';
import { createArena } from '../src/ring/arena.ts';

const MiB = 1024 * 1024;
const stream = 'orders';
const keyBytes = 10;
const eventOffset = 65_536;

/** Bytes that an event of `dataBytes` takes in a segment. */
export function entryBytesOf(dataBytes: number): number {
  return entryBytes(stream.length, false, keyBytes, dataBytes);
}

export interface AppendingPlan {
  readonly directory: string;
  readonly dataBytes: number;
  /** The data of the next event, instead of so many equal bytes. */
  readonly dataOf?: () => Uint8Array;
  readonly fsync: FsyncPolicy;
  readonly segmentBytes: number;
  readonly blockBytes: number;
  /** Of all blocks together. */
  readonly blocksBytes: number;
  readonly keys?: Keys;
}

export interface Appending {
  /** Appends so many events and waits until they are as durable as the policy makes them; returns bytes of data and keys. */
  readonly append: (events: number) => Promise<number>;
  /** Reads so many of them back, in their order; returns bytes of data and keys. */
  readonly replay: (events: number) => Promise<number>;
  readonly close: () => Promise<unknown>;
}

export async function appending(plan: AppendingPlan): Promise<Appending> {
  const { directory, dataBytes, fsync, segmentBytes, blockBytes, blocksBytes, keys, dataOf } = plan;
  const arena = createArena(2 * MiB + blocksBytes);
  arena.buffer.fill(0x78, eventOffset, eventOffset + 4_096);
  const dlq = await openDlq({
    directory,
    maxBytes: 2 ** 43,
    segmentBytes,
    fsync,
    keys,
    arena,
    blocks: { offset: 2 * MiB, length: blockBytes, count: Math.floor(blocksBytes / blockBytes) },
    replayWindows: { offset: MiB, length: MiB, count: 1 },
    eventBytesMax: [MiB],
    streams: [stream],
    files: realFiles,
    clock: {
      nowMs: () => Date.now(),
      after: (delayMs, run) => {
        const timer = setTimeout(run, delayMs);
        return () => clearTimeout(timer);
      },
    },
    randomWord: () => 1,
    onEvent: () => undefined,
    onDropped: () => undefined,
  });
  const dataOffset = eventOffset + keyBytes;
  const append = async (events: number): Promise<number> => {
    const before = dlq.holdings(0).bytes;
    let length = dataBytes;
    for (let event = 0, isNew = true; event < events; ) {
      const { spill } = Kind;
      if (dataOf !== undefined && isNew) {
        const data = dataOf();
        arena.buffer.set(data, dataOffset);
        length = data.length;
      }
      const answer = dlq.append(spill, 0, Reason.saturated, 0, 1, eventOffset, keyBytes, 0, dataOffset, length);
      isNew = answer === Appended.ok;
      if (answer === Appended.ok) event++;
      else if (answer === Appended.busy) await new Promise<void>((resolve) => dlq.whenWritable(resolve));
      else throw new Error('the disk is full or failing');
    }
    if (!(await dlq.flush())) throw new Error('the disk is failing');
    return dlq.holdings(0).bytes - before;
  };
  const replay = async (events: number): Promise<number> => {
    const cursor = dlq.cursor(0);
    let bytes = 0;
    for (let event = 0; event < events; ) {
      if (!(await cursor.load())) throw new Error('there are no more events');
      while (event < events && cursor.next()) {
        bytes += cursor.keyLength + cursor.dataLength;
        event++;
      }
      dlq.checkpoint(0, cursor.position);
      cursor.release();
    }
    return bytes;
  };
  return { append, replay, close: () => dlq.close() };
}
