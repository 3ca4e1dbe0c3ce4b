/**
 * Sends events as frames and sends refused ones again when the daemon says that this can help. Runs in the sender's process;
 * used by `spillway send`. Keeps each event until its outcome is known: as much as the client's window, not more, since
 * nothing new is taken while refused events wait.
 */
import { assert } from '../base/assert.ts';
import type { SpillwayError } from '../base/errors.ts';
import type { Refused } from './answers.ts';
import { type Client, type ClientOptions, connect } from './client.ts';
import { type EventSender, type Origin, type ResendRules, SendTally } from './event-sender.ts';

interface Pending {
  readonly key: string | undefined;
  readonly data: Buffer;
  readonly origin: Origin;
  /** How often it was sent again. */
  retries: number;
  refused: boolean;
}

/** Connects. Rejects as {@link connect} does. */
export async function openFrameSender(
  options: Pick<ClientOptions, 'path' | 'stream' | 'ack' | 'windowBytes'>,
  rules: ResendRules,
): Promise<EventSender> {
  const sender = new FrameSender(rules);
  await sender.open(options);
  return sender;
}

class FrameSender implements EventSender {
  readonly tally = new SendTally();
  readonly #rules: ResendRules;
  #client: Client | undefined;
  /** Sent and not judged, in order of number; `#pending[#head]` has the number `#first`. */
  #pending: Pending[] = [];
  #head = 0;
  #first = 1;
  #refused: Pending[] = [];
  #retryAfterMs = 0;
  #resending: Promise<void> | undefined;
  #drain: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #retriesMax: number;
  #error: SpillwayError | undefined;

  constructor(rules: ResendRules) {
    this.#rules = rules;
    this.#retriesMax = rules.retriesMax;
  }

  async open(options: ClientOptions): Promise<void> {
    this.#client = await connect({
      ...options,
      onRefusal: (refused) => this.#onRefusal(refused),
      onAck: (number) => this.#onAck(number),
      onDrain: () => this.#onDrain(),
      onClose: ({ error, count }) => {
        this.#error = error;
        this.tally.unknown = count + this.#refused.length;
        this.#onDrain();
      },
    });
  }

  send(key: string | undefined, data: Buffer, origin: Origin): boolean {
    this.#transmit({ key, data, origin, retries: 0, refused: false });
    // Behind it: what a lost connection does not take was not sent.
    this.tally.events += 1;
    this.tally.bytes += data.length;
    return this.#drain === undefined && this.#resending === undefined;
  }

  async room(): Promise<void> {
    while (this.#error === undefined && (this.#drain !== undefined || this.#resending !== undefined)) {
      await (this.#drain?.promise ?? this.#resending);
    }
    if (this.#error !== undefined) throw this.#error;
  }

  async finish(): Promise<void> {
    const client = this.#opened();
    do {
      await this.#resending;
      await client.flush();
    } while (this.#resending !== undefined);
    await client.close();
  }

  giveUp(): void {
    this.#retriesMax = 0;
    for (const event of this.#refused.splice(0))
      this.#abandon(event, 'interrupted', 'it was refused, and not sent again');
  }

  destroy(): void {
    this.#client?.destroy();
  }

  #opened(): Client {
    assert(this.#client !== undefined, 'a sender is connected');
    return this.#client;
  }

  #transmit(event: Pending): void {
    this.#pending.push(event);
    if (this.#opened().send(event.key, event.data) || this.#drain !== undefined) return;
    let resolve: () => void = () => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    this.#drain = { promise, resolve };
  }

  #onRefusal({ first, count, code, retryable, retryAfterMs, message }: Refused): void {
    if (code === 'on_disk') {
      // The daemon has them, and delivers them by itself.
      this.tally.onDisk += count;
      return;
    }
    for (let number = first; number < first + count; number += 1) {
      const event = this.#pending[this.#head + number - this.#first];
      assert(event !== undefined, 'a refused event was sent and not judged before');
      event.refused = true;
      if (retryable && event.retries < this.#retriesMax) this.#refused.push(event);
      else this.#abandon(event, code, message);
    }
    if (this.#refused.length === 0) return;
    this.#retryAfterMs = retryAfterMs;
    this.#resending ??= this.#resend();
  }

  #abandon(event: Pending, code: string, message: string): void {
    assert(event.refused, 'only a refused event is given up');
    this.tally.refuse(code, message, event.origin);
  }

  /** Waits as long as the daemon said, then sends what was refused until then. */
  async #resend(): Promise<void> {
    await this.#rules.sleep(this.#retryAfterMs);
    const events = this.#refused;
    this.#refused = [];
    this.#resending = undefined;
    if (this.#error !== undefined) return;
    for (const event of events) {
      this.tally.resent += 1;
      this.#transmit({ ...event, retries: event.retries + 1, refused: false });
    }
  }

  #onAck(number: number): void {
    while (this.#first <= number) {
      if (this.#pending[this.#head]?.refused === false) this.tally.accepted += 1;
      this.#head += 1;
      this.#first += 1;
    }
    // What was judged is let go of in pieces: shifting one by one would cost more than keeping some.
    if (this.#head * 2 > this.#pending.length) {
      this.#pending = this.#pending.slice(this.#head);
      this.#head = 0;
    }
  }

  #onDrain(): void {
    this.#drain?.resolve();
    this.#drain = undefined;
  }
}
