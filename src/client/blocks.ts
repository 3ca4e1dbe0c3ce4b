/**
 * Turns events into frames, packed in blocks that are written in one piece and used again. Runs in the sender's process;
 * owned by one client. Copies each event once and allocates nothing for it, unless it is larger than a block.
 */
import { SpillwayError } from '../base/errors.ts';
import { EventFlag, hashKeyBytes, headerBytes, SenderFrame, writeHeader } from '../ingress/frame-layout.ts';

/** Large enough that a write costs little per event, small enough that the daemon begins early. */
export const blockBytesDefault = 131_072;
/** Blocks that are kept for later use. More are left to the collector. */
const freeBlocksMax = 64;
const keyBytesMax = 0xffff;
/** UTF-8 bytes of one UTF-16 unit, at most. */
const utf8BytesPerUnit = 3;

export class Blocks {
  readonly #blockBytes: number;
  /** Takes a block to the socket; `done` gives it back. */
  readonly #write: (bytes: Buffer, done: () => void) => void;
  readonly #free: Buffer[] = [];
  #block: Buffer;
  #used = 0;

  constructor(blockBytes: number, write: (bytes: Buffer, done: () => void) => void) {
    this.#blockBytes = blockBytes;
    this.#write = write;
    this.#block = Buffer.allocUnsafeSlow(blockBytes);
  }

  /** Bytes that no write has taken yet. */
  get waiting(): number {
    return this.#used;
  }

  /** Appends one event frame; returns its bytes. `key` undefined: the daemon chooses one. Throws `key_too_long` or `bad_hash_key`. */
  event(key: string | Uint8Array | undefined, data: string | Uint8Array, hashKey: Uint8Array | undefined): number {
    const keyMost = mostBytes(key ?? '');
    const extra = hashKey === undefined ? 0 : hashKeyBytes;
    if (hashKey !== undefined && hashKey.length !== hashKeyBytes) {
      throw new SpillwayError('bad_hash_key', `an explicit hash key has 16 bytes, not ${hashKey.length}`);
    }
    const most = headerBytes + extra + keyMost + mostBytes(data);
    if (most > this.#blockBytes - this.#used) this.dispatch();
    const target = most > this.#blockBytes ? Buffer.allocUnsafeSlow(most) : this.#block;
    const start = this.#used;
    const keyOffset = start + headerBytes + extra;
    const keyBytes = key === undefined ? 0 : put(target, key, keyOffset);
    if (keyBytes > keyBytesMax)
      throw new SpillwayError('key_too_long', `a partition key of ${keyBytes} bytes fits no frame`);
    const end = keyOffset + keyBytes + put(target, data, keyOffset + keyBytes);
    if (hashKey !== undefined) target.set(hashKey, start + headerBytes);
    const flags = (extra === 0 ? 0 : EventFlag.hashKey) | (key === undefined ? EventFlag.anyKey : 0);
    writeHeader(target, start, end - start - headerBytes, SenderFrame.event, flags, keyBytes);
    if (target === this.#block) this.#used = end;
    else this.#write(target.subarray(0, end), () => {});
    return end - start;
  }

  /** Appends a frame without a body. */
  bare(type: number): void {
    if (headerBytes > this.#blockBytes - this.#used) this.dispatch();
    this.#used = writeHeader(this.#block, this.#used, 0, type, 0, 0);
  }

  /** Hands what waits to the socket. */
  dispatch(): void {
    if (this.#used === 0) return;
    const block = this.#block;
    const used = this.#used;
    this.#block = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#blockBytes);
    this.#used = 0;
    this.#write(block.subarray(0, used), () => {
      if (this.#free.length < freeBlocksMax) this.#free.push(block);
    });
  }
}

function mostBytes(value: string | Uint8Array): number {
  return typeof value === 'string' ? value.length * utf8BytesPerUnit : value.length;
}

function put(target: Buffer, value: string | Uint8Array, offset: number): number {
  if (typeof value === 'string') return target.write(value, offset);
  target.set(value, offset);
  return value.length;
}
