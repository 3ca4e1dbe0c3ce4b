/**
 * Reads what the daemon sends to a client of the binary protocol (../ingress/PROTOCOL.md). Runs in the sender's process;
 * called by client.ts with each chunk of the socket. Keeps at most one unfinished answer.
 */
import { SpillwayError } from '../base/errors.ts';
import {
  ackBodyBytes,
  answerBodyBytesMax,
  breakerBodyBytes,
  DaemonFrame,
  errorHeadBytes,
  headerBytes,
  helloBodyBytes,
  readCount,
  receiptHeadBytes,
  refusalHeadBytes,
} from '../ingress/frame-layout.ts';

/** What the daemon told in its hello. */
export interface Limits {
  /** Most bytes that data and partition key of one event may have together. */
  readonly eventBytesMax: number;
  readonly frameBytesMax: number;
}

/** A run of events that the daemon did not take. Events are numbered from 1 in the order of sending. */
export interface Refused {
  readonly first: number;
  readonly count: number;
  readonly code: string;
  readonly retryable: boolean;
  /** Milliseconds to wait before sending them again; 0 when that cannot help. */
  readonly retryAfterMs: number;
  readonly message: string;
}

/** Consecutive events that are in Kinesis, in consecutive places of one record. */
export interface Receipt {
  readonly first: number;
  readonly count: number;
  /** Undefined: Kinesis has the events, but where is not known (the daemon's worker that knew is gone). */
  readonly record:
    | { readonly shardId: string; readonly sequenceNumber: string; readonly subSequence: number }
    | undefined;
}

export interface AnswerHandler {
  onHello(limits: Limits): void;
  onAck(number: number): void;
  onRefusal(refused: Refused): void;
  /** Absent: the sender did not ask. */
  onReceipt?(receipt: Receipt): void;
  /** `state`: 0 closed, 1 half open, 2 open. */
  onBreaker(state: number, retryAfterMs: number): void;
  /** The daemon said why it ends the connection. */
  onError(error: SpillwayError): void;
}

/** How a line of text begins, where a frame cannot: `{"`. */
const turnedAwayBytes = 0x227b;
/** Longest line that a connection is turned away with. */
const turnedAwayBytesMax = 4_096;
const newline = 0x0a;

const bodyBytesMin: Readonly<Record<number, number>> = {
  [DaemonFrame.hello]: helloBodyBytes,
  [DaemonFrame.ack]: ackBodyBytes,
  [DaemonFrame.refusal]: refusalHeadBytes,
  [DaemonFrame.breaker]: breakerBodyBytes,
  [DaemonFrame.error]: errorHeadBytes,
  [DaemonFrame.receipt]: receiptHeadBytes,
};

export class AnswerReader {
  readonly #handler: AnswerHandler;
  #rest: Buffer = Buffer.alloc(0);

  constructor(handler: AnswerHandler) {
    this.#handler = handler;
  }

  /** Reads the answers in `chunk`. Throws `bad_answer` when they are none: the other end is no spillway, or a newer one. */
  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let offset = 0;
    while (bytes.length - offset >= headerBytes) {
      if (bytes.readUInt16LE(offset) === turnedAwayBytes) {
        offset += this.#turnedAway(bytes.subarray(offset));
        break;
      }
      const bodyBytes = bytes.readUInt32LE(offset);
      const type = bytes.readUInt8(offset + 4);
      if (bodyBytes > answerBodyBytesMax || bodyBytes < (bodyBytesMin[type] ?? Number.POSITIVE_INFINITY)) {
        throw badAnswer(`a frame of type ${type} with ${bodyBytes} bytes`);
      }
      const end = offset + headerBytes + bodyBytes;
      if (end > bytes.length) break;
      this.#answer(type, bytes.subarray(offset + headerBytes, end));
      offset = end;
    }
    this.#rest = Buffer.from(bytes.subarray(offset));
  }

  #answer(type: number, body: Buffer): void {
    const handler = this.#handler;
    switch (type) {
      case DaemonFrame.hello:
        handler.onHello({ eventBytesMax: body.readUInt32LE(4), frameBytesMax: body.readUInt32LE(8) });
        break;
      case DaemonFrame.ack:
        handler.onAck(readCount(body, 0));
        break;
      case DaemonFrame.refusal:
        handler.onRefusal(readRefusal(body));
        break;
      case DaemonFrame.receipt:
        handler.onReceipt?.(readReceipt(body));
        break;
      case DaemonFrame.breaker:
        handler.onBreaker(body.readUInt8(0), body.readUInt32LE(4));
        break;
      default: {
        const textStart = errorHeadBytes + body.readUInt16LE(0);
        const code = body.toString('utf8', errorHeadBytes, textStart);
        handler.onError(new SpillwayError(code, body.toString('utf8', textStart), { retryable: body[2] === 1 }));
      }
    }
  }

  /** One line of JSON in place of frames. Returns the bytes read: 0 until the line is whole. */
  #turnedAway(bytes: Buffer): number {
    const end = bytes.indexOf(newline);
    if (end < 0) {
      if (bytes.length > turnedAwayBytesMax) throw badAnswer('a line that does not end');
      return 0;
    }
    let told: { error?: unknown; message?: unknown; retryable?: unknown };
    try {
      told = JSON.parse(bytes.toString('utf8', 0, end)) as typeof told;
    } catch {
      throw badAnswer('a line that is not JSON');
    }
    const retryable = told.retryable === true;
    this.#handler.onError(new SpillwayError(String(told.error), String(told.message), { retryable }));
    return end + 1;
  }
}

function readRefusal(body: Buffer): Refused {
  const textStart = refusalHeadBytes + body.readUInt16LE(14);
  return {
    first: readCount(body, 0),
    count: body.readUInt32LE(8),
    code: body.toString('utf8', refusalHeadBytes, textStart),
    retryable: body[13] === 1,
    retryAfterMs: body.readUInt32LE(16),
    message: body.toString('utf8', textStart),
  };
}

function readReceipt(body: Buffer): Receipt {
  const shardEnd = receiptHeadBytes + body.readUInt8(16);
  const sequenceEnd = shardEnd + body.readUInt8(17);
  const shardId = body.toString('latin1', receiptHeadBytes, shardEnd);
  const sequenceNumber = body.toString('latin1', shardEnd, sequenceEnd);
  const record = { shardId, sequenceNumber, subSequence: body.readUInt32LE(12) };
  return {
    first: readCount(body, 0),
    count: body.readUInt32LE(8),
    record: sequenceNumber === '' ? undefined : record,
  };
}

function badAnswer(what: string): SpillwayError {
  return new SpillwayError('bad_answer', `the other end sent ${what}: is it a spillway daemon of protocol version 1?`);
}
