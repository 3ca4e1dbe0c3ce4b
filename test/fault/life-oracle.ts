/**
 * Judges lives that end in a kill (doomed-life.ts), from what they said and from what a last one finds in the directory. Used by
 * disk-lives.ts, in a process that never opens the DLQ; it makes each event again from its number.
 *
 * ```
 *   w ─▶ acknowledged ─┐
 *   d ─▶ deliveries ───┼─▶ lost: acknowledged, never delivered, not among the dead letters
 *   d, a ─▶ handled ─ c, m cover them ─▶ what is not covered at the kill may come once more, and nothing else
 * ```
 */
import { type ReadEntry, readSeries } from '../dlq/independent-reader.ts';
import { digestOf, doomedEvent } from './doomed-events.ts';

/** What was not as it must be; at most so many are told. */
const brokenMost = 8;

interface Handled {
  readonly sequence: number;
  readonly id: number;
}

/** What is there again after the end of a life, once it was there: nothing that was not synced outlives a power cut. */
export interface Trust {
  readonly checkpoints: boolean;
  readonly marks: boolean;
}

export class LifeOracle {
  readonly broken: string[] = [];
  /** Number of the next life's first event. */
  next = 0;
  delivered = 0;
  altered = 0;
  /** Deliveries of events that were delivered before. */
  duplicates = 0;
  /** Events that lives had handled, and nothing covered, at their kills; and the most of one. */
  uncovered = 0;
  uncoveredMost = 0;
  slowestOpenMs = 0;
  /** This life has opened its DLQ; it has struck at its failpoint; it has closed in order. */
  isOpen = false;
  hasStruck = false;
  hasEnded = false;
  readonly #acknowledged = new Set<number>();
  readonly #deliveries = new Map<number, number>();
  /** How often an event may come beyond once. */
  readonly #again = new Map<number, number>();
  /** By log, in the order of their sequences: what this life handled and nothing covers. */
  #handled = new Map<string, Handled[]>();
  readonly #trust: Trust;

  constructor(trust: Trust) {
    this.#trust = trust;
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  begin(): void {
    this.isOpen = this.hasStruck = this.hasEnded = false;
  }

  /** One line that a life has said. */
  take(line: string): void {
    const [letter, ...words] = line.split(' ') as [string, ...string[]];
    if (letter === 'w') for (const id of words) this.#acknowledged.add(Number(id));
    else if (letter === 'd' || letter === 'a') this.#handle(letter, words as [string, string, string, string]);
    else if (letter === 'c' && this.#trust.checkpoints) this.#cover('', words);
    else if (letter === 'm' && this.#trust.marks) this.#cover('j', words);
    else if (letter === 'n') this.next = Number(words[0]);
    else if (letter === 't') this.#break(`left behind after a start: ${words[0]}`);
    else if (letter === 'f') this.hasStruck = true;
    else if (letter === 'e') this.hasEnded = true;
    else if (letter === 'r') {
      this.isOpen = true;
      this.slowestOpenMs = Math.max(this.slowestOpenMs, Number(words[0]));
    }
  }

  #handle(letter: string, [log, place, number, digest]: [string, string, string, string]): void {
    const [sequence, id] = [Number(place), Number(number)];
    let handled = this.#handled.get(log);
    if (handled === undefined) this.#handled.set(log, (handled = []));
    handled.push({ sequence, id });
    if (letter === 'a') return;
    this.delivered++;
    if (!(id >= 0 && id < this.next) || digest !== digestOf(doomedEvent(id))) {
      this.altered++;
      this.#break(`altered: ${number}`);
      return;
    }
    const times = (this.#deliveries.get(id) ?? 0) + 1;
    this.#deliveries.set(id, times);
    if (times > 1) this.duplicates++;
  }

  /** `words`: STREAM=POSITION. */
  #cover(prefix: string, words: readonly string[]): void {
    for (const word of words) {
      const [stream, position] = word.split('=') as [string, string];
      const handled = this.#handled.get(prefix + stream) ?? [];
      const left = handled.findIndex(({ sequence }) => sequence > Number(position));
      handled.splice(0, left === -1 ? handled.length : left);
    }
  }

  /** This life is over, by a kill. */
  killed(): void {
    let uncovered = 0;
    for (const handled of this.#handled.values()) {
      for (const { id } of handled) this.#again.set(id, (this.#again.get(id) ?? 0) + 1);
      uncovered += handled.length;
    }
    this.uncovered += uncovered;
    this.uncoveredMost = Math.max(this.uncoveredMost, uncovered);
    this.#handled = new Map();
  }

  endedBy(what: string): void {
    this.#break(`a life ended by itself: ${what}`);
  }

  /** The last life has taken out all and closed in order; `names`: what is in the directory then. */
  audit(directory: string, names: readonly string[]): void {
    const dead = new Map(readSeries(directory, 'dead').map((entry) => [Number(entry.data.split(':')[0]), entry]));
    for (const [id, entry] of dead) if (!isUnaltered(id, entry)) this.#break(`altered dead letter: ${id}`);
    const lost = [...this.#acknowledged].filter((id) => !dead.has(id) && !this.#deliveries.has(id));
    if (lost.length > 0) this.#break(`lost: ${lost.length}, such as ${lost.slice(0, 8).join(' ')}`);
    const repeated = [...this.#deliveries].filter(([id, times]) => times > 1 + (this.#again.get(id) ?? 0));
    if (repeated.length > 0) {
      const examples = repeated.slice(0, 8).map(([id]) => id);
      this.#break(`came again though covered: ${repeated.length}, such as ${examples.join(' ')}`);
    }
    const orphans = names.filter((name) => !/^(checkpoint|dead-\d+\.seg|.*\.quarantine)$/.test(name));
    if (orphans.length > 0) this.#break(`left behind: ${orphans.join(' ')}`);
  }

  #break(what: string): void {
    if (this.broken.length < brokenMost) this.broken.push(what);
  }
}

function isUnaltered(id: number, { data, key, hashKey, firstSeenUs }: ReadEntry): boolean {
  const expected = doomedEvent(id);
  return (
    data === expected.data &&
    key === expected.key &&
    hashKey === expected.hashKey &&
    firstSeenUs === expected.firstSeenUs
  );
}
