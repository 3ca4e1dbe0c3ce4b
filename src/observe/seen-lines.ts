/**
 * Remembers which lines were there, by 64 bits of their hash: for a line that stands in two files to count once. For the `hist`
 * command; pure. Its memory is bounded: beyond {@link generationMax} lines the oldest are forgotten, a generation at a time.
 *
 * ```
 *   generation now    open addressing, at most half full: place = low bits, then the next free one; doubles as it fills
 *   generation before looked into as well, until the one now is full and takes its place
 * ```
 * Two different lines are taken for one with a probability of n^2 / 2^65: 1 in 10 million for two million lines.
 */
/** Lines of one generation, of which there are two. Costs 32 MiB each when full: some 4 GB of log. */
export const generationMax = 2_097_152;

const slotsLeast = 16_384;

export class SeenLines {
  readonly #generationMax: number;
  #now = new Generation(slotsLeast);
  #before = new Generation(slotsLeast);

  constructor(most = generationMax) {
    this.#generationMax = most;
  }

  /** Remembers the line that `key` stands for; false when it was there before. */
  add(key: string): boolean {
    const [low, high] = hashOf(key);
    if (this.#before.has(low, high) || !this.#now.add(low, high)) return false;
    if (this.#now.size >= this.#generationMax) {
      this.#before = this.#now;
      this.#now = new Generation(slotsLeast);
    } else if (this.#now.isHalfFull) {
      this.#now = this.#now.doubled();
    }
    return true;
  }
}

class Generation {
  size = 0;
  readonly #lows: Uint32Array;
  readonly #highs: Uint32Array;

  /** `slots` is a power of two. */
  constructor(slots: number) {
    this.#lows = new Uint32Array(slots);
    this.#highs = new Uint32Array(slots);
  }

  get isHalfFull(): boolean {
    return this.size * 2 >= this.#lows.length;
  }

  has(low: number, high: number): boolean {
    return this.#highs[this.#place(low, high)] !== 0;
  }

  add(low: number, high: number): boolean {
    const place = this.#place(low, high);
    if (this.#highs[place] !== 0) return false;
    this.#lows[place] = low;
    this.#highs[place] = high;
    this.size++;
    return true;
  }

  doubled(): Generation {
    const larger = new Generation(this.#lows.length * 2);
    for (const [place, high] of this.#highs.entries()) {
      if (high !== 0) larger.add(this.#lows[place] as number, high);
    }
    return larger;
  }

  /** Where the pair stands, or the free slot where it would. */
  #place(low: number, high: number): number {
    const mask = this.#lows.length - 1;
    let place = low & mask;
    while (this.#highs[place] !== 0 && (this.#highs[place] !== high || this.#lows[place] !== low)) {
      place = (place + 1) & mask;
    }
    return place;
  }
}

/**
 * 64 bits of `key`, the second never 0, which is an empty slot's. After cyrb53 (https://github.com/bryc/code, public domain): a
 * digest by OpenSSL costs ten times as much for so short a text, a fifth of reading the line.
 */
function hashOf(key: string): readonly [low: number, high: number] {
  let low = 0xdeadbeef;
  let high = 0x41c6ce57;
  for (let index = 0; index < key.length; index++) {
    const unit = key.charCodeAt(index);
    low = Math.imul(low ^ unit, 0x9e3779b1);
    high = Math.imul(high ^ unit, 0x5f356495);
  }
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  return [low >>> 0, high >>> 0 || 1];
}
