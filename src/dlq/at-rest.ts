/**
 * The DLQ of a daemon that does not run, opened for a command that changes it. Main thread of that command, which has the lock of
 * the state directory. It is opened as a start of the daemon would open it, so damage is quarantined and what is done removed; but
 * nothing is replayed, and no limit holds.
 */
import type { Files } from '../edges/files.ts';
import { createArena } from '../ring/arena.ts';
import { type Dlq, openDlq } from './dlq.ts';
import type { Keys } from './encryption.ts';
import { payloadBytesMax, streamNameBytesMax } from './layout.ts';
import type { DlqClock, DlqEvent } from './options.ts';

const mebibyte = 1024 ** 2;
/** As much as the largest entry, in blocks that are worth a write each. */
const blocks = { offset: 65_536, length: 2 * mebibyte, count: 13 };
const windows = { offset: blocks.offset + blocks.length * blocks.count, length: 25 * mebibyte, count: 1 };

export interface AtRestOptions {
  readonly directory: string;
  readonly files: Files;
  readonly clock: DlqClock;
  readonly randomWord: () => number;
  readonly keys: Keys | undefined;
  /** Names of all streams of which there are events. */
  readonly streams: readonly string[];
  readonly onEvent: (event: DlqEvent) => void;
}

export function openAtRest(options: AtRestOptions): Promise<Dlq> {
  const streams = options.streams.filter((name) => name !== '' && Buffer.byteLength(name) <= streamNameBytesMax);
  return openDlq({
    ...options,
    streams,
    maxBytes: Number.MAX_SAFE_INTEGER,
    // Nothing is kept back by a command that ends soon.
    reserveBytes: 0,
    segmentBytes: 64 * mebibyte,
    fsync: { kind: 'interval', intervalMs: 200 },
    arena: createArena(windows.offset + windows.length),
    blocks,
    replayWindows: windows,
    eventBytesMax: streams.map(() => payloadBytesMax),
    onDropped: () => undefined,
  });
}
