/**
 * One connection of a client: sends frames, reads answers, keeps the window. Runs in the sender's process; made by client.ts.
 *
 * `connecting` until the daemon's hello; `open`; `closing` after close(); `closed` when the socket is gone. It never reconnects.
 */
import type { Socket } from 'node:net';
import { SpillwayError, toPlainError } from '../base/errors.ts';
import { SenderFrame } from '../ingress/frame-layout.ts';
import { type AnswerHandler, AnswerReader, type Limits, type Receipt, type Refused } from './answers.ts';
import { Blocks, blockBytesDefault } from './blocks.ts';
import type { Client, ClientOptions, Judged } from './contract.ts';
import { Window } from './window.ts';

const windowBytesDefault = 8 * 1024 * 1024;

interface FlushWaiter {
  readonly number: number;
  readonly resolve: (judged: Judged) => void;
  readonly reject: (error: SpillwayError) => void;
}

export class SocketClient implements Client, AnswerHandler {
  limits: Limits = { eventBytesMax: 0, frameBytesMax: 0 };
  readonly #socket: Socket;
  readonly #options: ClientOptions;
  readonly #blocks: Blocks;
  readonly #windowBytes: number;
  readonly #onReady: (client: Client) => void;
  readonly #onUnready: (error: SpillwayError) => void;
  /** `connecting` until the hello's answer; `closing` after close(); `closed` when the socket is gone. */
  #state: 'connecting' | 'open' | 'closing' | 'closed' = 'connecting';
  readonly #window = new Window();
  #refused = 0;
  #onDisk = 0;
  /** Refusals of events that are not acknowledged yet: at ack level `stream` they come long before. */
  #refusals: { first: number; count: number; isOnDisk: boolean }[] = [];
  #drainDue = false;
  #dispatchDue = false;
  #waiters: FlushWaiter[] = [];
  #error: SpillwayError | undefined;
  #helloTimer: NodeJS.Timeout | undefined;

  constructor(
    socket: Socket,
    options: ClientOptions,
    onReady: (client: Client) => void,
    onUnready: (error: SpillwayError) => void,
  ) {
    this.#socket = socket;
    this.#options = options;
    this.#windowBytes = options.windowBytes ?? windowBytesDefault;
    this.#onReady = onReady;
    this.#onUnready = onUnready;
    this.#blocks = new Blocks(options.blockBytes ?? blockBytesDefault, (bytes, done) => {
      this.#window.mark();
      socket.write(bytes, done);
    });
    const reader = new AnswerReader(this);
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        if (!(error instanceof SpillwayError)) throw error;
        socket.destroy(error);
      }
    });
    socket.on('error', (error) => this.#failed(error));
    socket.on('close', () => this.#closed());
  }

  get sent(): number {
    return this.#window.sent;
  }
  get judged(): Judged {
    const judged = { accepted: this.#window.acked - this.#refused, refused: this.#refused };
    return this.#onDisk === 0 ? judged : { ...judged, onDisk: this.#onDisk };
  }
  get unackedBytes(): number {
    return this.#window.unackedBytes;
  }

  awaitHello(timeoutMs: number): void {
    this.#helloTimer = setTimeout(() => {
      const message = `${this.#options.path} accepts connections but says no hello within ${timeoutMs} ms`;
      this.#socket.destroy(new SpillwayError('daemon_unreachable', message, { retryable: true }));
    }, timeoutMs);
  }

  send(
    key: string | Uint8Array | undefined,
    data: string | Uint8Array,
    options?: { readonly explicitHashKey?: Uint8Array },
  ): boolean {
    if (this.#state !== 'open') throw this.#lost();
    if (this.unackedBytes >= 2 * this.#windowBytes) {
      const message = `${this.unackedBytes} bytes are unacknowledged: wait for onDrain after send has answered false`;
      throw new SpillwayError('window_full', message, { retryable: true });
    }
    // A full block is written, and marked, before the event that did not fit in it is counted.
    this.#window.add(this.#blocks.event(key, data, options?.explicitHashKey));
    this.#dispatchSoon();
    if (this.unackedBytes < this.#windowBytes) return true;
    this.#drainDue = true;
    return false;
  }

  flush(): Promise<Judged> {
    if (this.#state === 'closed' || this.#state === 'connecting') return Promise.reject(this.#lost());
    if (this.#window.acked === this.#window.sent) return Promise.resolve(this.judged);
    this.#blocks.bare(SenderFrame.flush);
    this.#blocks.dispatch();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ number: this.#window.sent, resolve, reject });
    });
  }

  async close(): Promise<Judged> {
    if (this.#state === 'closed') return this.judged;
    const flushed = this.flush();
    this.#state = 'closing';
    try {
      return await flushed;
    } finally {
      this.#blocks.bare(SenderFrame.bye);
      this.#blocks.dispatch();
      this.#socket.end();
      await this.#gone();
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }

  onHello(limits: Limits): void {
    if (this.#state !== 'connecting') return;
    clearTimeout(this.#helloTimer);
    this.limits = limits;
    this.#state = 'open';
    this.#onReady(this);
  }

  onAck(number: number): void {
    if (!this.#window.ack(number)) {
      this.#socket.destroy(
        new SpillwayError('bad_answer', `the daemon acknowledged event ${number}, out of order or unsent`),
      );
      return;
    }
    this.#countRefusals(number);
    while (this.#waiters[0] !== undefined && this.#waiters[0].number <= number)
      this.#waiters.shift()?.resolve(this.judged);
    this.#options.onAck?.(number);
    if (this.#drainDue && this.unackedBytes <= this.#windowBytes / 2) {
      this.#drainDue = false;
      this.#options.onDrain?.();
    }
  }

  onRefusal(refused: Refused): void {
    const { first, count, code } = refused;
    this.#refusals.push({ first, count, isOnDisk: code === 'on_disk' });
    this.#options.onRefusal?.(refused);
  }

  onReceipt(receipt: Receipt): void {
    this.#options.onReceipt?.(receipt);
  }

  onBreaker(state: number, retryAfterMs: number): void {
    this.#options.onBreaker?.(state, retryAfterMs);
  }

  /** Events up to `number` are acknowledged: the refused ones among them count from now on. */
  #countRefusals(number: number): void {
    if (this.#refusals.length === 0) return;
    for (const refusal of this.#refusals) {
      const count = Math.max(0, Math.min(refusal.count, number - refusal.first + 1));
      if (refusal.isOnDisk) this.#onDisk += count;
      else this.#refused += count;
      refusal.first += count;
      refusal.count -= count;
    }
    this.#refusals = this.#refusals.filter(({ count }) => count > 0);
  }

  onError(error: SpillwayError): void {
    this.#error = error;
    this.#socket.end();
  }

  /** Whatever is sent in one turn leaves in as few writes as there are full blocks. */
  #dispatchSoon(): void {
    if (this.#dispatchDue) return;
    this.#dispatchDue = true;
    setImmediate(() => {
      this.#dispatchDue = false;
      if (this.#state !== 'closed') this.#blocks.dispatch();
    });
  }

  #failed(cause: Error): void {
    if (this.#error !== undefined) return;
    if (cause instanceof SpillwayError) this.#error = cause;
    else if (this.#state === 'connecting') this.#error = unreachable(this.#options.path, cause);
    else this.#error = this.#lost(cause);
  }

  #closed(): void {
    const orderly = this.#state === 'closing' && this.#window.acked === this.#window.sent;
    const wasConnecting = this.#state === 'connecting';
    const error = orderly ? undefined : (this.#error ?? this.#lost());
    clearTimeout(this.#helloTimer);
    this.#state = 'closed';
    this.#error ??= error;
    if (error !== undefined) {
      for (const waiter of this.#waiters) waiter.reject(error);
      if (wasConnecting) this.#onUnready(error);
    }
    this.#waiters = [];
    if (wasConnecting) return;
    const unknown = { first: this.#window.acked + 1, count: this.#window.unacked };
    this.#options.onClose?.(error === undefined ? unknown : { error, ...unknown });
  }

  #lost(cause?: Error): SpillwayError {
    if (this.#error !== undefined) return this.#error;
    const count = this.#window.unacked;
    const message = `the connection to ${this.#options.path} is closed; the outcome of ${count} events is unknown: see whether the daemon runs, then go on behind what was accepted`;
    const fields = { path: this.#options.path, firstUnacked: this.#window.acked + 1, unacked: count };
    return new SpillwayError('connection_lost', message, { retryable: true, fields, cause });
  }

  #gone(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    return new Promise((resolve) => this.#socket.once('close', () => resolve()));
  }
}

function unreachable(path: string, cause: Error): SpillwayError {
  const { code } = toPlainError(cause);
  const cures: Readonly<Record<string, string>> = {
    ENOENT: 'no such socket: is the daemon running, and is this its [[listen]] path?',
    ECONNREFUSED: 'nobody listens on it: start the daemon (spillway run), and see that this is its [[listen]] path',
    EACCES: 'no permission: join the group of the socket and of its directory, or set [[listen]] mode',
    EAGAIN: 'its queue of new connections is full: try again',
  };
  const message = `cannot reach a daemon at ${path}: ${cures[code] ?? cause.message}`;
  return new SpillwayError('daemon_unreachable', message, { retryable: true, fields: { path, cause: code }, cause });
}
