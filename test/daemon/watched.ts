/**
 * A sender of ack level `stream` for tests: sends numbered events, keeps all it hears, and holds it against what the simulator has.
 */
import { type Client, type ClientOptions, connect, type Receipt, type Refused } from '../../src/client/client.ts';
import type { UserEvent } from '../../src/simulator/events.ts';
import type { Rig } from './running.ts';

export class WatchedSender {
  readonly refusals: Refused[] = [];
  /** By event number - 1. */
  readonly receipts: (Receipt['record'] | null)[] = [];
  acked = 0;
  /** When the first event was acknowledged; undefined: none was. */
  firstAckMs: number | undefined;
  onAck: (number: number) => void = () => {};
  readonly #rig: Rig;
  #client!: Client;
  #drained = (): void => {};

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  async open(path: string, receipts = false, options: Partial<ClientOptions> = {}): Promise<this> {
    this.#client = await connect({
      path,
      ack: 'stream',
      onRefusal: (refused) => this.refusals.push(refused),
      ...(receipts ? { onReceipt: (receipt: Receipt) => this.#keep(receipt) } : {}),
      onAck: (number) => {
        if (number > 0) this.firstAckMs ??= performance.now();
        this.acked = number;
        this.onAck(number);
      },
      onDrain: () => this.#drained(),
      ...options,
    });
    return this;
  }

  get client(): Client {
    return this.#client;
  }

  /** Sends events numbered [from, to) of the rig: the first one sent has number 1 on the wire. */
  async send(from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) {
      if (this.#client.send(this.#rig.events.keyOf(i), this.#rig.events.dataOf(i))) continue;
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
  }

  #keep({ first, count, record }: Receipt): void {
    for (let i = 0; i < count; i++) {
      const place = record === undefined ? null : { ...record, subSequence: record.subSequence + i };
      this.receipts[first - 1 + i] = place;
    }
  }
}

/** What the simulator has of the rig's events, by their numbers. Of an event that is there twice, the last. */
export async function eventsById(rig: Rig): Promise<Map<number, UserEvent>> {
  const found = new Map<number, UserEvent>();
  for await (const event of rig.simulator.events('orders')) {
    found.set(rig.events.idOf(Buffer.from(event.data, 'base64')), event);
  }
  return found;
}
