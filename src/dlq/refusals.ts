/**
 * What one series has no room for: why, what the log hears of it, and whether room is being made. Main thread; asked by the series
 * before each entry, on the admission path, so that while there is room it costs two comparisons.
 */
import type { DlqContext } from './context.ts';
import { Kind, kindNames } from './layout.ts';
import { Trouble } from './trouble.ts';
import type { SegmentWriter } from './writer.ts';

export type FullCause = 'sequences' | 'disk_failing' | 'disk_full' | 'max_bytes';

export class Refusals {
  readonly #kind: Kind;
  readonly #context: DlqContext;
  readonly #writer: SegmentWriter;
  readonly #trouble: Trouble;
  /** Bytes of the entry that was refused last. */
  #refusedBytes = 0;

  constructor(kind: Kind, context: DlqContext, writer: SegmentWriter) {
    this.#kind = kind;
    this.#context = context;
    this.#writer = writer;
    this.#trouble = new Trouble(context, {
      names: { begins: 'full', lasts: 'still_full', ends: 'room' },
      fields: () => this.#fields(),
      isOver: () => this.cause === undefined,
    });
  }

  /** Why an entry, such as the last one that was refused, would be refused now; undefined: it would not. */
  get cause(): FullCause | undefined {
    if (this.#context.isExhausted) return 'sequences';
    if (this.#context.isDiskFailing) return 'disk_failing';
    const { space } = this.#context;
    if (space.hasRoom(this.#kind, this.#trouble.isOn ? this.#refusedBytes : 0)) return undefined;
    return this.#isDiskFull ? 'disk_full' : 'max_bytes';
  }

  /** An entry of `bytes` cannot be taken now. */
  has(bytes: number): boolean {
    return this.#writer.failing || this.#context.isExhausted || !this.#context.space.hasRoom(this.#kind, bytes);
  }

  /** It was not taken. True: room is being made, and it is worth coming again. */
  refuse(bytes: number): boolean {
    if (!this.#context.isExhausted && !this.#context.isDiskFailing && !this.#isDiskFull && this.#context.makeRoom())
      return true;
    this.#refusedBytes = bytes;
    this.#trouble.met();
    return false;
  }

  /** One was taken. */
  over(): void {
    if (this.#trouble.isOn) this.#trouble.over();
  }

  /** Nothing is told any more. */
  close(): void {
    this.#trouble.close();
  }

  get #isDiskFull(): boolean {
    return this.#context.space.isDiskFull && this.#kind !== Kind.dead;
  }

  #fields(): Readonly<Record<string, string | number>> {
    const { usedBytes, maxBytes } = this.#context.space;
    return { series: kindNames[this.#kind], cause: this.cause ?? '', usedBytes, maxBytes };
  }
}
