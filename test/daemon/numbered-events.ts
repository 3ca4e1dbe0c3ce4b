/**
 * Events that are told apart by their number and can be made again from it: what a test knows of what it sent, without asking
 * the daemon. Used by senders (in whichever process), by what reads back, and by what looks into files. Same number, same bytes.
 *
 * ```
 *   key   user0123                                  number mod the count of keys
 *   data  {"id":"0000012345","text":"..."}          a piece of a fixed noise that depends on the number, of a length that does too
 * ```
 */

/** Distinct partition keys unless said otherwise. */
const keyCountDefault = 1_000;

const head = '{"id":"0000000000","text":"';
const tail = '"}';
const idOffset = 7;
const idDigits = 10;
/** Bytes of data beside the text: the least that an event can have. */
const frameBytes = head.length + tail.length;
const noiseBytes = 65_536;

/** How the data of any event begins, before its number: what to search for in a file. */
export const eventMark = Buffer.from(head.slice(0, idOffset));

/** Bytes of one event's data, at least and at most; they differ from event to event. */
export interface EventBytes {
  readonly least: number;
  readonly most: number;
  /** Distinct partition keys. */
  readonly keys?: number;
}

export class NumberedEvents {
  readonly #bytes: EventBytes;
  readonly #noise = noise();
  readonly #keys: readonly Buffer[];
  readonly #scratch: Buffer;

  constructor(bytes: EventBytes) {
    if (bytes.least < frameBytes || bytes.most < bytes.least) throw new Error(`no events of ${bytes.least} bytes`);
    this.#bytes = bytes;
    this.#keys = Array.from({ length: bytes.keys ?? keyCountDefault }, (_, index) =>
      Buffer.from(`user${String(index).padStart(4, '0')}`),
    );
    this.#scratch = Buffer.alloc(bytes.most);
  }

  get keyCount(): number {
    return this.#keys.length;
  }

  keyOf(id: number): Buffer {
    return this.#keys[id % this.#keys.length] as Buffer;
  }

  /** The data of event `id`; the memory is used again by the next call. */
  dataOf(id: number): Buffer {
    const { least, most } = this.#bytes;
    const length = least + (id % (most - least + 1));
    const textBytes = length - frameBytes;
    const data = this.#scratch.subarray(0, length);
    data.write(head, 0, 'latin1');
    data.write(String(id).padStart(idDigits, '0'), idOffset, 'latin1');
    const from = (id * 7_919) % (noiseBytes - textBytes);
    this.#noise.copy(data, head.length, from, from + textBytes);
    data.write(tail, length - tail.length, 'latin1');
    return data;
  }

  /** The number in an event's data, or -1; whether the rest is as it was sent, {@link isUnaltered} says. */
  idOf(data: Buffer): number {
    const digits = data.toString('latin1', idOffset, idOffset + idDigits);
    return /^\d{10}$/.test(digits) ? Number(digits) : -1;
  }

  isUnaltered(id: number, data: Uint8Array): boolean {
    return Buffer.compare(this.dataOf(id), data) === 0;
  }
}

/** Letters and digits that look random and are the same in each process. */
function noise(): Buffer {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  let state = 1;
  return Buffer.from(
    Array.from({ length: noiseBytes }, () => {
      // xorshift with 32 bits
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return letters.charCodeAt((state >>> 8) & 63);
    }),
  );
}
