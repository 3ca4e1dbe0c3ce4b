/**
 * Would it pay to compress cold segments of the DLQ?
 *
 * ```
 *   real events ─▶ Dlq.append ─▶ a segment of 16 MiB ─▶ gzip 1 · deflate-raw 1 · brotli 1, in Node's zlib ─▶ ratio, CPU
 *                                                    └─▶ and back
 * ```
 *
 * Events are rows of public data (`vega-datasets`) as a sender would wrap them: with an id that is unlike every other, and a time.
 * Small ones are places of some 200 bytes, larger ones reports of earthquakes of some 1,000, none of which comes twice within the
 * reach of a compressor's window. The segment is what the DLQ writes, so entry headers and checksums are in it. What a backlog costs
 * follows from the figures: CPU at the rate at which spills are written (46 MB/s), and of a backlog of 1 GiB, both ways. Of zstd Node
 * knows nothing before 22.15.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateRawSync,
  gunzipSync,
  gzipSync,
  inflateRawSync,
} from 'node:zlib';
import { entryBytes } from '../src/dlq/layout.ts';
import { appending } from './dlq-appending.ts';
import { benchSwitches, cpuSeconds, median, printLine } from './harness.ts';

const switches = benchSwitches();
const MiB = 1024 * 1024;
const segmentBytes = switches.smoke ? 128 * 1024 : 16 * MiB;
const rounds = switches.smoke ? 1 : 3;
/** Spills of events of 200 bytes at 170,000 a second, as the daemon has been seen to write them. */
const spillBytesPerSecond = 46e6;
const backlogBytes = 1024 * MiB;

interface Dataset {
  readonly name: string;
  readonly rows: readonly string[];
}

const dataFile = (name: string): string =>
  readFileSync(new URL(`../data/${name}`, import.meta.resolve('vega-datasets')), 'utf8');

/** Flat objects, without their braces. */
const places = (): string[] => {
  const [head, ...lines] = dataFile('zipcodes.csv').trim().split(/\r?\n/);
  const names = (head as string).split(',');
  return lines.map((line) =>
    line
      .split(',')
      .map((cell, i) => `"${names[i]}":"${cell}"`)
      .join(),
  );
};
const earthquakes = (): string[] => {
  const { features } = JSON.parse(dataFile('earthquakes.json')) as { features: readonly object[] };
  return features.map((feature) => JSON.stringify(feature).slice(1, -1));
};

/** Event `n`, as a sender would wrap a row. */
function eventOf(rows: readonly string[], n: number): Buffer {
  const id = createHash('sha256').update(String(n)).digest('hex').slice(0, 32);
  const at = new Date(1.79e12 + n * 6).toISOString();
  return Buffer.from(`{"id":"${id}","at":"${at}",${rows[n % rows.length]}}`);
}

/** A segment of such events, and what an event takes on average. */
async function segmentOf(rows: readonly string[]): Promise<{ readonly bytes: Buffer; readonly eventBytes: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-dlq-compression-'));
  try {
    const sizes = { segmentBytes: 2 * segmentBytes, blockBytes: MiB, blocksBytes: 4 * MiB };
    let [events, dataBytes, taken] = [0, 0, 0];
    const dataOf = (): Buffer => eventOf(rows, events++);
    const { append, close } = await appending({ directory, dataBytes: 0, dataOf, fsync: { kind: 'none' }, ...sizes });
    while (taken < segmentBytes) {
      const bytes = await append(100);
      dataBytes += bytes;
      taken = dataBytes + events * entryBytes(6, false, 0, 0);
    }
    await close();
    return { bytes: readFileSync(join(directory, 'spill-0000000001.seg')), eventBytes: dataBytes / events };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const brotliQuality = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
const codecs: readonly {
  readonly name: string;
  readonly pack: (bytes: Buffer) => Buffer;
  readonly unpack: (bytes: Buffer) => Buffer;
}[] = [
  { name: 'gzip 1', pack: (bytes) => gzipSync(bytes, { level: 1 }), unpack: (bytes) => gunzipSync(bytes) },
  {
    name: 'deflate-raw 1',
    pack: (bytes) => deflateRawSync(bytes, { level: 1 }),
    unpack: (bytes) => inflateRawSync(bytes),
  },
  {
    name: 'brotli 1',
    pack: (bytes) => brotliCompressSync(bytes, brotliQuality),
    unpack: (bytes) => brotliDecompressSync(bytes),
  },
];

/** CPU seconds of one call, the median of some. */
function cpuOf(run: () => Buffer): { readonly seconds: number; readonly result: Buffer } {
  const seconds: number[] = [];
  let result = run();
  for (let round = 0; round < rounds; round++) {
    const before = cpuSeconds();
    result = run();
    seconds.push(cpuSeconds() - before);
  }
  return { seconds: median(seconds), result };
}

const datasets: readonly Dataset[] = [
  { name: 'places', rows: places() },
  { name: 'earthquakes', rows: earthquakes() },
];

for (const { name, rows } of datasets) {
  const { bytes, eventBytes } = await segmentOf(rows);
  for (const codec of codecs) {
    const packed = cpuOf(() => codec.pack(bytes));
    const unpacked = cpuOf(() => codec.unpack(packed.result));
    if (!unpacked.result.equals(bytes)) throw new Error(`${codec.name} is not lossless`);
    const ratio = bytes.length / packed.result.length;
    const [pack, unpack] = [bytes.length / packed.seconds, bytes.length / unpacked.seconds];
    const coreShare = spillBytesPerSecond / pack;
    const backlogCpu = backlogBytes / pack + backlogBytes / unpack;
    if (switches.json) {
      printLine(
        JSON.stringify({
          name,
          eventBytes,
          codec: codec.name,
          ratio,
          packMBs: pack / 1e6,
          unpackMBs: unpack / 1e6,
          coreShare,
          backlogCpu,
        }),
      );
      continue;
    }
    printLine(
      `${`${name}, events of ${eventBytes.toFixed(0)} B, ${codec.name}`.padEnd(48)} ratio ${ratio.toFixed(2)}   ` +
        `${(pack / 1e6).toFixed(0).padStart(4)} MB/s cpu, back ${(unpack / 1e6).toFixed(0).padStart(4)}   ` +
        `at 46 MB/s ${(100 * coreShare).toFixed(0).padStart(3)} % of a core   1 GiB: ${backlogCpu.toFixed(1)} CPU-s for ${(1 - 1 / ratio).toFixed(2)} GiB`,
    );
  }
}
