/**
 * What does an event cost that is appended to the DLQ, and how fast can they come?
 *
 * ```
 *   event in the arena ─▶ Dlq.append: header, copy, two CRCs ─▶ blocks of 1 MiB ─▶ write ─▶ segments of 64 MiB ─▶ fdatasync
 *   the same bytes, laid out once ────────────────────────────▶ blocks of 1 MiB ─▶ write ─▶ one file ───────────▶ fdatasync
 * ```
 *
 * The second is the baseline: what the file system and the disk alone take. Both write a round of the same size, wait until
 * all of it is written, and, with an fsync policy, synced; CPU is that of the whole process, the thread pool of the file system
 * included. MB/s are 10^6 bytes of entries, headers and all, by the wall clock: of the page cache where nothing is synced. The
 * files lie in the system's temporary directory and are removed as soon as a case is done.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDlq } from '../src/dlq/dlq.ts';
import { entryBytes, Kind } from '../src/dlq/layout.ts';
import type { FsyncPolicy } from '../src/dlq/options.ts';
import { Reason } from '../src/dlq/reasons.ts';
import { Appended } from '../src/dlq/series.ts';
import { realFiles } from '../src/edges/files.ts';
import { createArena } from '../src/ring/arena.ts';
import { type BenchCase, benchSwitches, measure, printLine, printRow } from './harness.ts';

const switches = benchSwitches();
const roundBytes = switches.smoke ? 64 * 1024 : 32 * 1024 * 1024;
const MiB = 1024 * 1024;
const stream = 'orders';
const keyBytes = 10;
const keyOffset = 65_536;
const blocks = { offset: MiB, length: MiB, count: 8 };
const replayWindows = { offset: 9 * MiB, length: MiB, count: 1 };
const arena = createArena(10 * MiB);
arena.buffer.fill(0x78, keyOffset, keyOffset + 4_096);

interface Prepared extends BenchCase {
  readonly close: () => Promise<unknown>;
}

/** Events of `dataBytes` data and a key of 10 bytes, through the DLQ. */
async function appending(directory: string, dataBytes: number, fsync: FsyncPolicy): Promise<Prepared> {
  const dlq = await openDlq({
    directory,
    maxBytes: 2 ** 43,
    segmentBytes: 64 * MiB,
    fsync,
    arena,
    blocks,
    replayWindows,
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
  const units = Math.floor(roundBytes / entryBytes(stream.length, false, keyBytes, dataBytes));
  const dataOffset = keyOffset + keyBytes;
  const run = async (): Promise<number> => {
    const before = dlq.holdings(0).bytes;
    for (let event = 0; event < units; ) {
      const { spill } = Kind;
      const answer = dlq.append(spill, 0, Reason.saturated, 0, 1, keyOffset, keyBytes, 0, dataOffset, dataBytes);
      if (answer === Appended.ok) event++;
      else if (answer === Appended.busy) await new Promise<void>((resolve) => dlq.whenWritable(resolve));
      else throw new Error('the disk is full or failing');
    }
    if (!(await dlq.flush())) throw new Error('the disk is failing');
    return dlq.holdings(0).bytes - before;
  };
  return { name: 'append', unit: 'event', units, run, close: () => dlq.close() };
}

/** As many bytes as those entries take, in blocks, one after the other. */
async function writing(directory: string, dataBytes: number, fsync: FsyncPolicy): Promise<Prepared> {
  const file = await realFiles.open(join(directory, 'baseline'), 'create');
  const each = entryBytes(stream.length, false, keyBytes, dataBytes);
  const units = Math.floor(roundBytes / each);
  let position = 0;
  const run = async (): Promise<number> => {
    let syncedMs = performance.now();
    for (let left = units * each; left > 0; ) {
      const length = Math.min(left, blocks.length);
      await file.write(arena.buffer, blocks.offset, length, position);
      position += length;
      left -= length;
      if (fsync.kind !== 'interval' || performance.now() - syncedMs < fsync.intervalMs) continue;
      await file.sync();
      syncedMs = performance.now();
    }
    if (fsync.kind !== 'none') await file.sync();
    return units * (keyBytes + dataBytes);
  };
  return { name: 'fs.write', unit: 'event', units, run, close: () => file.close() };
}

const policies: readonly FsyncPolicy[] = [{ kind: 'none' }, { kind: 'interval', intervalMs: 200 }];

for (const dataBytes of [200, 1_000]) {
  for (const fsync of policies) {
    for (const prepare of [appending, writing]) {
      const directory = mkdtempSync(join(tmpdir(), 'spillway-dlq-append-'));
      try {
        const { close, ...benchCase } = await prepare(directory, dataBytes, fsync);
        const policy = fsync.kind === 'interval' ? `${fsync.intervalMs}ms` : fsync.kind;
        const row = await measure(
          { ...benchCase, name: `${benchCase.name} ${dataBytes} B, fsync ${policy}` },
          switches,
        );
        printRow(row, switches);
        const bytes = entryBytes(stream.length, false, keyBytes, dataBytes);
        if (!switches.json) printLine(`${' '.repeat(40)} ${((bytes / row.wallNs) * 1000).toFixed(0).padStart(8)} MB/s`);
        await close();
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    }
  }
}
