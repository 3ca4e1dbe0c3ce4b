/**
 * The senders of bench/overload, as a process of its own with a connection each. They send frames at the rates that they are told
 * (`{ type: 'rates', eventsPerSecond: [...] }`), whatever is answered, and report what was (`{ type: 'report' }`), per connection,
 * since the last report. Ends when its channel does.
 */
import { connect, type Socket } from 'node:net';
import { AnswerReader } from '../src/client/answers.ts';
import { createLoad, keyCount } from './end-to-end-load.ts';

/** What one connection saw since the last report. Times are of the answer, from the write of the event. */
export interface SenderReport {
  readonly sent: number;
  readonly accepted: number;
  readonly refused: number;
  readonly ackMs: readonly number[];
  readonly refusalMs: readonly number[];
  /** Refusals that named no time to come again. */
  readonly unhinted: number;
  /** Events that were due and could not be written: the daemon, or this process, was too slow. */
  readonly behind: number;
}

export type Order =
  | { readonly type: 'rates'; readonly eventsPerSecond: readonly number[] }
  | { readonly type: 'report' };

const tickMs = 2;
/** Unwritten bytes beyond which a connection counts as held. */
const unwrittenBytesMax = 4 * 1024 ** 2;
/** Samples kept of one kind between two reports. */
const samplesMax = 20_000;

const { hello, block } = createLoad({ name: '', framing: 'frames', eventBytes: 200 });
const frameBytes = block.length / keyCount;

class Sender {
  eventsPerSecond = 0;
  readonly #socket: Socket;
  #sent = 0;
  #judged = 0;
  #refused = 0;
  #due = 0;
  #lastMs = performance.now();
  /** Writes that are not wholly judged yet: number of their last event, and when. */
  #writes: { readonly last: number; readonly atMs: number }[] = [];
  #ackMs: number[] = [];
  #refusalMs: number[] = [];
  #unhinted = 0;
  #reported = { sent: 0, judged: 0, refused: 0 };

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.write(hello);
    const reader = new AnswerReader({
      onHello: () => {},
      onAck: (number) => this.#acked(number),
      onRefusal: ({ first, count, retryAfterMs }) => this.#wasRefused(first, count, retryAfterMs),
      onBreaker: () => {},
      onError: (error) => {
        throw error;
      },
    });
    this.#socket.on('data', (bytes: Buffer) => reader.push(bytes));
  }

  tick(): void {
    const nowMs = performance.now();
    this.#due += (this.eventsPerSecond * (nowMs - this.#lastMs)) / 1_000;
    this.#lastMs = nowMs;
    const events = Math.floor(this.#due);
    if (events === 0 || this.#socket.writableLength > unwrittenBytesMax) return;
    this.#due -= events;
    for (let left = events; left > 0; ) {
      const from = this.#sent % keyCount;
      const count = Math.min(left, keyCount - from);
      this.#socket.write(block.subarray(from * frameBytes, (from + count) * frameBytes));
      this.#sent += count;
      left -= count;
    }
    this.#writes.push({ last: this.#sent, atMs: nowMs });
  }

  report(): SenderReport {
    const { sent, judged, refused } = this.#reported;
    const report = {
      sent: this.#sent - sent,
      accepted: this.#judged - judged - (this.#refused - refused),
      refused: this.#refused - refused,
      ackMs: this.#ackMs,
      refusalMs: this.#refusalMs,
      unhinted: this.#unhinted,
      behind: Math.floor(this.#due),
    };
    this.#reported = { sent: this.#sent, judged: this.#judged, refused: this.#refused };
    this.#ackMs = [];
    this.#refusalMs = [];
    this.#unhinted = 0;
    this.#due = 0;
    return report;
  }

  #acked(number: number): void {
    this.#judged = number;
    const nowMs = performance.now();
    let done = 0;
    for (const { last, atMs } of this.#writes) {
      if (last > number) break;
      done++;
      if (this.#ackMs.length < samplesMax) this.#ackMs.push(nowMs - atMs);
    }
    this.#writes.splice(0, done);
  }

  /** A refusal comes before the ack of its event: the write is still known. */
  #wasRefused(first: number, count: number, retryAfterMs: number): void {
    this.#refused += count;
    if (retryAfterMs === 0) this.#unhinted++;
    const write = this.#writes.find(({ last }) => last >= first);
    if (write !== undefined && this.#refusalMs.length < samplesMax)
      this.#refusalMs.push(performance.now() - write.atMs);
  }
}

const [path, count] = process.argv.slice(2);
if (path === undefined || count === undefined || process.send === undefined) {
  throw new Error('bench/overload starts this process');
}
const senders = Array.from({ length: Number(count) }, () => new Sender(path));
setInterval(() => {
  for (const sender of senders) sender.tick();
}, tickMs);
process.on('message', (order: Order) => {
  if (order.type === 'report') process.send?.(senders.map((sender) => sender.report()));
  else
    senders.forEach((sender, i) => {
      sender.tick();
      sender.eventsPerSecond = order.eventsPerSecond[i] ?? 0;
    });
});
process.on('disconnect', () => process.exit(0));
