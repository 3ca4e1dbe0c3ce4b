/**
 * Holds what a consumer of the stream gets against the source data, event by event, by number: what is missing, what is not
 * byte for byte as it was sent, what came more than once. Pure; fed with the simulator's events.
 */
import type { Flights } from './flights.ts';

export interface Found {
  /** Events read, whatever they are. */
  readonly read: number;
  readonly lost: number;
  /** Payloads or partition keys that no event of the day has. */
  readonly altered: number;
  /** Deliveries beyond the first of an event. */
  readonly duplicates: number;
}

export class ReadBack {
  readonly #flights: Flights;
  readonly #times: Uint8Array;
  #read = 0;
  #altered = 0;
  #first = 0;

  constructor(flights: Flights, events: number) {
    this.#flights = flights;
    this.#times = new Uint8Array(events);
  }

  /** `data`: base64, as a consumer gets it. */
  add({ data, partitionKey }: { readonly data: string; readonly partitionKey: string }): void {
    this.#read++;
    const text = Buffer.from(data, 'base64').toString();
    const n = Number(/^\{"n":(\d+),/.exec(text)?.[1] ?? Number.NaN);
    const expected = n < this.#times.length ? this.#flights.event(n) : undefined;
    if (expected === undefined || text !== expected.data || partitionKey !== expected.key) {
      this.#altered++;
      return;
    }
    if (this.#times[n] === 0) this.#first++;
    this.#times[n] = 1;
  }

  get found(): Found {
    return {
      read: this.#read,
      lost: this.#times.length - this.#first,
      altered: this.#altered,
      duplicates: this.#read - this.#altered - this.#first,
    };
  }
}
