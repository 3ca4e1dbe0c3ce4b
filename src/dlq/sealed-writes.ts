/**
 * Writes a unit as encrypted frames. Main thread; called by a series' writer, off the admission path: the cipher runs there, a frame
 * of some ten microseconds at a time. The unit's memory stays as it is, since it may have to go to another segment.
 */
import type { OpenFile } from '../edges/files.ts';
import type { Unit } from './blocks.ts';
import type { DlqContext } from './context.ts';
import type { FrameSealer, Keys } from './encryption.ts';
import { frameHeaderBytes, frameTagBytes } from './frames.ts';
import type { Memory } from './layout.ts';

/** Writes from `position` on, and resolves to the byte behind; rejects with what the disk reported. */
export async function writeSealed(
  { options }: DlqContext,
  sealer: FrameSealer,
  unit: Unit,
  file: OpenFile,
  position: number,
): Promise<number> {
  const { arena, blocks } = options;
  return (options.keys as Keys).withRoom(async (room) => {
    const out = new Output(room, file, position);
    let from = 0;
    for (const { length, firstSequence, lastSequence } of unit.frames) {
      await out.makeRoom(frameHeaderBytes);
      const cipher = sealer.begin(room, out.used, length, firstSequence, lastSequence);
      out.used += frameHeaderBytes;
      for (const end = from + length; from < end; ) {
        await out.makeRoom(8);
        const within = from % blocks.length;
        const piece = Math.min(end - from, blocks.length - within, out.left);
        const start = unit.blocks[Math.floor(from / blocks.length)]! + within;
        out.put(cipher.update(arena.buffer.subarray(start, start + piece)));
        from += piece;
      }
      cipher.final();
      await out.makeRoom(frameTagBytes);
      out.put(cipher.getAuthTag());
    }
    await out.flush();
    return out.position;
  });
}

/** Gathers bytes in the room, and writes them when it is full. */
class Output {
  /** Bytes of the room that wait to be written; a multiple of 8 where a frame begins. */
  used = 0;
  position: number;
  readonly #room: Memory;
  readonly #file: OpenFile;

  constructor(room: Memory, file: OpenFile, position: number) {
    this.#room = room;
    this.#file = file;
    this.position = position;
  }

  get left(): number {
    return this.#room.buffer.length - this.used;
  }

  async makeRoom(bytes: number): Promise<void> {
    if (this.left < bytes) await this.flush();
  }

  put(bytes: Uint8Array): void {
    this.#room.buffer.set(bytes, this.used);
    this.used += bytes.length;
  }

  async flush(): Promise<void> {
    if (this.used === 0) return;
    await this.#file.write(this.#room.buffer, 0, this.used, this.position);
    this.position += this.used;
    this.used = 0;
  }
}
