/**
 * The parser of one connection's binary frames (PROTOCOL.md). Main thread; the socket listener calls it with bytes that lie in
 * the arena's landing zone, it offers each event to the intake where it lies, and gathers what the sender must be told.
 *
 * The loop over events allocates nothing, and reads two words per frame. A frame's declared length is trusted only up to
 * `frameBytesMax`: a longer event is refused by its number at its header, and its body is dropped as it arrives. A header that
 * makes no sense ends the connection, since nothing tells where the next frame would begin. Longer than most files: the loop
 * and the odd frames beside it move one position, and read better together.
 *
 * Long because the loop and the ways out of it share its state.
 */
import { assert } from '../base/assert.ts';
import type { Arena } from '../ring/arena.ts';
import { FrameAnswers } from './frame-answers.ts';
import { readHello, refusalOf } from './frame-hello.ts';
import {
  AckLevel,
  ackLevelDefault,
  EventFlag,
  eventFlagsMask,
  hashKeyBytes,
  headerBytes,
  SenderFrame,
} from './frame-layout.ts';
import type { Framer } from './framer.ts';
import { firstRefusal, type Intake, noHashKey, type Refusal, randomKeyLength, Verdict } from './intake.ts';
import { Fate } from './watch.ts';
import type { WatchedIntake, WatchSender } from './watched-intake.ts';

export interface FrameFramerOptions {
  readonly arena: Arena;
  readonly intake: Intake;
  /** Stream of connections whose hello names none; undefined: they must name one. */
  readonly defaultStream: number | undefined;
  /** Most bytes of a frame's header and body together: what the listener can carry from read to read. */
  readonly carryBytesMax: number;
  /** For connections of ack level `disk` or `stream`; absent: they are refused. */
  readonly watchSender?: WatchSender | undefined;
  /** For connections that ask for the listener's; absent: memory. */
  readonly ackDefault?: 'memory' | 'disk' | 'stream';
}

/** A parser for one connection that began with {@link helloByte}. */
export function createFrameFramer(options: FrameFramerOptions): Framer {
  return new FrameFramer(options);
}

/** When a sender may try again whose event did not get to the disk in time. */
const stalledRetryMs = 1_000;

/** Why a step of the parser ended. */
const Step = { more: 0, unfinished: 1, stopped: 2 } as const;
type Step = (typeof Step)[keyof typeof Step];

class FrameFramer implements Framer {
  #intake: Intake;
  /** Frames are not aligned: a DataView reads their words in one load each. */
  readonly #view: DataView;
  readonly #arena: Arena;
  readonly #defaultStream: number | undefined;
  readonly #carryBytesMax: number;
  readonly #answers = new FrameAnswers();
  #greeted = false;
  #stream = -1;
  #frameBytesMax = 0;
  /** Event frames judged so far; the last one's number. */
  #judged = 0;
  #oversized = 0;
  /** Bytes of an oversized body that are still to come. */
  #skipBytes = 0;
  #offset = 0;
  #blocked = false;
  #failed = false;
  #failure: Refusal | undefined;
  #wantedBytes = 0;
  #answersLeft = false;
  readonly #options: FrameFramerOptions;
  /** Of a connection of ack level `disk` or `stream`. */
  #watched: WatchedIntake | undefined;
  /** The error that ends the connection; it is told behind the last ack. */
  #error: Refusal | undefined;
  onDue?: () => void;

  constructor(options: FrameFramerOptions) {
    this.#options = options;
    this.#intake = options.intake;
    this.#view = new DataView(options.arena.memory.buffer);
    this.#arena = options.arena;
    this.#defaultStream = options.defaultStream;
    this.#carryBytesMax = options.carryBytesMax;
  }

  get blocked(): boolean {
    return this.#blocked;
  }
  get stream(): number {
    return this.#stream;
  }
  get failed(): boolean {
    return this.#failed && !this.awaiting;
  }
  get awaiting(): boolean {
    return this.#watched !== undefined && !this.#watched.watch.closed && this.#watched.watch.done < this.#judged;
  }
  get failure(): Refusal | undefined {
    return this.#failure;
  }
  get congested(): boolean {
    return this.#answers.full && !this.#failed;
  }
  get wantedBytes(): number {
    return this.#wantedBytes;
  }
  get judged(): number {
    return this.#judged;
  }
  get skipping(): boolean {
    return this.#skipBytes > 0;
  }
  get offered(): number {
    return this.#judged - this.#oversized;
  }

  get answersLeft(): boolean {
    return this.#watched !== undefined && this.#answersLeft;
  }

  takeAnswer(): Buffer | undefined {
    if (this.#watched !== undefined) this.#tellFates(this.#watched);
    if (this.#error !== undefined && !this.awaiting) {
      this.#answers.error(this.#acked, this.#error);
      this.#error = undefined;
    }
    return this.#answers.take(this.#acked);
  }

  leave(code: string, message: string, retryable: boolean): void {
    if (this.#watched !== undefined) {
      this.#tellFates(this.#watched);
      this.#watched.watch.close();
    }
    this.#error ??= { code, message, retryable };
    this.#failed = true;
    this.#failure ??= this.#error;
  }

  whenRoom(resume: () => void): void {
    this.#intake.whenRoom(this.#stream, resume);
  }

  close(): void {
    this.#watched?.watch.close();
  }

  tellBreaker(state: number, retryAfterMs: number): void {
    if (this.#greeted && !this.#failed) this.#answers.breaker(state, retryAfterMs);
  }

  consume(start: number, end: number, timeUs: number): number {
    assert(start <= end, 'the bytes to parse begin before they end');
    this.#offset = start;
    this.#blocked = false;
    this.#wantedBytes = 0;
    if (this.#failed) return end;
    let step: Step = this.#greeted ? Step.more : this.#hello(end);
    while (step === Step.more) {
      if (this.#skipBytes > 0) step = this.#skip(end);
      if (step === Step.more) step = this.#events(end, timeUs);
      if (step === Step.more) step = this.#oddFrame(end, timeUs);
    }
    return this.#failed ? end : this.#offset;
  }

  finish(start: number, end: number, timeUs: number): number {
    const taken = this.consume(start, end, timeUs);
    if (this.#failed || this.#blocked || this.congested) return taken;
    if (taken < end || this.#skipBytes > 0) {
      this.#fail({ code: 'truncated', message: 'the connection ended inside a frame', retryable: false });
    }
    return end;
  }

  /** The hot loop: plain event frames, no flags. Ends at a frame that is not one (`more`), or for want of bytes or room. */
  #events(end: number, timeUs: number): Step {
    const view = this.#view;
    const intake = this.#intake;
    const stream = this.#stream;
    const bodyBytesMax = this.#frameBytesMax - headerBytes;
    let offset = this.#offset;
    let judged = this.#judged;
    let step: Step = Step.unfinished;
    while (end - offset >= headerBytes) {
      const bodyBytes = view.getUint32(offset, true);
      const kind = view.getUint32(offset + 4, true);
      const keyBytes = kind >>> 16;
      const next = offset + headerBytes + bodyBytes;
      if ((kind & 0xffff) !== SenderFrame.event || keyBytes > bodyBytes || bodyBytes > bodyBytesMax) {
        step = Step.more;
        break;
      }
      if (next > end) {
        this.#wantedBytes = headerBytes + bodyBytes;
        break;
      }
      const keyOffset = offset + headerBytes;
      const dataOffset = keyOffset + keyBytes;
      const verdict = intake.offer(stream, keyOffset, keyBytes, dataOffset, next - dataOffset, noHashKey, timeUs);
      if (verdict === Verdict.blocked) {
        this.#blocked = true;
        step = Step.stopped;
        break;
      }
      offset = next;
      judged += 1;
      if (verdict >= firstRefusal && !this.#answers.extended(judged, verdict)) {
        this.#answers.eventBytesMax = intake.eventBytesMax(stream);
        this.#answers.refused(judged, verdict, intake.retryAfterMs(stream));
        if (this.#answers.full) {
          step = Step.stopped;
          break;
        }
      }
    }
    this.#offset = offset;
    this.#judged = judged;
    return step;
  }

  /** One frame that the hot loop left: an event with flags, an oversized or malformed one, flush, bye. */
  #oddFrame(end: number, timeUs: number): Step {
    const offset = this.#offset;
    const bodyBytes = this.#view.getUint32(offset, true);
    const type = this.#view.getUint8(offset + 4);
    const flags = this.#view.getUint8(offset + 5);
    const keyBytes = this.#view.getUint16(offset + 6, true);
    if (type === SenderFrame.event) return this.#oddEvent(bodyBytes, flags, keyBytes, end, timeUs);
    if (type !== SenderFrame.flush && type !== SenderFrame.bye) return this.#malformed(`frame type ${type} is unknown`);
    if (bodyBytes !== 0 || flags !== 0 || keyBytes !== 0) {
      return this.#malformed('flush and bye have neither body nor flags nor key');
    }
    this.#offset = offset + headerBytes;
    this.#answers.ackNow();
    if (type === SenderFrame.flush) return Step.more;
    this.#failed = true;
    return Step.stopped;
  }

  #oddEvent(bodyBytes: number, flags: number, keyBytes: number, end: number, timeUs: number): Step {
    const extraBytes = (flags & EventFlag.hashKey) === 0 ? 0 : hashKeyBytes;
    if ((flags & ~eventFlagsMask) !== 0) return this.#malformed(`event flags ${flags} are unknown`);
    if (extraBytes + keyBytes > bodyBytes)
      return this.#malformed(`a key of ${keyBytes} bytes is longer than its frame`);
    if ((flags & EventFlag.anyKey) !== 0 && keyBytes > 0) return this.#malformed('an event with any key brings a key');
    const bodyOffset = this.#offset + headerBytes;
    if (bodyBytes > this.#frameBytesMax - headerBytes) {
      this.#offset = bodyOffset;
      this.#skipBytes = bodyBytes;
      this.#oversized += 1;
      this.#intake.refuse(this.#stream, Verdict.eventTooLarge);
      return this.#judge(Verdict.eventTooLarge);
    }
    const next = bodyOffset + bodyBytes;
    if (next > end) {
      this.#wantedBytes = headerBytes + bodyBytes;
      return Step.unfinished;
    }
    const anyKey = (flags & EventFlag.anyKey) !== 0;
    const dataOffset = bodyOffset + extraBytes + keyBytes;
    const verdict = this.#intake.offer(
      this.#stream,
      anyKey ? this.#intake.randomKey() : bodyOffset + extraBytes,
      anyKey ? randomKeyLength : keyBytes,
      dataOffset,
      next - dataOffset,
      extraBytes === 0 ? noHashKey : bodyOffset,
      timeUs,
    );
    if (verdict === Verdict.blocked) {
      this.#blocked = true;
      return Step.stopped;
    }
    this.#offset = next;
    return this.#judge(verdict);
  }

  #judge(verdict: Verdict): Step {
    this.#judged += 1;
    if (verdict < firstRefusal) return Step.more;
    this.#answers.eventBytesMax = this.#intake.eventBytesMax(this.#stream);
    this.#answers.refused(this.#judged, verdict, this.#intake.retryAfterMs(this.#stream));
    return this.#answers.full ? Step.stopped : Step.more;
  }

  #skip(end: number): Step {
    const skipped = Math.min(this.#skipBytes, end - this.#offset);
    this.#skipBytes -= skipped;
    this.#offset += skipped;
    return this.#skipBytes > 0 ? Step.unfinished : Step.more;
  }

  #hello(end: number): Step {
    const hello = readHello(this.#arena, this.#offset, end);
    if (hello.kind === 'unfinished') return Step.unfinished;
    if (hello.kind === 'refused') return this.#fail(hello.refusal);
    const { streamName } = hello;
    const stream = streamName === '' ? this.#defaultStream : this.#intake.streamIndex(streamName);
    if (stream === undefined) return this.#fail(refusalOf(Verdict.unknownStream));
    const ackLevel =
      hello.ackLevel === ackLevelDefault ? AckLevel[this.#options.ackDefault ?? 'memory'] : hello.ackLevel;
    if (hello.receipts && ackLevel !== AckLevel.stream) {
      return this.#fail({ ...refusalOf(Verdict.ackLevel), message: 'receipts come with ack level stream' });
    }
    if (ackLevel !== AckLevel.memory) {
      this.#watched = this.#options.watchSender?.(ackLevel === AckLevel.disk ? 'disk' : 'stream', {
        receiptsMax: hello.receipts ? Number.POSITIVE_INFINITY : 0,
        onDue: () => this.onDue?.(),
        tellsSpills: true,
      });
      if (this.#watched === undefined) return this.#fail(refusalOf(Verdict.ackLevel));
      this.#intake = this.#watched;
    }
    this.#greet(stream, ackLevel);
    this.#offset = hello.next;
    return Step.more;
  }

  #greet(stream: number, ackLevel: number): void {
    const besideEvent = headerBytes + hashKeyBytes;
    const eventBytesMax = Math.min(this.#intake.eventBytesMax(stream), this.#carryBytesMax - besideEvent);
    this.#stream = stream;
    this.#frameBytesMax = eventBytesMax + besideEvent;
    this.#greeted = true;
    this.#answers.hello(ackLevel, eventBytesMax, this.#frameBytesMax);
  }

  /** Number up to which the sender has been told, or is told now, what became of its events. */
  get #acked(): number {
    return this.#watched === undefined ? this.#judged : this.#watched.watch.done;
  }

  /** Steps over the events that have their fate, as far as there is room for what must be told of them. */
  #tellFates({ watch }: WatchedIntake): void {
    const answers = this.#answers;
    this.#answersLeft = false;
    for (;;) {
      if (answers.full) {
        this.#answersLeft = true;
        return;
      }
      const fate = watch.next();
      if (fate === Fate.pending) return;
      if (fate === Fate.onDisk) answers.refused(watch.done, Verdict.onDisk, 0);
      else if (fate === Fate.rejected) answers.refused(watch.done, Verdict.rejected, 0);
      else if (fate === Fate.stalled) answers.refused(watch.done, Verdict.diskStalled, stalledRetryMs);
      else if (fate === Fate.delivered && watch.receiptsMax > 0) {
        answers.receipt(watch.done, watch.record, watch.subSequence);
      }
    }
  }

  #malformed(message: string): Step {
    this.#intake.refuse(this.#stream, Verdict.badFrame);
    return this.#fail({ ...refusalOf(Verdict.badFrame), message: `behind event frame ${this.#judged}: ${message}` });
  }

  #fail(refusal: Refusal): Step {
    this.#failed = true;
    this.#failure = refusal;
    this.#error = refusal;
    return Step.stopped;
  }
}
