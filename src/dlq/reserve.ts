/**
 * Disk space that is kept back for the hour when the disk is full: a file of a stated size, written and not sparse. Main thread.
 *
 * ```
 *              start: too little is free            ENOSPC or EDQUOT from any call of the DLQ
 *                        ┌──────────────▶ released ◀──────────────┬──────────┐
 *   start ── it is there │                   │                    │          │
 *     │        └─────────┼───────────────────┼──────────────▶   held         │
 *     └── it is not ──▶ taking ◀── as much is free again          ▲          │
 *                        └──────── written ───────────────────────┘          │
 *                        └────────────────── no room for it ─────────────────┘
 * ```
 * Released, its bytes take what was accepted into memory before, dead letters, checkpoints and copies into quarantine; new
 * spills are refused (space.ts) until it is taken again, so that they do not eat it. It is taken only when the system says that
 * there is room, and written in full: a promise of a file system that is not kept would be none.
 *
 * Linux has no call for this in Node (fallocate), so its bytes are written; they are no zeros, which some file systems do not store.
 */
import { type DlqContext, errorFields } from './context.ts';
import { retakeMs, retakeMsMax } from './options.ts';
import { Trouble } from './trouble.ts';

export const reserveName = 'reserve';

const pieceBytes = 256 * 1024;

/** Errors that say that there is no room: of the disk, or of the user's share in it. */
const fullCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/** Bytes that no file system finds a short form for. */
function noise(length: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  let word = seed >>> 0;
  for (let index = 0; index < words.length; index++) {
    // A linear congruential generator (Numerical Recipes).
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
    words[index] = word;
  }
  return Buffer.from(words.buffer, 0, length);
}

export class Reserve {
  readonly #context: DlqContext;
  readonly #trouble: Trouble;
  #state: 'taking' | 'held' | 'released' | 'closed' = 'released';
  /** Work on the file, one thing after the other. */
  #work: Promise<void> = Promise.resolve();
  #cancelLook: (() => void) | undefined;
  #retakeMs = retakeMs;

  constructor(context: DlqContext) {
    this.#context = context;
    this.#trouble = new Trouble(context, {
      names: { begins: 'disk_full', lasts: 'still_disk_full', ends: 'disk_room' },
      fields: () => ({ bytes: this.#bytes }),
    });
  }

  /** Bytes that are kept back now. */
  get heldBytes(): number {
    return this.#state === 'held' ? this.#bytes : 0;
  }

  get #bytes(): number {
    return this.#context.space.reserveBytes;
  }

  get #path(): string {
    return this.#context.path(reserveName);
  }

  /** Finds it, or begins to take it, which does not hold up the start. */
  async open(): Promise<void> {
    if (this.#bytes === 0) {
      this.#state = 'closed';
      // One that an earlier run was told to keep.
      const isLeft = await this.#context.options.files.measure(this.#path).then(
        () => true,
        () => false,
      );
      if (isLeft) await this.#remove();
    } else if (await this.#isThere()) {
      this.#state = 'held';
    } else {
      await this.#remove();
      if (await this.#isRoom()) this.#take();
      else this.#giveUp();
    }
  }

  /** Looks at an error that some call has met: a full disk makes it let go. True: it was one. */
  saw(error: unknown): boolean {
    if (!fullCodes.has(errorFields(error).code)) return false;
    if (this.#state === 'held' || this.#state === 'taking') {
      const wasHeld = this.#state === 'held';
      this.#giveUp();
      // One that is being taken sees that it must stop, and removes what it has written.
      if (wasHeld) this.#work = this.#after(() => this.#remove());
    }
    return true;
  }

  /** Resolves when nothing is being done to the file; it stays as it is. */
  async close(): Promise<void> {
    this.#cancelLook?.();
    this.#trouble.close();
    const wasTaking = this.#state === 'taking';
    this.#state = 'closed';
    await this.#work;
    if (wasTaking) await this.#remove();
  }

  #giveUp(): void {
    const { space, pool } = this.#context;
    this.#state = 'released';
    space.isDiskFull = true;
    this.#trouble.met();
    // Who waits for a block now hears that there is no room.
    pool.wake();
    this.#lookLater();
  }

  #lookLater(): void {
    this.#cancelLook = this.#context.options.clock.after(this.#retakeMs, () => {
      this.#work = this.#after(async () => {
        if (this.#state !== 'released') return;
        if (await this.#isRoom()) this.#take();
        else this.#lookLater();
      });
    });
  }

  async #after(next: () => Promise<void>): Promise<void> {
    await this.#work;
    await next();
  }

  #take(): void {
    this.#state = 'taking';
    this.#work = this.#after(() => this.#write());
  }

  async #write(): Promise<void> {
    try {
      await this.#fill();
    } catch (error) {
      await this.#remove();
      // A system that says that there is room where there is none (a quota) is asked less often.
      this.#retakeMs = Math.min(2 * this.#retakeMs, retakeMsMax);
      if (this.#state === 'taking') {
        if (!fullCodes.has(errorFields(error).code)) {
          this.#context.report({ change: 'reserve_failed', ...errorFields(error) });
        }
        this.#giveUp();
      }
      return;
    }
    this.#state = 'held';
    this.#retakeMs = retakeMs;
    this.#context.space.isDiskFull = false;
    this.#trouble.over();
    this.#context.pool.wake();
  }

  async #fill(): Promise<void> {
    const { files, fsync } = this.#context.options;
    const piece = noise(Math.min(pieceBytes, this.#bytes), this.#context.options.randomWord());
    const file = await files.open(this.#path, 'replace');
    try {
      for (let position = 0; position < this.#bytes; position += piece.length) {
        if (this.#state !== 'taking') throw new Error('somebody has met a full disk meanwhile');
        await file.write(piece, 0, Math.min(piece.length, this.#bytes - position), position);
      }
      if (fsync.kind !== 'none') await file.sync();
      if (this.#state !== 'taking') throw new Error('somebody has met a full disk meanwhile');
    } finally {
      await file.close();
    }
  }

  /** Whether an earlier run has left it, whole. */
  async #isThere(): Promise<boolean> {
    try {
      const { bytes, storedBytes } = await this.#context.options.files.measure(this.#path);
      return bytes === this.#bytes && storedBytes >= this.#bytes;
    } catch {
      return false;
    }
  }

  /** Whether it would fit; when that cannot be asked, writing it shows. */
  async #isRoom(): Promise<boolean> {
    const { files, directory } = this.#context.options;
    try {
      return (await files.freeBytes(directory)) >= this.#bytes;
    } catch {
      return true;
    }
  }

  async #remove(): Promise<void> {
    try {
      await this.#context.options.files.unlink(this.#path);
    } catch (error) {
      const fields = errorFields(error);
      if (fields.code !== 'ENOENT') this.#context.report({ change: 'attempt_failed', what: 'unlink', ...fields });
    }
  }
}
