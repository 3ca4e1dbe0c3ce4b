/**
 * How should segments be written: in files and blocks of which size, how many writes at a time, into a file that has its size
 * already or not? And how near does the DLQ come to the disk?
 *
 * ```
 *   a block of memory ─▶ 1, 2 or 4 writes in flight ─▶ files of 16 to 256 MiB: growing | of their size | zeroed ahead ─▶ fdatasync
 *   events of 1 KB ────▶ Dlq.append ─▶ blocks, one write in flight ─▶ segments ───────────────────────────────────────▶ fdatasync
 * ```
 *
 * The plain sequential write is the baseline of its round: 1 MiB at a time, one in flight, into one growing file. All variants of
 * a round write as many bytes, one after the other, in an order in which each round gives each of them another neighbour; a row is the median of its rounds, and
 * the share is that of the baseline in the same round. fdatasync every 200 ms beside the writes, as `dlq.fsync` has it, and once
 * at the end. The files lie in the system's temporary directory, which must be on the disk in question.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert } from '../src/base/assert.ts';
import { type OpenFile, realFiles } from '../src/edges/files.ts';
import { appending, entryBytesOf } from './dlq-appending.ts';
import { benchSwitches, median, printLine } from './harness.ts';
import { writePlainly } from './plain-writes.ts';

const switches = benchSwitches();
const MiB = 1024 * 1024;
const bytes = switches.smoke ? 2 * MiB : 256 * MiB;
const rounds = switches.smoke ? 1 : 5;
const fsyncMs = 200;
const memory = Buffer.from(new SharedArrayBuffer(16 * MiB)).fill(0x78);

interface Plain {
  readonly kind: 'plain';
  readonly fileBytes: number;
  readonly blockBytes: number;
  readonly inFlight: number;
  readonly ahead: 'none' | 'ftruncate' | 'zeros';
}

interface Spilling {
  readonly kind: 'dlq';
  readonly fileBytes: number;
  readonly blockBytes: number;
}

type Variant = Plain | Spilling;

const baseline: Plain = { kind: 'plain', fileBytes: 2 ** 40, blockBytes: MiB, inFlight: 1, ahead: 'none' };
const segment: Plain = { ...baseline, fileBytes: 64 * MiB };
const spilling: Spilling = { kind: 'dlq', fileBytes: 64 * MiB, blockBytes: MiB };
const variants: readonly Variant[] = [
  baseline,
  ...[64 * 1024, 256 * 1024, 4 * MiB].map((blockBytes) => ({ ...baseline, blockBytes })),
  ...[2, 4].map((inFlight) => ({ ...baseline, inFlight })),
  ...[16 * MiB, 64 * MiB, 256 * MiB].map((fileBytes) => ({ ...baseline, fileBytes })),
  { ...segment, ahead: 'ftruncate' },
  { ...segment, ahead: 'zeros' },
  spilling,
  ...[256 * 1024, 512 * 1024, 2 * MiB].map((blockBytes) => ({ ...spilling, blockBytes })),
  ...[16 * MiB, 256 * MiB].map((fileBytes) => ({ ...spilling, fileBytes })),
];

function nameOf(variant: Variant): string {
  const size = (count: number): string => (count >= MiB ? `${count / MiB} MiB` : `${count / 1024} KiB`);
  const files = variant.fileBytes === baseline.fileBytes ? 'one file' : `files of ${size(variant.fileBytes)}`;
  const blocks = `blocks of ${size(variant.blockBytes)}`;
  if (variant.kind === 'dlq') return `dlq: ${files}, ${blocks}`;
  const ahead = { none: '', ftruncate: ', ftruncate ahead', zeros: ', zeros ahead' }[variant.ahead];
  return `plain: ${files}, ${blocks}, ${variant.inFlight} in flight${ahead}`;
}

/** Writes all bytes as the variant says, into files of `directory`. */
async function writePlain(directory: string, { fileBytes, blockBytes, inFlight, ahead }: Plain): Promise<void> {
  for (let start = 0, number = 0; start < bytes; start += fileBytes, number++) {
    const end = Math.min(bytes - start, fileBytes);
    const file = await realFiles.open(join(directory, `${number}`), 'create');
    if (ahead === 'ftruncate') await file.truncate(end);
    if (ahead === 'zeros') await writeZeros(file, end);
    await writePlainly(file, { memory, from: 0, length: end, blockBytes, inFlight, fsyncMs });
    await file.close();
  }
}

async function writeZeros(file: OpenFile, length: number): Promise<void> {
  const zeros = Buffer.alloc(MiB);
  for (let position = 0; position < length; position += MiB) {
    await file.write(zeros, 0, Math.min(MiB, length - position), position);
  }
  await file.sync();
}

async function spill(directory: string, { fileBytes, blockBytes }: Spilling): Promise<void> {
  const dataBytes = 1_000;
  const fsync = { kind: 'interval', intervalMs: fsyncMs } as const;
  const plan = { directory, dataBytes, fsync, segmentBytes: fileBytes, blockBytes, blocksBytes: 8 * MiB };
  const { append, close } = await appending(plan);
  await append(Math.floor(bytes / entryBytesOf(dataBytes)));
  await close();
}

/** Bytes a second of one variant, from an empty directory to the last sync. */
async function rate(variant: Variant): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-disk-writes-'));
  try {
    const startMs = performance.now();
    if (variant.kind === 'plain') await writePlain(directory, variant);
    else await spill(directory, variant);
    return (1000 * bytes) / (performance.now() - startMs);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

assert(variants.length === 17, 'a prime number: any stride comes to all of them');
const rates = variants.map((): number[] => []);
for (let round = 0; round < rounds; round++) {
  for (let turn = 0; turn < variants.length; turn++) {
    const index = (turn * (round + 1)) % variants.length;
    rates[index]?.push(await rate(variants[index] as Variant));
  }
}
variants.forEach((variant, index) => {
  const own = rates[index] as number[];
  const name = nameOf(variant);
  const mbPerSecond = median(own) / 1e6;
  const share = median(own.map((value, round) => value / ((rates[0] as number[])[round] as number)));
  if (switches.json) printLine(JSON.stringify({ name, mbPerSecond, share, rounds }));
  else
    printLine(
      `${name.padEnd(72)} ${mbPerSecond.toFixed(0).padStart(6)} MB/s ${(100 * share).toFixed(0).padStart(5)} %`,
    );
});
printLine(switches.json ? JSON.stringify({ checksum: bytes }) : `checksum=${bytes * variants.length}`);
