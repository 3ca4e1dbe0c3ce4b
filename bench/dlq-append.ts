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
import type { FsyncPolicy } from '../src/dlq/options.ts';
import { realFiles } from '../src/edges/files.ts';
import { createArena } from '../src/ring/arena.ts';
import { appending, entryBytesOf } from './dlq-appending.ts';
import { type BenchCase, benchSwitches, measure, printLine, printRow } from './harness.ts';
import { writePlainly } from './plain-writes.ts';

const switches = benchSwitches();
const roundBytes = switches.smoke ? 64 * 1024 : 32 * 1024 * 1024;
const MiB = 1024 * 1024;
const keyBytes = 10;
const memory = createArena(MiB).buffer;

interface Prepared extends BenchCase {
  readonly close: () => Promise<unknown>;
}

/** Events of `dataBytes` data and a key of 10 bytes, through the DLQ. */
async function throughDlq(directory: string, dataBytes: number, fsync: FsyncPolicy): Promise<Prepared> {
  const sizes = { segmentBytes: 64 * MiB, blockBytes: MiB, blocksBytes: 8 * MiB };
  const { append, close } = await appending({ directory, dataBytes, fsync, ...sizes });
  const units = Math.floor(roundBytes / entryBytesOf(dataBytes));
  return { name: 'append', unit: 'event', units, run: () => append(units), close };
}

/** As many bytes as those entries take, in blocks, one after the other. */
async function writing(directory: string, dataBytes: number, fsync: FsyncPolicy): Promise<Prepared> {
  const file = await realFiles.open(join(directory, 'baseline'), 'create');
  const each = entryBytesOf(dataBytes);
  const units = Math.floor(roundBytes / each);
  let position = 0;
  const fsyncMs = fsync.kind === 'interval' ? { fsyncMs: fsync.intervalMs } : {};
  const run = async (): Promise<number> => {
    const length = units * each;
    await writePlainly(file, { memory, from: position, length, blockBytes: MiB, inFlight: 1, ...fsyncMs });
    position += length;
    return units * (keyBytes + dataBytes);
  };
  return { name: 'fs.write', unit: 'event', units, run, close: () => file.close() };
}

const policies: readonly FsyncPolicy[] = [{ kind: 'none' }, { kind: 'interval', intervalMs: 200 }];

for (const dataBytes of [200, 1_000]) {
  for (const fsync of policies) {
    for (const prepare of [throughDlq, writing]) {
      const directory = mkdtempSync(join(tmpdir(), 'spillway-dlq-append-'));
      try {
        const { close, ...benchCase } = await prepare(directory, dataBytes, fsync);
        const policy = fsync.kind === 'interval' ? `${fsync.intervalMs}ms` : fsync.kind;
        const row = await measure(
          { ...benchCase, name: `${benchCase.name} ${dataBytes} B, fsync ${policy}` },
          switches,
        );
        printRow(row, switches);
        const bytes = entryBytesOf(dataBytes);
        if (!switches.json) printLine(`${' '.repeat(40)} ${((bytes / row.wallNs) * 1000).toFixed(0).padStart(8)} MB/s`);
        await close();
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    }
  }
}
