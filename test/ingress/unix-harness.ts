/**
 * A unix listener on a temporary path with a recording intake behind it, and raw senders in front. Everything it makes is gone
 * after the test.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import files from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Framer } from '../../src/ingress/framer.ts';
import { createFrameFramer } from '../../src/ingress/frames.ts';
import { compileKeyPath, KeyFinder } from '../../src/ingress/json-key.ts';
import { LineFramer, type MissingKey } from '../../src/ingress/lines.ts';
import { listenUnix } from '../../src/ingress/unix.ts';
import type { UnixListener, UnixListenerOptions } from '../../src/ingress/unix-options.ts';
import { type Arena, createArena } from '../../src/ring/arena.ts';
import { listening, type Told } from './feeding.ts';
import { landingOf, type RecordingIntake, recordingIntake } from './recording-intake.ts';

const blank = 0x20;

export function temporaryDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface Bench {
  readonly path: string;
  readonly intake: RecordingIntake;
  readonly listener: UnixListener;
}

export interface BenchOptions extends Partial<UnixListenerOptions> {
  readonly eventBytesMax?: number;
  readonly carryRoomBytes?: number;
  readonly readBytes?: number;
  /** Lines as the daemon reads them; absent: {@link WordFramer}. */
  readonly lines?: LineRules;
}

export interface LineRules {
  readonly keyField?: string;
  readonly missingKey?: MissingKey;
  readonly lineBytesMax?: number;
}

/** Where test arenas of a megabyte have room for a key's scratch: behind every landing zone of a test. */
export const scratchOffset = 786_432;

export function keyFinderFor(arena: Arena, keyField: string | undefined): KeyFinder | undefined {
  return keyField === undefined ? undefined : new KeyFinder(arena.bytes, scratchOffset, compileKeyPath(keyField));
}

export async function listenForTest(t: Test, options: BenchOptions = {}): Promise<Bench> {
  const { carryRoomBytes = 65_536, readBytes = 65_536, eventBytesMax = 60_000, lines } = options;
  const arena = createArena(1 << 20);
  const landing = landingOf(carryRoomBytes, readBytes);
  const intake = recordingIntake(arena, { eventBytesMax });
  const path = options.path ?? join(temporaryDirectory(t), 'spillway.sock');
  const listener = await listenUnix({
    path,
    mode: 0o600,
    arena,
    landing,
    intake,
    nowUs: () => 1,
    files,
    createFrameFramer: () => createFrameFramer({ arena, intake, defaultStream: 0, carryBytesMax: carryRoomBytes }),
    createLineFramer: () => (lines === undefined ? new WordFramer(arena, intake) : lineFramer(arena, intake, lines)),
    connectionsMax: 16,
    carryBytesMax: 1 << 20,
    idleTimeoutMs: 30_000,
    stallTimeoutMs: 0,
    letGoAfterMs: 0,
    onLetGo: () => {},
    leaveMs: 5_000,
    ...options,
  });
  t.teardown(() => listener.close({ drainMs: 0 }));
  return { path, intake, listener };
}

function lineFramer(arena: Arena, intake: RecordingIntake, rules: LineRules): LineFramer {
  const { keyField, missingKey = 'random', lineBytesMax = 60_000 } = rules;
  const keyFinder = keyFinderFor(arena, keyField);
  return new LineFramer({ arena, intake, stream: 0, keyFinder, missingKey, lineBytesMax });
}

/**
 * Lines, as simple as they can be: the whole line is the data. Answers each read with `ok` and the count so far. A last line
 * of one blank is not taken.
 */
class WordFramer implements Framer {
  readonly stream = 0;
  readonly blocked = false;
  readonly failed = false;
  offered = 0;
  #told = 0;
  readonly #arena: Arena;
  readonly #intake: RecordingIntake;

  constructor(arena: Arena, intake: RecordingIntake) {
    this.#arena = arena;
    this.#intake = intake;
  }

  consume(start: number, end: number): number {
    let from = start;
    for (;;) {
      const newline = this.#arena.bytes.indexOf(0x0a, from);
      if (newline < 0 || newline >= end) return from;
      this.#offer(from, newline);
      from = newline + 1;
    }
  }

  finish(start: number, end: number): number {
    const from = this.consume(start, end);
    if (end - from === 1 && this.#arena.bytes[from] === blank) return from;
    if (from < end) this.#offer(from, end);
    return end;
  }

  takeAnswer(): Buffer | undefined {
    if (this.#told === this.offered) return undefined;
    this.#told = this.offered;
    return Buffer.from(`ok ${this.offered}\n`);
  }

  #offer(start: number, end: number): void {
    this.#intake.offer(0, start, 1, start, end - start, 0, 1);
    this.offered += 1;
  }
}

/** A sender that writes what it is told to, and keeps all it hears. */
export class RawSender {
  readonly socket: Socket;
  readonly #listening = listening();
  readonly #chunks: Buffer[] = [];
  readonly closed: Promise<void>;
  ended = false;
  #heard: (() => void) | undefined;

  /** `address`: a socket's path, or a port of this host. `frames`: whether what comes back is read as answers, or as text. */
  constructor(address: string | number, frames = true) {
    const to = typeof address === 'string' ? { path: address } : { host: '127.0.0.1', port: address };
    this.socket = createConnection({ ...to, allowHalfOpen: true });
    this.socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      if (frames) this.#listening.push(chunk);
      this.#heard?.();
    });
    this.socket.on('end', () => {
      this.ended = true;
      this.#heard?.();
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    void this.closed.then(() => this.#heard?.());
  }

  get told(): Told {
    return this.#listening.told;
  }
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
  get text(): string {
    return this.bytes.toString();
  }

  /** Resolves when the daemon has ended its side. */
  end(): Promise<void> {
    return this.#when(() => this.ended);
  }

  /** Resolves when `condition` holds; looked at whenever something is heard. */
  async until(condition: () => boolean): Promise<void> {
    await this.#when(() => condition() || this.ended);
    if (!condition()) throw new Error('the connection ended before the condition held');
  }

  async #when(condition: () => boolean): Promise<void> {
    while (!condition() && !this.socket.destroyed) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }
}

/** Resolves when `condition` holds; looked at once per turn of the event loop. The test's timeout bounds it. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
