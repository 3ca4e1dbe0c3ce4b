/**
 * Goes through the events that the segments of a directory hold, in their order, and tells which of them still wait: what the
 * checkpoint covers is done, what stands in two segments counts once. Main thread of a command; never writes. Memory: one window,
 * of 256 KiB at most for headers, and of the largest entry for payloads.
 */
import { join } from 'node:path';
import { toPlainError } from '../base/errors.ts';
import type { Files, OpenFile } from '../edges/files.ts';
import { positionOf } from './checkpoint.ts';
import type { DirectoryView, SegmentFacts } from './directory.ts';
import type { Keys } from './encryption.ts';
import { frameOverheadBytes } from './frames.ts';
import { entry, entryHeaderBytes, heapMemory, Kind, type Memory, padded, payloadBytesMax } from './layout.ts';
import { scanWindow } from './options.ts';
import { type DamageCause, SegmentReader } from './reader.ts';

export type EntryState = 'waiting' | 'done' | 'repeated';

export interface Visitor {
  /** Called between `opened` and `closed` of its segment. False: no more of this segment. */
  entry(memory: Memory, at: number, stream: string, state: EntryState): boolean | undefined;
  damage(segment: SegmentFacts, from: number, to: number, cause: DamageCause): void;
  opened?(segment: SegmentFacts): void;
  /** `failure`: it could not be read to its end. */
  closed?(segment: SegmentFacts, failure: string | undefined): Promise<void> | void;
  /** After each piece that was read, of so many bytes. False: stop. */
  pause?(bytes: number): Promise<boolean>;
}

export interface WalkOptions {
  readonly files: Files;
  readonly directory: string;
  /** Every payload is checked, and can be read by the visitor; otherwise headers and stream names alone. */
  readonly payloads: boolean;
  readonly keys: Keys | undefined;
}

const windowBytesMax = padded(entryHeaderBytes + payloadBytesMax + 8 + frameOverheadBytes);

/** Visits all entries of all segments; false: the visitor had it stopped. */
export async function walk(view: DirectoryView, options: WalkOptions, visitor: Visitor): Promise<boolean> {
  const largest = view.segments.reduce((most, { bytes }) => Math.max(most, bytes), 0);
  const window = options.payloads ? Math.min(windowBytesMax, Math.max(1024, padded(largest))) : scanWindow(largest);
  const pass = { options, visitor, memory: heapMemory(window), states: new States(view), isStopped: false };
  for (const segment of view.segments) {
    if (segment.problem !== undefined) continue;
    visitor.opened?.(segment);
    const failure = await walkSegment(pass, segment);
    await visitor.closed?.(segment, failure);
    if (pass.isStopped) return false;
  }
  return true;
}

interface Pass {
  readonly options: WalkOptions;
  readonly visitor: Visitor;
  readonly memory: Memory;
  readonly states: States;
  isStopped: boolean;
}

/** Why it could not be read to its end. */
async function walkSegment(pass: Pass, segment: SegmentFacts): Promise<string | undefined> {
  const { options } = pass;
  let file: OpenFile | undefined;
  try {
    file = await options.files.open(join(options.directory, segment.name), 'read');
    await walkFile(pass, segment, file);
    return undefined;
  } catch (error) {
    const { code, message } = toPlainError(error);
    // A daemon has removed it since the directory was listed: all of it is done.
    return code === 'ENOENT' ? undefined : message;
  } finally {
    pass.states.leave();
    await file?.close();
  }
}

async function walkFile(pass: Pass, segment: SegmentFacts, file: OpenFile): Promise<void> {
  const { options, visitor, memory, states } = pass;
  const reader = new SegmentReader({
    file,
    memory,
    window: { offset: 0, length: memory.buffer.length },
    limit: segment.bytes,
    tag: segment.tag,
    payloads: options.payloads,
    keys: options.keys,
    onDamage: (from, to, cause) => {
      // A segment that is being written ends in the middle of an entry.
      if (!(segment.isOpen && cause === 'tail')) visitor.damage(segment, from, to, cause);
    },
  });
  let before = 0;
  while (await reader.load()) {
    while (reader.step()) {
      const sequence = entry.sequence(memory, reader.at);
      if (sequence >= segment.clip) return;
      const stream = states.nameAt(memory, reader.at);
      const state = states.of(segment, sequence, stream);
      if (visitor.entry(memory, reader.at, stream, state) === false) return;
    }
    const read = Math.max(before, reader.validEnd);
    if (visitor.pause !== undefined && !(await visitor.pause(read - before))) {
      pass.isStopped = true;
      return;
    }
    before = read;
  }
}

/** What is done, and what was seen before. */
class States {
  readonly #view: DirectoryView;
  readonly #done = new Map<string, number>();
  readonly #names = new Map<string, string>();
  /** By series and stream: the last sequence of the segments before, and of this one. */
  readonly #seen = new Map<string, number>();
  readonly #now = new Map<string, number>();

  constructor(view: DirectoryView) {
    this.#view = view;
  }

  /** The stream's name; kept, since making a text of it for every entry costs more than all the rest. */
  nameAt(memory: Memory, at: number): string {
    const { buffer } = memory;
    const from = entry.nameOffset(at);
    const to = from + entry.nameLength(memory, at);
    const bytes = buffer.toString('latin1', from, to);
    let name = this.#names.get(bytes);
    if (name === undefined) {
      name = buffer.toString('utf8', from, to);
      if (this.#names.size < 10_000) this.#names.set(bytes, name);
    }
    return name;
  }

  of({ kind }: SegmentFacts, sequence: number, stream: string): EntryState {
    if (kind !== Kind.dead && sequence <= this.#doneOf(stream)) return 'done';
    const key = `${kind} ${stream}`;
    if (sequence <= (this.#seen.get(key) ?? 0)) return 'repeated';
    this.#now.set(key, sequence);
    return 'waiting';
  }

  /** The segment was left. */
  leave(): void {
    for (const [key, sequence] of this.#now) this.#seen.set(key, sequence);
    this.#now.clear();
  }

  #doneOf(stream: string): number {
    let done = this.#done.get(stream);
    if (done === undefined) {
      done = positionOf(this.#view.positions, stream);
      if (this.#done.size < 10_000) this.#done.set(stream, done);
    }
    return done;
  }
}
