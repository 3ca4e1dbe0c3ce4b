/**
 * One `POST /v1/streams/{stream}/events`: from a head that can be served to the answer. Main thread; made by the HTTP listener.
 * The body goes through a LandedStream; this file decides how it ends and what the sender is told.
 *
 * | how it ended | status |
 * |---|---|
 * | all events taken | 202 |
 * | some refused for good, the others taken; or the body is no body of events from some place on | 400 |
 * | an event was refused as `saturated` | 429, `Retry-After` |
 * | ... as `stream_unavailable`, `dlq_full`, `draining`; no room within the request's time; unfinished events take too much memory | 503, `Retry-After` |
 * | the body did not end within the request's time, or stalled | 408 |
 * | more than `bodyBytesMax` | 413 |
 *
 * With `Spillway-Ack: stream` the first two wait until each event has its fate, at most `ackTimeoutMs`: 200, when all that were
 * accepted are in Kinesis; else 202 (400, when some were refused). The answers then count `delivered`, `onDisk`, `rejected` and
 * `pending` too; the others do, but do not wait. `Spillway-Receipt: 1` adds `receipts`, by index of the event.
 *
 * With `Spillway-Ack: disk` every answer waits until what was taken is on disk, at most `ackTimeoutMs`: 200 in place of 202, and
 * `accepted` counts what is on disk. Where not all is, by then or by `journal.ack_timeout`, the answer is 503 `disk_stalled`, and
 * `taken` names the first event that is not: those behind it that are in the daemon nevertheless are `uncertain`.
 *
 * Long because every way in which a request can end is told here.
 *
 * Every answer counts `accepted` (of these `spilled`) and `refused`. 408, 413, 429 and 503 say in `taken` how many events of the
 * body were judged before: the sender goes on with the event of that index (of lines: with line `nextLine`). 429 and 503 say in
 * `retryAfterMs` what `Retry-After` says in whole seconds, rounded up.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Arena } from '../ring/arena.ts';
import type { CarryPool } from './carry.ts';
import { senderOf } from './fair-shares.ts';
import type { Framer } from './framer.ts';
import { RequestDelivery } from './http-delivery.ts';
import { carryFullFault, type Fault, lateFault, stalledFault } from './http-faults.ts';
import { bodyTooLarge, type EventsHead } from './http-head.ts';
import { type Intake, type Landing, type Refusal, refusals, Verdict } from './intake.ts';
import { JsonArrayFramer } from './json-array.ts';
import type { KeyFinder } from './json-key.ts';
import { LandedStream, type StreamEnd } from './landed-stream.ts';
import { LineFramer, type MissingKey } from './lines.ts';
import { RequestIntake } from './request-intake.ts';
import type { WatchSender } from './watched-intake.ts';

/** What the listener lends to its requests. */
export interface EventsHost {
  readonly arena: Arena;
  readonly landing: Landing;
  readonly intake: Intake;
  readonly nowUs: () => number;
  readonly carryPool: CarryPool;
  readonly keyFinder?: KeyFinder | undefined;
  readonly missingKey: MissingKey;
  /** 1024 bytes of the arena for the partition key of a whole request; may be the finder's scratch. */
  readonly requestKeyOffset: number;
  /** Most bytes of one event, beside the stream's own limit. */
  readonly eventBytesMax: number;
  readonly createFrameFramer: (intake: Intake, stream: number) => Framer;
  readonly bodyBytesMax: number;
  readonly requestTimeoutMs: number;
  readonly watchSender: WatchSender;
  /** How long a request of ack level `stream` or `disk` waits for what it sent. */
  readonly ackTimeoutMs: number;
  /** A connection whose requests find no room for all of their events for so long is closed behind an answer; 0: none is. */
  readonly letGoAfterMs: number;
  /** Told of each that is. */
  readonly onLetGo: () => void;
}

/** Writes an answer: the listener's, which also sees to bodies that were not read. */
export type Answer = (
  response: ServerResponse,
  status: number,
  body: object,
  headers?: Readonly<Record<string, string>>,
) => void;

/** A body that brings less than this in the listener's stall timeout is stalled. */
const slowBytes = 1_024;

export class EventsRequest {
  readonly #host: EventsHost;
  readonly #head: EventsHead;
  readonly #input: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #answer: Answer;
  readonly #request: RequestIntake;
  readonly #framer: Framer;
  readonly #lines: LineFramer | undefined;
  readonly #stream: LandedStream;
  readonly #timer: NodeJS.Timeout;
  readonly #eventBytesMax: number;
  /** Of a request of ack level `stream` or `disk`. */
  readonly #delivery: RequestDelivery | undefined;
  readonly #ended: (bytesRead: number) => void;
  /** How far the body was when it last had moved by {@link slowBytes}, and when that was seen. */
  #movedBytes = 0;
  #movedMs = Number.NaN;
  /** Why the listener ended this request, when it did. */
  #fault: Fault | undefined;

  constructor(
    host: EventsHost,
    head: EventsHead,
    input: IncomingMessage,
    response: ServerResponse,
    answer: Answer,
    ended: (bytesRead: number) => void,
  ) {
    this.#host = host;
    this.#head = head;
    this.#input = input;
    this.#response = response;
    this.#answer = answer;
    const { arena, landing, intake, nowUs, carryPool, bodyBytesMax, requestTimeoutMs } = host;
    this.#eventBytesMax = Math.min(host.eventBytesMax, intake.eventBytesMax(head.stream));
    this.#ended = ended;
    const { ack, receipts } = head;
    this.#delivery = ack === 'memory' ? undefined : new RequestDelivery(host.watchSender, ack, receipts);
    this.#request = new RequestIntake(this.#delivery?.intake ?? intake, arena, {
      stream: head.stream,
      key: head.key,
      keyOffset: host.requestKeyOffset,
      ...(head.form === 'lines' ? { numberOf: () => this.#lines?.lineNumber ?? 0 } : {}),
    });
    this.#framer = this.#createFramer();
    this.#lines = this.#framer instanceof LineFramer ? this.#framer : undefined;
    this.#timer = setTimeout(() => this.#late(), requestTimeoutMs);
    this.#stream = new LandedStream({
      input,
      framer: this.#framer,
      arena,
      landing,
      intake: this.#request,
      sender: senderOf(input.socket),
      carryPool,
      nowUs,
      bytesMax: bodyBytesMax,
      beforeParse: () => this.#request.placeKey(),
      onParsed: () => {
        this.#framer.takeAnswer();
        this.#delivery?.step();
        return this.#request.stoppedBy === undefined;
      },
      onEnd: (end) => {
        clearTimeout(this.#timer);
        this.#conclude(end);
      },
    });
  }

  /** All of its body has come, though perhaps not all is judged. */
  get complete(): boolean {
    return this.#input.complete;
  }

  /** Ends the request when its body has hardly moved for `stallMs`, and not for want of room. */
  look(nowMs: number, stallMs: number): void {
    const { bytesRead, blocked } = this.#stream;
    if (blocked || this.complete || bytesRead - this.#movedBytes >= slowBytes || Number.isNaN(this.#movedMs)) {
      this.#movedBytes = bytesRead;
      this.#movedMs = nowMs;
    } else if (nowMs - this.#movedMs >= stallMs) this.fail(stalledFault(stallMs));
  }

  /** Ends the request with a fault of the connection (bytes that are no HTTP); the sender is told what was taken. */
  fail(fault: Fault): void {
    this.#fault = fault;
    this.#stream.end();
  }

  /** Lets the request end as it will, and its connection behind its answer. */
  closeAfter(): void {
    this.#response.setHeader('connection', 'close');
  }

  #createFramer(): Framer {
    const { arena, keyFinder, missingKey, createFrameFramer } = this.#host;
    const { form, stream, key } = this.#head;
    const intake = this.#request;
    const sought = key === undefined ? keyFinder : undefined;
    switch (form) {
      case 'lines': {
        const lineBytesMax = this.#eventBytesMax;
        return new LineFramer({ arena, intake, stream, keyFinder: sought, missingKey, lineBytesMax });
      }
      case 'array': {
        const elementBytesMax = this.#eventBytesMax;
        return new JsonArrayFramer({ arena, intake, stream, keyFinder: sought, missingKey, elementBytesMax });
      }
      case 'frames':
        return createFrameFramer(intake, stream);
    }
  }

  /** The request's time is over. */
  #late(): void {
    this.fail(lateFault(this.#stream.blocked, this.#host.requestTimeoutMs));
  }

  #conclude(end: StreamEnd): void {
    switch (end) {
      case 'finished':
        return this.#tellJudged(undefined);
      case 'stopped':
        return this.#tellStopped();
      case 'failed':
        return this.#tellFailed(this.#framer.failure);
      case 'too_long':
        return this.#tellFault(bodyTooLarge(this.#host.bodyBytesMax));
      case 'carry_full':
        return this.#tellFault(carryFullFault);
      case 'told':
        if (this.#fault !== undefined) this.#tellFault(this.#fault);
        else this.#over();
        return;
      case 'broken':
        this.#response.destroy();
        this.#over();
        return;
      default:
        return end satisfies never;
    }
  }

  /** Without a failure the framer only wants no more: the body said bye. */
  #tellFailed(failure: Refusal | undefined): void {
    if (failure === undefined) return this.#conclude('finished');
    const { code } = failure;
    const message = code === 'unknown_stream' ? 'the hello names another stream than the path' : failure.message;
    this.#tellJudged({ error: code, message, retryable: false });
  }

  /** All of the body is judged that can be. At ack level `stream` the sender hears of it when its events are delivered. */
  #tellJudged(fault: object | undefined): void {
    const delivery = this.#delivery;
    const isTaken = this.#request.refused === 0 && fault === undefined;
    if (delivery === undefined) return this.#tell(isTaken ? 202 : 400, fault);
    this.#await(delivery, () => {
      if (delivery.holdsAnswers && !delivery.isComplete) this.#tellStalled(delivery);
      else this.#tell(isTaken ? (delivery.isComplete ? 200 : 202) : 400, fault);
    });
  }

  /** Calls back when each event has its fate, or has waited long enough; not when the sender has gone. */
  #await(delivery: RequestDelivery, done: () => void): void {
    const gone = (): void => this.#over();
    this.#response.once('close', gone);
    delivery.wait(this.#host.ackTimeoutMs, () => {
      this.#response.off('close', gone);
      done();
    });
  }

  /** Not all that was taken is known to be on disk. */
  #tellStalled(delivery: RequestDelivery): void {
    const { code, message } = refusals[Verdict.diskStalled] ?? { code: '', message: '' };
    const headers = { 'retry-after': '1' };
    this.#tell(503, { error: code, message, retryable: true, taken: delivery.judged }, headers);
  }

  /** The request needs nothing any more. */
  #over(): void {
    this.#delivery?.close();
    this.#ended(this.#stream.bytesRead);
  }

  #tellStopped(): void {
    const verdict = this.#request.stoppedBy as Verdict;
    const { code, message } = refusals[verdict] ?? { code: 'refused', message: '' };
    this.#tellFault({ status: verdict === Verdict.saturated ? 429 : 503, code, message });
  }

  /** An answer to a body of which not all was judged. */
  #tellFault(fault: Fault): void {
    const delivery = this.#delivery;
    if (delivery?.holdsAnswers !== true) return this.#tellFaultNow(fault);
    this.#await(delivery, () => {
      if (delivery.isComplete) this.#tellFaultNow(fault);
      else this.#tellStalled(delivery);
    });
  }

  #tellFaultNow({ status, code, message }: Fault): void {
    if (status !== 429 && status !== 503) {
      return this.#tell(status, { error: code, message, retryable: false, ...this.#whereToGoOn() });
    }
    const retryAfterMs = this.#host.intake.retryAfterMs(this.#head.stream);
    const headers = { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) };
    this.#tell(status, { error: code, message, retryable: true, retryAfterMs, ...this.#whereToGoOn() }, headers);
  }

  #letGo(): void {
    const { letGoAfterMs, nowUs, onLetGo } = this.#host;
    const { accepted, refused } = this.#request;
    const withoutRoomMs = senderOf(this.#input.socket).withoutRoomMs(accepted + refused > 0, nowUs());
    if (letGoAfterMs === 0 || withoutRoomMs < letGoAfterMs) return;
    this.closeAfter();
    onLetGo();
  }

  #whereToGoOn(): { taken: number; nextLine?: number } {
    const { taken } = this.#request;
    return this.#lines === undefined ? { taken } : { taken, nextLine: this.#lines.lineNumber };
  }

  #tell(status: number, fault: object | undefined, headers?: Readonly<Record<string, string>>): void {
    this.#letGo();
    const counted = this.#request.tell(this.#head.form, this.#eventBytesMax);
    this.#answer(this.#response, status, { ...fault, ...counted, ...this.#delivery?.tell() }, headers);
    this.#over();
  }
}
