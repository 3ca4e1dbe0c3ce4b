/**
 * What a connection of frames still has to be told: the hello's answer, runs of refused events, the breaker's state, one
 * cumulative ack, an error. Main thread; owned by one parser (frames.ts), emptied by its listener once per turn.
 *
 * Consecutive refusals with one verdict are one frame. The bytes wait in one small buffer that grows to `answerBytesMax` and
 * a frame more; when it is `full` the parser stops, so a sender cannot make it grow by what it sends.
 */
import { assert } from '../base/assert.ts';
import { refusalOf } from './frame-hello.ts';
import {
  ackBodyBytes,
  answerBodyBytesMax,
  breakerBodyBytes,
  DaemonFrame,
  errorHeadBytes,
  headerBytes,
  helloBodyBytes,
  protocolVersion,
  receiptHeadBytes,
  refusalHeadBytes,
  writeCount,
  writeHeader,
} from './frame-layout.ts';
import { type Refusal, refusalMessage, type Verdict } from './intake.ts';
import type { RecordPlace } from './watch.ts';

/** Answers that may wait for the end of the turn, in bytes. Bounds what a sender that provokes refusals costs. */
export const answerBytesMax = 16_384;
/** What the frames behind the last refusal need at most: one more refusal, receipt, breaker, ack, error. */
const tailBytesMax = 5 * (headerBytes + answerBodyBytesMax);
const initialBytes = 256;

export class FrameAnswers {
  /** What the stream takes, for the refusal of an event that has more. */
  eventBytesMax = 0;
  #bytes: Buffer = Buffer.allocUnsafeSlow(initialBytes);
  #used = 0;
  #runFirst = 0;
  #runCount = 0;
  #runVerdict: Verdict = 0;
  #runRetryAfterMs = 0;
  #receiptFirst = 0;
  #receiptCount = 0;
  #receiptRecord: RecordPlace | undefined;
  #receiptSubSequence = 0;
  #breakerState = 0;
  #breakerRetryAfterMs = 0;
  #breakerDue = false;
  #acked = 0;
  #ackDue = false;

  /** True when the parser must stop until the answers were taken. */
  get full(): boolean {
    return this.#used >= answerBytesMax;
  }

  hello(ackLevel: number, eventBytesMax: number, frameBytesMax: number): void {
    const at = this.#begin(helloBodyBytes, DaemonFrame.hello);
    this.#bytes[at] = protocolVersion;
    this.#bytes[at + 1] = ackLevel;
    this.#bytes.writeUInt16LE(0, at + 2);
    this.#bytes.writeUInt32LE(eventBytesMax, at + 4);
    this.#bytes.writeUInt32LE(frameBytesMax, at + 8);
  }

  /** Event frame `number` was refused like the one before it: its sender was told when to come again. False: it was not. */
  extended(number: number, verdict: Verdict): boolean {
    if (this.#runCount === 0 || this.#runVerdict !== verdict || this.#runFirst + this.#runCount !== number)
      return false;
    this.#runCount += 1;
    return true;
  }

  /** Event frame `number` was refused. */
  refused(number: number, verdict: Verdict, retryAfterMs: number): void {
    if (this.extended(number, verdict)) return;
    this.#endRun();
    this.#runFirst = number;
    this.#runCount = 1;
    this.#runVerdict = verdict;
    this.#runRetryAfterMs = retryAfterMs;
  }

  /** Event frame `number` is in Kinesis: in this record (undefined: not known), in this place of it. */
  receipt(number: number, record: RecordPlace | undefined, subSequence: number): void {
    const count = this.#receiptCount;
    const follows = count > 0 && this.#receiptRecord === record && this.#receiptFirst + count === number;
    if (follows && (record === undefined || this.#receiptSubSequence + count === subSequence)) {
      this.#receiptCount += 1;
      return;
    }
    this.#endReceipts();
    this.#receiptFirst = number;
    this.#receiptCount = 1;
    this.#receiptRecord = record;
    this.#receiptSubSequence = record === undefined ? 0 : subSequence;
  }

  /** Only the newest state is told: a sender wants to know what is, not what was. */
  breaker(state: number, retryAfterMs: number): void {
    this.#breakerState = state;
    this.#breakerRetryAfterMs = retryAfterMs;
    this.#breakerDue = true;
  }

  /** The sender asked for an ack, also when there is nothing new to acknowledge. */
  ackNow(): void {
    this.#ackDue = true;
  }

  /** Why the connection is about to be closed. Acknowledges `judged` first, so that nothing is said after the error. */
  error(judged: number, refusal: Refusal): void {
    this.#settle(judged);
    const code = Buffer.from(refusal.code);
    const message = Buffer.from(refusal.message).subarray(0, answerBodyBytesMax - errorHeadBytes - code.length);
    const at = this.#begin(errorHeadBytes + code.length + message.length, DaemonFrame.error);
    this.#bytes.writeUInt16LE(code.length, at);
    this.#bytes[at + 2] = refusal.retryable ? 1 : 0;
    this.#bytes[at + 3] = 0;
    code.copy(this.#bytes, at + errorHeadBytes);
    message.copy(this.#bytes, at + errorHeadBytes + code.length);
  }

  /** Everything that is due, `judged` event frames having been judged; undefined when that is nothing. */
  take(judged: number): Buffer | undefined {
    this.#settle(judged);
    if (this.#used === 0) return undefined;
    const answer = Buffer.from(this.#bytes.subarray(0, this.#used));
    this.#used = 0;
    return answer;
  }

  /** Writes refusals before the ack that covers them. */
  #settle(judged: number): void {
    this.#endRun();
    this.#endReceipts();
    if (this.#breakerDue) {
      const at = this.#begin(breakerBodyBytes, DaemonFrame.breaker);
      this.#bytes.writeUInt32LE(this.#breakerState, at);
      this.#bytes.writeUInt32LE(this.#breakerRetryAfterMs, at + 4);
      this.#breakerDue = false;
    }
    if (!this.#ackDue && judged === this.#acked) return;
    // First: it may put a larger buffer in place of this.#bytes.
    const at = this.#begin(ackBodyBytes, DaemonFrame.ack);
    writeCount(this.#bytes, judged, at);
    this.#ackDue = false;
    this.#acked = judged;
  }

  #endRun(): void {
    if (this.#runCount === 0) return;
    const refusal = refusalOf(this.#runVerdict);
    const text = Buffer.from(refusal.code + refusalMessage(this.#runVerdict, this.eventBytesMax));
    const at = this.#begin(refusalHeadBytes + text.length, DaemonFrame.refusal);
    writeCount(this.#bytes, this.#runFirst, at);
    this.#bytes.writeUInt32LE(this.#runCount, at + 8);
    this.#bytes[at + 12] = this.#runVerdict;
    this.#bytes[at + 13] = refusal.retryable ? 1 : 0;
    this.#bytes.writeUInt16LE(Buffer.byteLength(refusal.code), at + 14);
    this.#bytes.writeUInt32LE(refusal.retryable ? this.#runRetryAfterMs : 0, at + 16);
    text.copy(this.#bytes, at + refusalHeadBytes);
    this.#runCount = 0;
  }

  #endReceipts(): void {
    if (this.#receiptCount === 0) return;
    const shardId = Buffer.from(this.#receiptRecord?.shardId ?? '');
    const sequenceNumber = Buffer.from(this.#receiptRecord?.sequenceNumber ?? '');
    const at = this.#begin(receiptHeadBytes + shardId.length + sequenceNumber.length, DaemonFrame.receipt);
    writeCount(this.#bytes, this.#receiptFirst, at);
    this.#bytes.writeUInt32LE(this.#receiptCount, at + 8);
    this.#bytes.writeUInt32LE(this.#receiptSubSequence, at + 12);
    this.#bytes[at + 16] = shardId.length;
    this.#bytes[at + 17] = sequenceNumber.length;
    this.#bytes.writeUInt16LE(0, at + 18);
    shardId.copy(this.#bytes, at + receiptHeadBytes);
    sequenceNumber.copy(this.#bytes, at + receiptHeadBytes + shardId.length);
    this.#receiptCount = 0;
  }

  /** Makes room for one frame and writes its header; returns where its body begins. */
  #begin(bodyBytes: number, type: number): number {
    assert(bodyBytes <= answerBodyBytesMax, 'an answer is a small frame');
    const needed = this.#used + headerBytes + bodyBytes;
    assert(needed <= answerBytesMax + tailBytesMax, 'answers that wait are bounded');
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.#used);
      this.#bytes = grown;
    }
    const at = writeHeader(this.#bytes, this.#used, bodyBytes, type, 0, 0);
    this.#used = needed;
    return at;
  }
}
