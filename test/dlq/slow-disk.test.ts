import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Dlq, openDlq } from '../../src/dlq/dlq.ts';
import { Kind } from '../../src/dlq/layout.ts';
import { checkpointMs, type DlqEvent, lingerMs } from '../../src/dlq/options.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { Appended } from '../../src/dlq/series.ts';
import { type Files, realFiles } from '../../src/edges/files.ts';
import { createArena } from '../../src/ring/arena.ts';

const blockBytes = 16_384;
const blockCount = 4;
const windowOffset = 65_536;
const blocksOffset = windowOffset + 65_536;
const eventOffset = blocksOffset + blockCount * blockBytes;

const eventBytes = { keyLength: 3, dataLength: 9 };

function open(directory: string, files: Files, onEvent: (event: DlqEvent) => void = () => {}): Promise<Dlq> {
  const arena = createArena(eventOffset + 65_536);
  arena.buffer.write('key and data', eventOffset);
  return openDlq({
    directory,
    maxBytes: 2 ** 24,
    segmentBytes: 2 ** 22,
    fsync: { kind: 'interval', intervalMs: 50 },
    arena,
    blocks: { offset: blocksOffset, length: blockBytes, count: blockCount },
    replayWindows: { offset: windowOffset, length: 65_536, count: 1 },
    streams: ['orders'],
    files,
    clock: {
      nowMs: () => Date.now(),
      after: (delayMs, run) => {
        const timer = setTimeout(run, delayMs);
        return () => clearTimeout(timer);
      },
    },
    randomWord: () => 7,
    onEvent,
    eventBytesMax: [1_024],
    onDropped: () => {},
  });
}

function append(dlq: Dlq): Appended {
  const { keyLength, dataLength } = eventBytes;
  const dataOffset = eventOffset + keyLength;
  return dlq.append(Kind.spill, 0, Reason.streamOpen, 0, 1, eventOffset, keyLength, 0, dataOffset, dataLength);
}

function temporaryDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-test-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The real file system, but for writes of events, which wait until they are let go. */
function stalledFiles(): { files: Files; letGo: () => void } {
  let letGo = (): void => {};
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const files: Files = {
    ...realFiles,
    open: async (path, purpose) => {
      const file = await realFiles.open(path, purpose);
      const write = file.write.bind(file);
      file.write = async (buffer, offset, length, position) => {
        if (position > 0) await gate;
        await write(buffer, offset, length, position);
      };
      return file;
    },
  };
  return { files, letGo };
}

t.test('while the disk takes nothing, events fill the blocks that there are, however slowly they come', async (t) => {
  const { files, letGo } = stalledFiles();
  const dlq = await open(temporaryDirectory(t), files);
  // One event for each linger: three times as many as there are blocks.
  for (let event = 0; event < 3 * blockCount; event++) {
    t.equal(append(dlq), Appended.ok, `event ${event}`);
    await pause(1.5 * lingerMs);
  }
  letGo();
  await dlq.flush();
  t.equal(dlq.spilledEvents(0), 3 * blockCount);
  t.equal(await dlq.close(), true);
});

t.test('on a disk that is slower than its interval, checkpoints are written one after the other', async (t) => {
  let atOnce = 0;
  let most = 0;
  const files: Files = {
    ...realFiles,
    rename: async (from, to) => {
      most = Math.max(most, ++atOnce);
      await pause(2.5 * checkpointMs);
      await realFiles.rename(from, to);
      atOnce--;
    },
  };
  const changes: string[] = [];
  const dlq = await open(temporaryDirectory(t), files, ({ change }) => changes.push(change));
  for (let event = 0; event < 10; event++) append(dlq);
  await dlq.flush();
  const cursor = dlq.cursor(0);
  t.equal(await cursor.load(), true);
  while (cursor.next()) {
    dlq.checkpoint(0, cursor.position);
    await pause(checkpointMs / 2);
  }
  t.equal(await dlq.close(), true);
  t.equal(most, 1);
  t.notOk(changes.includes('checkpoint_failed'));
});
