/**
 * A condition that lasts, and what the log hears of it: once when it begins, every {@link tellAgainMs} while it lasts, with how
 * often it was met, and once when it ends. Main thread; a full DLQ, a failing disk and a reserve in use are told with it.
 *
 * Meeting it again costs one addition: refusals come by the million.
 */
import type { DlqContext } from './context.ts';
import type { DlqEvent } from './options.ts';

/** How often a condition that lasts is told again, in ms. */
export const tellAgainMs = 10_000;

/** The stable names of its three lines. */
export interface TroubleNames {
  readonly begins: string;
  readonly lasts: string;
  readonly ends: string;
}

type Fields = Omit<DlqEvent, 'change'>;

export interface TroubleParts {
  readonly names: TroubleNames;
  /** What the first and the repeated lines say besides; asked only when one is written. */
  readonly fields: () => Fields;
  /** Whether it is over, asked before it is told again: what nobody meets any more may have ended unseen. */
  readonly isOver?: () => boolean;
}

export class Trouble {
  readonly #context: DlqContext;
  readonly #parts: TroubleParts;
  #sinceMs: number | undefined;
  #times = 0;
  #cancel: (() => void) | undefined;

  constructor(context: DlqContext, parts: TroubleParts) {
    this.#context = context;
    this.#parts = parts;
  }

  get isOn(): boolean {
    return this.#sinceMs !== undefined;
  }

  /** `fields`: what the first line says besides. */
  met(fields?: () => Fields): void {
    this.#times += 1;
    if (this.#sinceMs !== undefined) return;
    this.#sinceMs = this.#context.options.clock.nowMs();
    this.#context.report({ change: this.#parts.names.begins, ...this.#parts.fields(), ...fields?.() });
    this.#tellLater();
  }

  over(): void {
    if (this.#sinceMs === undefined) return;
    const fields = { ...this.#parts.fields(), ...this.#length() };
    this.close();
    this.#context.report({ change: this.#parts.names.ends, ...fields });
  }

  /** Tells nothing more, whether it is over or not. */
  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#sinceMs = undefined;
    this.#times = 0;
  }

  #length(): { readonly times: number; readonly tookMs: number } {
    const { clock } = this.#context.options;
    return { times: this.#times, tookMs: Math.round(clock.nowMs() - (this.#sinceMs ?? clock.nowMs())) };
  }

  #tellLater(): void {
    this.#cancel = this.#context.options.clock.after(tellAgainMs, () => {
      if (this.#parts.isOver?.() === true) return this.over();
      this.#context.report({ change: this.#parts.names.lasts, ...this.#parts.fields(), ...this.#length() });
      this.#tellLater();
    });
  }
}
