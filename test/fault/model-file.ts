/**
 * One file of the model disk: what a reader sees now, and what a power cut would leave. Test processes only; pure.
 *
 * ```
 *   write ─▶ current bytes (what read gives, what a killed process leaves)
 *     └────▶ pending: changes since the last sync ── sync ──▶ durable bytes
 *                          │
 *                          ├─ a power cut keeps some of their sectors, in any order, and some of the lengths
 *                          └─ a failed sync forgets them: the next sync reports success and has not saved them
 * ```
 */
import type { RandomSequence } from '../../src/simulator/random-sequence.ts';

/** A disk writes so many bytes whole or not at all. */
export const sectorBytes = 512;

/** How a power cut picks what it keeps of what was not synced. */
export const powerCuts = ['nothing', 'prefix', 'subset', 'suffix', 'lengths', 'stale'] as const;
export type PowerCut = (typeof powerCuts)[number];

interface Change {
  /** End of the file after it, if it grew to there, or was cut to there. */
  readonly end: number;
  readonly isCut: boolean;
  readonly position: number;
  readonly bytes: Uint8Array;
}

export class ModelFile {
  #bytes: Uint8Array;
  #length: number;
  #durable: Uint8Array;
  #pending: Change[] = [];
  isOpen = 0;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = bytes;
    this.#length = bytes.length;
    this.#durable = bytes;
  }

  get length(): number {
    return this.#length;
  }

  /** What a reader of the whole file gets. */
  get current(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  read(into: Uint8Array, offset: number, length: number, position: number): number {
    const end = Math.min(this.#length, position + length);
    if (end <= position) return 0;
    into.set(this.#bytes.subarray(position, end), offset);
    return end - position;
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    if (position > this.#length) this.#bytes.fill(0, this.#length, position);
    this.#bytes.set(bytes, position);
    this.#length = Math.max(this.#length, end);
    this.#pending.push({ end, isCut: false, position, bytes: new Uint8Array(bytes) });
  }

  cut(length: number): void {
    const before = this.#length;
    if (length > this.#bytes.length) this.write(new Uint8Array(length - before), before);
    this.#bytes = this.#bytes.slice(0, length);
    this.#length = length;
    this.#pending.push({ end: length, isCut: true, position: length, bytes: new Uint8Array(0) });
  }

  sync(): void {
    this.#durable = this.#pending.reduce(applied, this.#durable);
    this.#pending = [];
  }

  /** The last write is on disk; what was written before it need not be. */
  syncLast(): void {
    const last = this.#pending.pop();
    if (last !== undefined) this.#durable = applied(this.#durable, last);
  }

  /** Some sectors may have come to the disk; the others never will. */
  failSync(random: RandomSequence): void {
    this.#durable = this.#pending
      .flatMap(sectorsOf)
      .filter(() => random.next() < 0.5)
      .reduce(applied, this.#durable);
    this.#pending = [];
  }

  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  /** What is there after a power cut. */
  afterPowerCut(how: PowerCut, random: RandomSequence): Uint8Array {
    const sectors = this.#pending.flatMap(sectorsOf);
    const at = random.below(sectors.length + 1);
    switch (how) {
      case 'nothing':
        return this.#durable;
      case 'prefix':
        return sectors.slice(0, at).reduce(applied, this.#durable);
      case 'suffix':
        return sectors.slice(at).reduce(applied, this.#durable);
      case 'subset':
        return sectors.filter(() => random.next() < 0.5).reduce(applied, this.#durable);
      case 'lengths':
        return padded(this.#durable, this.#length, () => 0);
      case 'stale':
        return sectors
          .filter(() => random.next() < 0.5)
          .reduce(
            applied,
            padded(this.#durable, this.#length, () => random.below(256)),
          );
    }
  }
}

function applied(bytes: Uint8Array, { end, isCut, position, bytes: change }: Change): Uint8Array {
  if (isCut) return bytes.slice(0, end);
  const result = new Uint8Array(Math.max(bytes.length, end));
  result.set(bytes);
  result.set(change, position);
  return result;
}

/** A change as the disk makes it: sector by sector. */
function sectorsOf(change: Change): Change[] {
  if (change.isCut) return [change];
  const sectors: Change[] = [];
  const { position, bytes } = change;
  for (let at = position; at < position + bytes.length; ) {
    const end = Math.min(position + bytes.length, (Math.floor(at / sectorBytes) + 1) * sectorBytes);
    sectors.push({ end, isCut: false, position: at, bytes: bytes.subarray(at - position, end - position) });
    at = end;
  }
  return sectors;
}

/** The bytes, longer where the file is: the file system had noted the length, and not written what stands there. */
function padded(bytes: Uint8Array, length: number, fill: () => number): Uint8Array {
  if (length <= bytes.length) return bytes;
  const result = new Uint8Array(length);
  for (let i = bytes.length; i < length; i++) result[i] = fill();
  result.set(bytes);
  return result;
}
