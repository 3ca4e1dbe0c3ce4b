/** Base64 of arena bytes, written to another place of the arena. Lane worker; called by the JSON wire for each record. */
import type { Arena } from '../ring/arena.ts';
import { assemble } from './wasm/assembler.ts';
import { base64Kernel, sourceStep, targetStep } from './wasm/base64-kernel.ts';

type Kernel = (target: number, source: number, steps: number) => void;

export class Base64 {
  readonly #buffer: Buffer;
  readonly #kernel: Kernel;

  constructor(arena: Arena) {
    this.#buffer = arena.buffer;
    this.#kernel = assemble([base64Kernel], arena.memory)['base64'] as Kernel;
  }

  /** Encodes `length` bytes at `source` and returns the offset behind the text; padded, unless `length` is a multiple of 3. */
  encode(target: number, source: number, length: number): number {
    const steps = Math.floor(length / sourceStep);
    if (steps > 0) this.#kernel(target, source, steps);
    const done = steps * sourceStep;
    const at = target + steps * targetStep;
    if (done === length) return at;
    const rest = this.#buffer.toString('base64', source + done, source + length);
    return at + this.#buffer.write(rest, at, 'latin1');
  }
}
