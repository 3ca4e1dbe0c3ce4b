/**
 * Judges what a stream holds against what was sent: how often each numbered event is there, and whether it is as it was sent.
 * Used by tests that read back, in the order of the stream. It knows only the events' numbers; memory: one byte an event.
 */
import type { UserEvent } from '../../src/simulator/events.ts';
import type { NumberedEvents } from './numbered-events.ts';

export class Oracle {
  /** How often each event is in the stream; index: its number. */
  readonly seen: Uint8Array;
  /** Events in the stream that were never sent, or not like this; the first of them. */
  altered = 0;
  firstAltered = '';
  /** Events that came for the first time after a later one of their key. */
  disordered = 0;
  readonly #events: NumberedEvents;
  /** By key: the latest event so far, plus one. */
  readonly #latest: Uint32Array;

  constructor(events: NumberedEvents, count: number) {
    this.#events = events;
    this.seen = new Uint8Array(count);
    this.#latest = new Uint32Array(events.keyCount);
  }

  take({ data, partitionKey }: Pick<UserEvent, 'data' | 'partitionKey'>): void {
    const bytes = Buffer.from(data, 'base64');
    const id = this.#events.idOf(bytes);
    const known = id >= 0 && id < this.seen.length;
    if (
      known &&
      this.#events.isUnaltered(id, bytes) &&
      this.#events.keyOf(id).equals(Buffer.from(partitionKey, 'utf8'))
    ) {
      if (this.seen[id] === 0) this.#order(id);
      this.seen[id] = Math.min(255, (this.seen[id] as number) + 1);
      return;
    }
    if (this.altered++ === 0) this.firstAltered = `${partitionKey}: ${bytes.toString('latin1')}`;
  }

  #order(id: number): void {
    const key = id % this.#latest.length;
    if (id < (this.#latest[key] as number)) this.disordered++;
    else this.#latest[key] = id + 1;
  }

  /** Over all events, or those of one range. */
  counts(from = 0, to = this.seen.length): { lost: number; duplicated: number; altered: number } {
    let lost = 0;
    let duplicated = 0;
    for (const times of this.seen.subarray(from, to)) {
      if (times === 0) lost++;
      if (times > 1) duplicated++;
    }
    return { lost, duplicated, altered: this.altered };
  }
}
