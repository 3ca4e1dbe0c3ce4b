/**
 * Feeds bytes to a framer as a listener would, in chunks of the test's choice: the simplest carrying there is, to hold the
 * real one against.
 */
import { AnswerReader, type Receipt, type Refused } from '../../src/client/answers.ts';
import type { Framer } from '../../src/ingress/framer.ts';
import type { Arena } from '../../src/ring/arena.ts';

/** Everything a sender was told, in order. */
export interface Told {
  readonly hellos: number[];
  readonly acks: number[];
  readonly refusals: Refused[];
  readonly receipts: Receipt[];
  readonly breakers: [state: number, retryAfterMs: number][];
  readonly errors: string[];
}

/** Collects answers through the client's reader. */
export function listening(): { told: Told; push: (answer: Buffer | undefined) => void } {
  const told: Told = { hellos: [], acks: [], refusals: [], receipts: [], breakers: [], errors: [] };
  const reader = new AnswerReader({
    onHello: ({ frameBytesMax }) => told.hellos.push(frameBytesMax),
    onAck: (number) => told.acks.push(number),
    onRefusal: (refused) => told.refusals.push(refused),
    onReceipt: (receipt) => told.receipts.push(receipt),
    onBreaker: (state, retryAfterMs) => told.breakers.push([state, retryAfterMs]),
    onError: ({ code }) => told.errors.push(code),
  });
  return { told, push: (answer) => answer !== undefined && reader.push(answer) };
}

export class Feeder {
  readonly #framer: Framer;
  readonly #arena: Arena;
  readonly #start: number;
  readonly #listening = listening();
  /** Bytes that the framer left. */
  rest: Buffer = Buffer.alloc(0);
  /** Most bytes that one `takeAnswer` gave. */
  answerBytesMost = 0;

  constructor(framer: Framer, arena: Arena, start: number) {
    this.#framer = framer;
    this.#arena = arena;
    this.#start = start;
  }

  get told(): Told {
    return this.#listening.told;
  }

  /** One read, and one turn: the answers are taken. Stops early when blocked or failed. */
  feed(chunk: Uint8Array): void {
    this.#run(Buffer.concat([this.rest, chunk]), (start, end) => this.#framer.consume(start, end, 1));
  }

  finish(): void {
    this.#run(this.rest, (start, end) => this.#framer.finish(start, end, 1));
  }

  takeAnswer(): void {
    const answer = this.#framer.takeAnswer();
    this.answerBytesMost = Math.max(this.answerBytesMost, answer?.length ?? 0);
    this.#listening.push(answer);
  }

  #run(bytes: Buffer, step: (start: number, end: number) => number): void {
    this.rest = bytes;
    let again = true;
    while (again) {
      this.#arena.bytes.set(this.rest, this.#start);
      const taken = step(this.#start, this.#start + this.rest.length);
      this.rest = Buffer.from(this.rest.subarray(taken - this.#start));
      again = this.#framer.congested === true;
      this.takeAnswer();
    }
  }
}
