/**
 * AES-256-GCM for segments: the keys, and what seals and opens frames with them. Main thread; a frame at a time, never an entry, so
 * the admission path has nothing of it. It knows no file: edges/key-file.ts reads keys.
 *
 * ```
 *   key of the configuration ──HKDF-SHA256── "spillway key id" ─────────────────────────────▶ key id
 *                            └─HKDF-SHA256── "spillway segment", number · tag · id · salt ──▶ key of a segment
 *   key of a segment, nonce = salt · index of the frame, additional data = the frame's header ──AES-256-GCM──▶ frame
 * ```
 * No pair of key and nonce is used twice: a {@link FrameSealer} draws a salt and counts its frames up, and nobody seals with the
 * salt of another. What moves to another segment after a failed write, and what is written anew by a purge, gets a new sealer.
 */
import {
  type CipherGCM,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type DecipherGCM,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { assert } from '../base/assert.ts';
import {
  additionalBytes,
  frame,
  frameHeaderBytes,
  frameTagBytes,
  keySaltRange,
  nonceRange,
  writeFrameHeader,
} from './frames.ts';
import { heapMemory, type Memory } from './layout.ts';

export const keyBytes = 32;
const algorithm = 'aes-256-gcm';
/** Decrypted at a time: each piece comes as fresh memory. */
const pieceBytes = 64 * 1024;
/** Frames are sealed in memory of this size, and written from there. */
const roomBytes = 256 * 1024;
/** As many as libuv has threads: more would only wait for one. Together with {@link roomBytes} they bound the memory of sealing. */
const roomsMax = 4;

/** What a series' segment is told apart by. */
export interface SegmentIdentity {
  readonly kind: number;
  readonly number: number;
  readonly tag: number;
}

/** The keys of one DLQ. */
export class Keys {
  /** Id of the key that new segments are encrypted with; undefined: they are not. */
  readonly currentId: number | undefined;
  readonly #byId = new Map<number, KeyObject>();
  readonly #freeRooms: Memory[] = [];
  readonly #waiting: ((room: Memory) => void)[] = [];
  #rooms = 0;

  /** Each of {@link keyBytes}. `old` ones open what an earlier configuration has sealed. */
  constructor(current: Uint8Array | undefined, old: readonly Uint8Array[] = []) {
    this.currentId = current === undefined ? undefined : keyIdOf(current);
    for (const bytes of current === undefined ? old : [...old, current]) {
      this.#byId.set(keyIdOf(bytes), createSecretKey(bytes));
    }
  }

  /** Of all of them. */
  get ids(): readonly number[] {
    return [...this.#byId.keys()];
  }

  has(id: number): boolean {
    return this.#byId.has(id);
  }

  /** For the frames of one segment, or of one that is written anew; `id`: of the key. */
  sealer(identity: SegmentIdentity, id: number, randomWord: () => number): FrameSealer {
    return new FrameSealer(this, identity, id, [randomWord() | 0, randomWord() | 0]);
  }

  /** The key of the segment that the frame header at `offset` belongs to; undefined: its key is not known. */
  segmentKey({ buffer }: Memory, offset: number, id: number): KeyObject | undefined {
    const key = this.#byId.get(id);
    if (key === undefined) return undefined;
    // A copy: the memory may be shared, and that is refused here.
    const salt = Buffer.from(buffer.subarray(offset + keySaltRange[0], offset + keySaltRange[1]));
    return createSecretKey(Buffer.from(hkdfSync('sha256', key, salt, 'spillway segment', keyBytes)));
  }

  /** Runs `use` with memory in which frames are sealed, once some is free. */
  async withRoom<T>(use: (room: Memory) => Promise<T>): Promise<T> {
    const room = this.#freeRooms.pop() ?? (await this.#nextRoom());
    try {
      return await use(room);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#freeRooms.push(room);
      else next(room);
    }
  }

  #nextRoom(): Memory | Promise<Memory> {
    if (this.#rooms < roomsMax) {
      this.#rooms += 1;
      return heapMemory(roomBytes);
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}

/** Tells keys apart without telling anything of them: 32 bits, in the headers of segments and frames. */
export function keyIdOf(key: Uint8Array): number {
  assert(key.length === keyBytes, 'a key has 256 bits');
  return Buffer.from(hkdfSync('sha256', key, '', 'spillway key id', 4)).readInt32LE(0);
}

/** How people see a key's id. */
export function keyIdText(id: number): string {
  return (id >>> 0).toString(16).padStart(8, '0');
}

export class FrameSealer {
  readonly #identity: SegmentIdentity;
  readonly #keyId: number;
  readonly #salt: readonly [number, number];
  readonly #keys: Keys;
  #key: KeyObject | undefined;
  #index = 0;

  constructor(keys: Keys, identity: SegmentIdentity, keyId: number, salt: readonly [number, number]) {
    this.#keys = keys;
    this.#identity = identity;
    this.#keyId = keyId;
    this.#salt = salt;
  }

  /** Writes the header of the next frame at `offset`; what the cipher makes of `length` bytes of entries comes behind, then its tag. */
  begin(into: Memory, offset: number, length: number, firstSequence: number, lastSequence: number): CipherGCM {
    assert(this.#index < 2 ** 32, 'no nonce is used twice');
    const index = this.#index++ | 0;
    const { number, tag, kind } = this.#identity;
    const [keyId, salt] = [this.#keyId, this.#salt];
    writeFrameHeader(into, offset, { length, firstSequence, lastSequence, number, tag, keyId, salt, index, kind });
    this.#key ??= this.#keys.segmentKey(into, offset, keyId);
    assert(this.#key !== undefined, 'nobody seals with a key that is not there');
    const { buffer } = into;
    const cipher = createCipheriv(
      algorithm,
      this.#key,
      buffer.subarray(offset + nonceRange[0], offset + nonceRange[1]),
    );
    return cipher.setAAD(buffer.subarray(offset, offset + additionalBytes));
  }

  /** Seals, in place, `length` bytes of entries behind the place of the header, `offset`. Returns the byte after the frame. */
  seal(memory: Memory, offset: number, length: number, firstSequence: number, lastSequence: number): number {
    const cipher = this.begin(memory, offset, length, firstSequence, lastSequence);
    const { buffer } = memory;
    const entries = offset + frameHeaderBytes;
    buffer.set(cipher.update(buffer.subarray(entries, entries + length)), entries);
    cipher.final();
    buffer.set(cipher.getAuthTag(), entries + length);
    return entries + length + frameTagBytes;
  }
}

/** Opens frames, in any memory; remembers the key of the segment that it met last. */
export class FrameOpener {
  readonly #keys: Keys | undefined;
  #key: KeyObject | undefined;
  /** What {@link #key} was made from. */
  #keySalt = '';

  constructor(keys: Keys | undefined) {
    this.#keys = keys;
  }

  /**
   * Decrypts all entries of the frame at `offset`, in place. False: they are not what was sealed, and are in clear nevertheless; or
   * their key is not known, and nothing was changed.
   */
  open(memory: Memory, offset: number): boolean {
    const decipher = this.#begin(memory, offset);
    if (decipher === undefined) return false;
    const { buffer } = memory;
    const end = offset + frameHeaderBytes + frame.length(memory, offset);
    decipher.setAuthTag(Buffer.from(buffer.subarray(end, end + frameTagBytes)));
    decrypt(decipher, buffer, offset + frameHeaderBytes, end);
    try {
      decipher.final();
      return true;
    } catch {
      return false;
    }
  }

  /** Decrypts the first `length` bytes of its entries, in place; whether they are what was sealed is not known. False: no key. */
  openPart(memory: Memory, offset: number, length: number): boolean {
    const decipher = this.#begin(memory, offset);
    if (decipher === undefined) return false;
    const from = offset + frameHeaderBytes;
    decrypt(decipher, memory.buffer, from, from + Math.min(length, frame.length(memory, offset)));
    return true;
  }

  #begin(memory: Memory, offset: number): DecipherGCM | undefined {
    const { buffer } = memory;
    const keySalt = buffer.toString('latin1', offset + keySaltRange[0], offset + keySaltRange[1]);
    if (keySalt !== this.#keySalt) {
      this.#key = this.#keys?.segmentKey(memory, offset, frame.keyId(memory, offset));
      this.#keySalt = keySalt;
    }
    if (this.#key === undefined) return undefined;
    const nonce = buffer.subarray(offset + nonceRange[0], offset + nonceRange[1]);
    return createDecipheriv(algorithm, this.#key, nonce).setAAD(buffer.subarray(offset, offset + additionalBytes));
  }
}

function decrypt(decipher: DecipherGCM, buffer: Buffer, from: number, to: number): void {
  for (let at = from; at < to; at += pieceBytes) {
    buffer.set(decipher.update(buffer.subarray(at, Math.min(to, at + pieceBytes))), at);
  }
}
