/**
 * What does `dlq.encryption_key` cost an event that is spilled, and one that is read back, and how large should a frame be?
 *
 * ```
 *   event ─▶ Dlq.append ─▶ block of 1 MiB ─▶ [frames of 64 KiB: AES-256-GCM] ─▶ write ─▶ segment
 *   segment ─▶ window of 1 MiB ─▶ [frames: AES-256-GCM] ─▶ cursor
 *   64 KiB of a block ─▶ createCipheriv, update, tag ─▶ copy            the same in frames of other sizes
 * ```
 *
 * In clear and encrypted stand beside each other, and take turns in each repetition, so that what else runs on the machine meets both.
 * CPU is that of the whole process. Nothing is synced: a sync costs the same either way. Files lie in the system's temporary directory.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FrameSealer, Keys } from '../src/dlq/encryption.ts';
import { frameOverheadBytes } from '../src/dlq/frames.ts';
import { heapMemory } from '../src/dlq/layout.ts';
import { appending, entryBytesOf } from './dlq-appending.ts';
import { benchSwitches, cpuSeconds, measure, median, printLine, printRow } from './harness.ts';

const switches = benchSwitches();
const MiB = 1024 * 1024;
const roundBytes = switches.smoke ? 64 * 1024 : 32 * MiB;
const rounds = switches.smoke ? 1 : 7;
const key = Buffer.from('the key that is only measured...');

interface Way {
  readonly name: string;
  readonly keys?: Keys;
}

const ways: readonly Way[] = [{ name: 'in clear' }, { name: 'encrypted', keys: new Keys(key) }];

/** CPU nanoseconds per event, appended and read back, of each way: medians of rounds in which they take turns. */
async function compare(dataBytes: number): Promise<void> {
  const events = Math.floor(roundBytes / entryBytesOf(dataBytes));
  const directory = mkdtempSync(join(tmpdir(), 'spillway-dlq-encryption-'));
  try {
    const runs = await Promise.all(
      ways.map(async ({ name, keys }) => {
        const sizes = { segmentBytes: 64 * MiB, blockBytes: MiB, blocksBytes: 8 * MiB };
        const plan = { directory: join(directory, name), dataBytes, fsync: { kind: 'none' as const }, ...sizes };
        const queue = await appending(keys === undefined ? plan : { ...plan, keys });
        return { name, queue, append: [] as number[], replay: [] as number[] };
      }),
    );
    let checksum = 0;
    for (let round = 0; round <= rounds; round++) {
      for (const { queue, append, replay } of runs) {
        const start = cpuSeconds();
        await queue.append(events);
        const between = cpuSeconds();
        checksum += await queue.replay(events);
        // The first round warms up.
        if (round === 0) continue;
        append.push(((between - start) * 1e9) / events);
        replay.push(((cpuSeconds() - between) * 1e9) / events);
      }
    }
    for (const { name, queue, append, replay } of runs) {
      const figures = { append: median(append), replay: median(replay) };
      if (switches.json) printLine(JSON.stringify({ name, dataBytes, ...figures, unit: 'cpu ns/event' }));
      else {
        const of = (what: 'append' | 'replay'): string =>
          `${what} ${figures[what].toFixed(0).padStart(6)} ns/event cpu`;
        printLine(
          `${`${dataBytes} B, ${name}`.padEnd(24)} ${of('append')}   ${of('replay')}   n=${rounds} checksum=${checksum}`,
        );
      }
      await queue.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

for (const dataBytes of [200, 1_000]) await compare(dataBytes);

for (const frameKiB of [0.25, 4, 16, 64, 256, 1024]) {
  const length = frameKiB * 1024;
  const memory = heapMemory(length + frameOverheadBytes);
  const sealer: FrameSealer = new Keys(key).sealer(
    { kind: 1, number: 1, tag: 1 },
    new Keys(key).currentId as number,
    () => 1,
  );
  const run = (): number => sealer.seal(memory, 0, length, 1, 2);
  printRow(
    await measure({ name: `seal a frame of ${frameKiB} KiB`, unit: 'byte', units: length, run }, switches),
    switches,
  );
}
