/**
 * The demo's events: 200,000 real flights of one day in the USA, from the dataset package `vega-datasets`, in the order of their
 * departure. Loaded by each sender and by the read-back, which so knows what every event must be from its number alone.
 *
 * An event is a row of the dataset, byte for byte, behind the event's number: `{"n":1204,"delay":8,"distance":1678,"time":6.5}`.
 * Its partition key is the distance, which stands for the route: some 1,000 keys, a few of them hot, as real keys are.
 */
import { readFileSync } from 'node:fs';

export interface DemoEvent {
  readonly key: string;
  readonly data: string;
}

export class Flights {
  /** Rows without their opening brace. */
  readonly #rows: readonly string[];
  readonly #events: number;

  /** `events`: how many the day has. More than rows: each flight is several events; fewer: an even sample of the flights. */
  constructor(events: number) {
    const file = new URL('../data/flights-200k.json', import.meta.resolve('vega-datasets'));
    const text = readFileSync(file, 'utf8').trim();
    // Flat objects in an array: a row ends at the first brace that closes.
    this.#rows = text.slice(2, -2).split('},{');
    this.#events = events;
  }

  /** Event `n` of [0, events). */
  event(n: number): DemoEvent {
    const row = this.#row(n);
    const at = row.indexOf('"distance":') + 11;
    return { key: row.slice(at, row.indexOf(',', at)), data: `{"n":${n},${row}}` };
  }

  /** The time of day at which event `n` happened: "06:31". */
  clock(n: number): string {
    const hours = Number(/"time":([\d.]+)/.exec(this.#row(n))?.[1]);
    const minutes = Math.floor(hours * 60);
    return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
  }

  #row(n: number): string {
    return this.#rows[Math.floor((n * this.#rows.length) / this.#events)] as string;
  }
}
