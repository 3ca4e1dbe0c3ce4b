/**
 * MD5 of up to eight aggregates at a time, each written behind its message, whose padding needs 72 bytes there before. Lane
 * worker; called by the aggregator when a group of aggregates is complete. The messages may differ in length: while the longest goes on, the others' registers idle.
 */
import { hash } from 'node:crypto';
import { assert } from '../base/assert.ts';
import { md5ScratchBytes } from '../base/limits.ts';
import type { Arena } from '../ring/arena.ts';
import { assemble } from './wasm/assembler.ts';
import { blockBytes, md5Kernel, setBytes, stateOffset } from './wasm/md5-kernel.ts';

/** Messages of one call at the most. */
export const groupMax = 8;

assert(md5ScratchBytes === stateOffset + 2 * setBytes, 'the plan of the arena knows what the kernels need');

const lengthBytes = 8;
const initialState = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const;

type Kernel = (...pointersBlocksScratch: number[]) => void;
type Eight = [number, number, number, number, number, number, number, number];

export class Md5Group {
  readonly #arena: Arena;
  readonly #scratch: number;
  readonly #four: Kernel;
  readonly #eight: Kernel;
  readonly #starts = Array.from({ length: groupMax }, () => 0);
  readonly #ends = Array.from({ length: groupMax }, () => 0);
  readonly #blocks = Array.from({ length: groupMax }, () => 0);
  #count = 0;

  /** `scratch`: {@link md5ScratchBytes} of the arena, aligned to 4. */
  constructor(arena: Arena, scratch: number) {
    this.#arena = arena;
    this.#scratch = scratch;
    const kernels = assemble([md5Kernel('four', 1), md5Kernel('eight', 2)], arena.memory);
    this.#four = kernels['four'] as Kernel;
    this.#eight = kernels['eight'] as Kernel;
    // RFC 1321: the integer part of 2^32 times abs(sin(i)).
    for (let i = 0; i < 64; i++) arena.words[(scratch >>> 2) + i] = Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1)));
  }

  /** Enters the message `[start, end)`; its digest will stand at `end`. At most {@link groupMax} until {@link digest}. */
  add(start: number, end: number): void {
    assert(this.#count < groupMax, 'the group has room');
    this.#starts[this.#count] = start;
    this.#ends[this.#count++] = end;
  }

  /** Writes the digest of each message behind it, and is empty then. */
  digest(): void {
    const count = this.#count;
    this.#count = 0;
    if (count <= 1) {
      // A register with one message in it is slower than the runtime's own hash.
      if (count === 1) this.#digestOne();
      return;
    }
    for (let i = 0; i < count; i++) this.#pad(i);
    this.#compress(count, count <= 4 ? 4 : groupMax);
  }

  #digestOne(): void {
    const { buffer } = this.#arena;
    const end = this.#ends[0] as number;
    buffer.write(hash('md5', buffer.subarray(this.#starts[0], end), 'hex'), end, 'hex');
  }

  /** 0x80, zeros, the length in bits: what makes the message whole blocks (RFC 1321, sections 3.1 and 3.2). */
  #pad(i: number): void {
    const { bytes, buffer } = this.#arena;
    const start = this.#starts[i] as number;
    const end = this.#ends[i] as number;
    const blocks = Math.floor((end - start + lengthBytes) / blockBytes) + 1;
    const paddedEnd = start + blocks * blockBytes;
    bytes.fill(0, end, paddedEnd);
    bytes[end] = 0x80;
    const bits = (end - start) * 8;
    buffer.writeUInt32LE(bits % 2 ** 32, paddedEnd - lengthBytes);
    buffer.writeUInt32LE(Math.floor(bits / 2 ** 32), paddedEnd - lengthBytes + 4);
    this.#blocks[i] = blocks;
  }

  /** Lets all registers run as far as the shortest message that is left, takes that one's digest out, and goes on. */
  #compress(count: number, registers: number): void {
    const { words } = this.#arena;
    const state = (this.#scratch + stateOffset) >>> 2;
    for (let i = 0; i < 16 * (registers >> 2); i++) words[state + i] = initialState[(i >> 2) & 3] as number;
    const starts = this.#starts;
    const blocks = this.#blocks;
    for (let left = count; left > 0; ) {
      const { run, active } = this.#shortest(count);
      // A register without a message reads along with one that has one.
      for (let i = 0; i < registers; i++) if (i >= count || blocks[i] === 0) starts[i] = starts[active] as number;
      const [p0, p1, p2, p3, p4, p5, p6, p7] = starts as Eight;
      if (registers === 4) this.#four(p0, p1, p2, p3, run, this.#scratch);
      else this.#eight(p0, p1, p2, p3, p4, p5, p6, p7, run, this.#scratch);
      for (let i = 0; i < count; i++) {
        if (blocks[i] === 0) continue;
        blocks[i] = (blocks[i] as number) - run;
        starts[i] = (starts[i] as number) + run * blockBytes;
        if (blocks[i] !== 0) continue;
        left--;
        this.#write(i, state);
      }
    }
  }

  /** Blocks of the shortest message that is not done, and its index. */
  #shortest(count: number): { run: number; active: number } {
    let run = Number.POSITIVE_INFINITY;
    let active = 0;
    for (let i = 0; i < count; i++) {
      const blocks = this.#blocks[i] as number;
      if (blocks === 0 || blocks >= run) continue;
      run = blocks;
      active = i;
    }
    return { run, active };
  }

  #write(i: number, state: number): void {
    const { words, buffer } = this.#arena;
    const first = state + 16 * (i >> 2) + (i & 3);
    for (let word = 0; word < 4; word++) {
      buffer.writeInt32LE(words[first + 4 * word] as number, (this.#ends[i] as number) + 4 * word);
    }
  }
}
