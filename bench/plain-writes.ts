/**
 * Writes bytes to a file as plainly as can be: the baseline of the benchmarks of the DLQ, and of the lane that holds spilling
 * against the disk.
 */
import type { OpenFile } from '../src/edges/files.ts';

export interface PlainWrites {
  /** What is written, over and over; longer than a block. */
  readonly memory: Buffer;
  /** Position of the first byte in the file, and how many there are. */
  readonly from: number;
  readonly length: number;
  readonly blockBytes: number;
  readonly inFlight: number;
  /** fdatasync so often beside the writes, and once at the end; absent: never. */
  readonly fsyncMs?: number;
}

export async function writePlainly(file: OpenFile, plan: PlainWrites): Promise<void> {
  const { memory, from, length, blockBytes, inFlight, fsyncMs } = plan;
  let done = 0;
  let syncing: Promise<void> | undefined;
  let syncedMs = performance.now();
  const writeSome = async (): Promise<void> => {
    while (done < length) {
      const at = done;
      done += blockBytes;
      await file.write(memory, at % memory.length, Math.min(blockBytes, length - at), from + at);
      if (fsyncMs === undefined || syncing !== undefined || performance.now() - syncedMs < fsyncMs) continue;
      syncedMs = performance.now();
      syncing = file.sync().finally(() => {
        syncing = undefined;
      });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, writeSome));
  await syncing;
  if (fsyncMs !== undefined) await file.sync();
}
