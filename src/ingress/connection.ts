/**
 * One sender's connection: from bytes in the landing zone to answers on the socket. Main thread; made by a socket listener,
 * which owns it until `closed`. It knows no protocol: its framer does.
 *
 * ```
 *   reading ──▶ blocked    the intake has no room: nothing is read until whenRoom
 *      │ ◀──────   │
 *      ├─────▶ congested   the sender does not read its answers, or too many are due: nothing is read until they are written
 *      │ ◀──────   │
 *      ├───────────┼─▶ finishing nothing is read any more; leaves when the sender was told of the delivery of what it sent
 *      └───────────┴─▶ leaving   the last answer is written; what still comes is dropped; ends by the sender's end or a deadline
 *                         └─▶ closed
 * ```
 *
 * Long because each of its states ends in one of the others, by the same few fields.
 *
 * What is left of a read (an unfinished event, or everything behind a blocked one) waits in a buffer of the connection's own,
 * allocated on demand and counted against one limit over all connections.
 */
import type { Socket } from 'node:net';
import { assert } from '../base/assert.ts';
import type { Arena } from '../ring/arena.ts';
import { CarryBuffer, type CarryPool } from './carry.ts';
import { letGoRefusal, Sender } from './fair-shares.ts';
import type { Framer } from './framer.ts';
import type { Intake, Landing, Refusal } from './intake.ts';

/** Answers that may wait in a socket before its sender is no longer read from. */
export const unreadAnswerBytesMax = 65_536;

/** What one connection may bring in a turn of the event loop, before the others have theirs. */
export const turnBytesMax = 524_288;

/** What a listener lends to its connections. */
export interface ConnectionHost {
  readonly arena: Arena;
  readonly landing: Landing;
  readonly intake: Intake;
  readonly carryPool: CarryPool;
  /** Milliseconds that a leaving connection may take. */
  readonly leaveMs: number;
  nowUs(): number;
  framerFor(firstByte: number): Framer;
  counted(bytes: number, events: number): void;
  /** How long a connection may find no room for all of its events; 0: for ever. */
  letGoAfterMs(): number;
  /** A connection ends for that. */
  letsGo(): void;
  /** Calls `answer` once at the end of this turn of the event loop. */
  answerLater(connection: Connection): void;
  closed(connection: Connection): void;
}

export type ConnectionState = 'reading' | 'blocked' | 'congested' | 'finishing' | 'leaving' | 'closed';

export class Connection {
  #state: ConnectionState = 'reading';
  readonly #host: ConnectionHost;
  readonly #carry: CarryBuffer;
  #socket: Socket | undefined;
  #framer: Framer | undefined;
  #idleTimeoutMs = 0;
  #senderEnded = false;
  readonly #sender = new Sender();
  #offered = 0;
  #leaveTimer: NodeJS.Timeout | undefined;
  /** What a finishing connection leaves with. */
  #farewell: Refusal | undefined;
  /** Bytes that came in this turn of the event loop; beyond {@link turnBytesMax} it rests until the next. */
  #turnBytes = 0;
  /** Since when the event is under way that is not whole yet, and how many were judged before it. */
  #begunUs: number | undefined;
  #judgedBefore: number | undefined;
  /** Set while this connection waits in the listener's list of the turn. */
  answerDue = false;

  constructor(host: ConnectionHost) {
    this.#host = host;
    this.#carry = new CarryBuffer(host.arena, host.landing, host.carryPool);
  }

  get state(): ConnectionState {
    return this.#state;
  }
  /** Stream of this connection, or undefined before its first byte. */
  get stream(): number | undefined {
    return this.#framer?.stream;
  }

  /** Begins to read from `socket`, whose bytes come to {@link landed}. */
  open(socket: Socket, idleTimeoutMs: number): void {
    this.#socket = socket;
    this.#idleTimeoutMs = idleTimeoutMs;
    socket.setTimeout(idleTimeoutMs);
    socket.on('timeout', () => this.#idle());
    socket.on('end', () => this.#ended());
    socket.on('drain', () => {
      if (this.#state !== 'reading') this.answer();
    });
    // A sender that breaks off is no failure of the daemon: 'close' follows and does what there is to do.
    socket.on('error', () => {});
    socket.on('close', () => this.#close());
    socket.resume();
  }

  /** `length` bytes lie at the landing's `readStart`. */
  landed(length: number): void {
    if (this.#state === 'finishing' || this.#state === 'leaving' || this.#state === 'closed') return;
    assert(this.#state === 'reading', 'a connection that waits is not read from');
    const { landing, arena } = this.#host;
    this.#host.counted(length, 0);
    this.#restAfter(length);
    this.#framer ??= this.#createFramer(arena.bytes[landing.readStart] ?? 0);
    const readEnd = landing.readStart + length;
    const waiting = this.#carry.length;
    if (waiting > 0 && waiting + length < (this.#framer.wantedBytes ?? 0)) {
      if (!this.#carry.append(landing.readStart, readEnd)) this.#carryFull();
      return;
    }
    this.#parse(this.#carry.restoreBefore(landing.readStart), readEnd);
  }

  /** Writes what the sender must be told. Called by the listener at the end of a turn. */
  answer(): void {
    this.answerDue = false;
    this.#goOn();
    const socket = this.#socket;
    if (socket === undefined || this.#state === 'leaving' || this.#state === 'closed') return;
    // What is due waits in the framer, where only the newest of it counts, until the sender reads.
    if (this.#state !== 'reading' && socket.writableLength > unreadAnswerBytesMax) return;
    let answer = this.#framer?.takeAnswer();
    while (
      answer !== undefined &&
      this.#framer?.answersLeft === true &&
      socket.writableLength <= unreadAnswerBytesMax
    ) {
      socket.write(answer);
      answer = this.#framer.takeAnswer();
    }
    if (this.#framer?.failed === true || this.#finished()) {
      this.#depart(answer);
      return;
    }
    if (answer !== undefined) socket.write(answer);
    if (this.#farewell !== undefined) {
      const { code, message, retryable } = this.#farewell;
      if (this.#framer?.awaiting !== true) this.leave(code, message, retryable);
      return;
    }
    if (socket.writableLength > unreadAnswerBytesMax) {
      if (this.#state === 'reading') this.#wait('congested');
    } else if (this.#state === 'congested' && this.#framer?.congested !== true) {
      this.#resumeFrom('congested');
    }
  }

  /** Ends the connection when an event has been under way for longer than `stallMs`: its sender has stalled, or never meant it. */
  look(nowUs: number, stallMs: number): void {
    if (this.#state !== 'reading' || this.#begunUs === undefined || nowUs - this.#begunUs < stallMs * 1_000) return;
    this.leave('stalled', `an event that had begun did not come whole within ${stallMs} ms`, true);
  }

  /** Closes for a reason of the listener's own; the sender is told in its protocol's words and has `leaveMs` to go. */
  leave(code: string, message: string, retryable: boolean): void {
    if (this.#state === 'leaving' || this.#state === 'closed') return;
    if (this.#framer === undefined) {
      // Neither lines nor frames are known yet: a line of JSON, as for a connection beyond the limit (PROTOCOL.md).
      this.#depart(Buffer.from(`${JSON.stringify({ error: code, retryable, message })}\n`));
      return;
    }
    this.#framer.leave?.(code, message, retryable);
    this.#depart(this.#framer.takeAnswer());
  }

  /** As {@link leave}, but at ack level `stream` not before the sender was told what became of the events it sent. */
  finish(code: string, message: string, retryable: boolean): void {
    if (this.#framer?.awaiting !== true || this.#state === 'leaving' || this.#state === 'closed') {
      this.leave(code, message, retryable);
      return;
    }
    this.#farewell = { code, message, retryable };
    this.#state = 'finishing';
    this.#socket?.pause();
  }

  tellBreaker(state: number, retryAfterMs: number): void {
    if (this.#framer?.tellBreaker === undefined) return;
    this.#framer.tellBreaker(state, retryAfterMs);
    this.#host.answerLater(this);
  }

  /** Ends at once, answers or not. */
  destroy(): void {
    this.#socket?.destroy();
  }

  #parse(start: number, end: number): void {
    const framer = this.#framer;
    const host = this.#host;
    assert(framer !== undefined, 'bytes have chosen a framer');
    const timeUs = host.nowUs();
    host.intake.feeds(this.#sender);
    const taken = this.#senderEnded ? framer.finish(start, end, timeUs) : framer.consume(start, end, timeUs);
    assert(taken >= start && taken <= end, 'a framer takes bytes that it was given');
    const waits = framer.blocked || framer.congested === true;
    const kept = framer.failed || this.#keep(taken, end, waits);
    this.#noteBegun(timeUs);
    host.intake.commit();
    const offered = framer.offered ?? 0;
    host.counted(0, offered - this.#offered);
    const withoutRoomMs = this.#sender.withoutRoomMs(offered > this.#offered, timeUs);
    this.#offered = offered;
    host.answerLater(this);
    if (framer.failed) return;
    if (!kept) {
      this.#carryFull();
    } else if (framer.blocked) {
      this.#wait('blocked');
      // Deferred: room may be told in the middle of another connection's read, which owns the landing zone.
      const resume = () => setImmediate(() => this.#resumeFrom('blocked'));
      if (framer.whenRoom === undefined) host.intake.whenRoom(framer.stream, resume);
      else framer.whenRoom(resume);
    } else if (withoutRoomMs > 0 && this.#isLetGo(withoutRoomMs)) {
      return;
    } else if (waits) {
      this.#wait('congested');
    }
  }

  #isLetGo(withoutRoomMs: number): boolean {
    const letGoAfterMs = this.#host.letGoAfterMs();
    if (letGoAfterMs === 0 || withoutRoomMs < letGoAfterMs) return false;
    this.#host.letsGo();
    const { code, message, retryable } = letGoRefusal(letGoAfterMs);
    this.finish(code, message, retryable);
    return true;
  }

  #noteBegun(timeUs: number): void {
    const { judged, skipping } = this.#framer as Framer;
    const isBegun = this.#carry.length > 0 || skipping === true;
    if (!isBegun) this.#begunUs = undefined;
    else if (this.#begunUs === undefined || judged !== this.#judgedBefore) this.#begunUs = timeUs;
    this.#judgedBefore = judged;
  }

  /** A sender that is read from for as long as it has something would keep the others waiting. */
  #restAfter(length: number): void {
    this.#turnBytes += length;
    if (this.#turnBytes < turnBytesMax) return;
    this.#socket?.pause();
    this.#host.answerLater(this);
  }

  #goOn(): void {
    const rested = this.#turnBytes >= turnBytesMax;
    this.#turnBytes = 0;
    if (rested && this.#state === 'reading' && !this.#senderEnded) this.#socket?.resume();
  }

  #createFramer(firstByte: number): Framer {
    const framer = this.#host.framerFor(firstByte);
    framer.onDue = () => this.#host.answerLater(this);
    return framer;
  }

  /** Copies the rest of a read out of the landing zone. False when it is too much for the zone or for the pool. */
  #keep(taken: number, end: number, waits: boolean): boolean {
    const { landing } = this.#host;
    const rest = end - taken;
    // Behind a sender's end an unfinished event will never be whole; the framer has said what it had to say about it.
    if (this.#senderEnded && !waits) return this.#carry.keep(end, end, 0);
    if (!waits && rest > landing.readStart - landing.carryStart) return false;
    return this.#carry.keep(taken, end, waits ? 0 : (this.#framer?.wantedBytes ?? 0));
  }

  #wait(state: 'blocked' | 'congested'): void {
    this.#state = state;
    this.#begunUs = undefined;
    this.#socket?.pause();
  }

  /** What waited is parsed first; if nothing stops it again, the socket is read. */
  #resumeFrom(state: 'blocked' | 'congested'): void {
    if (this.#state !== state) return;
    this.#state = 'reading';
    if (this.#carry.length > 0 || this.#senderEnded) {
      const start = this.#carry.restoreAnywhere();
      this.#parse(start.offset, start.offset + start.length);
    }
    if (this.#stateNow() !== 'reading' || this.#senderEnded) return;
    // The idle time may have passed while nothing was read: it begins again.
    this.#socket?.setTimeout(this.#idleTimeoutMs);
    this.#socket?.resume();
  }

  #ended(): void {
    this.#senderEnded = true;
    if (this.#state !== 'reading') return;
    if (this.#framer === undefined) {
      this.#depart(undefined);
      return;
    }
    const start = this.#carry.restoreAnywhere();
    this.#parse(start.offset, start.offset + start.length);
  }

  /** The sender has ended its side, and everything it sent was judged and, where it waits for that, delivered. */
  #finished(): boolean {
    const isJudged = this.#senderEnded && this.#state === 'reading' && this.#carry.length === 0;
    return isJudged && this.#framer?.awaiting !== true;
  }

  #idle(): void {
    // A blocked sender is silent because it is not read from.
    if (this.#state === 'blocked' || this.#state === 'finishing' || this.#state === 'leaving') return;
    const unread = this.#socket?.writableLength ?? 0;
    // A sender that waits for its events' delivery is silent, too. The next answer winds the clock up again.
    if (this.#framer?.awaiting === true && unread === 0) return;
    if (this.#state === 'congested') this.destroy();
    else this.leave('idle_timeout', 'nothing was sent for the idle timeout', true);
  }

  #carryFull(): void {
    const { carryPool } = this.#host;
    const message = `unfinished events of all connections exceed ${carryPool.bytesMax} bytes, or one event the landing zone`;
    this.leave('carry_full', message, true);
  }

  /** Writes the last answer and closes our side. Bytes that come after it were never acknowledged and are dropped. */
  #depart(answer: Buffer | undefined): void {
    const socket = this.#socket;
    assert(socket !== undefined, 'a connection that departs was opened');
    this.#state = 'leaving';
    this.#carry.release();
    socket.setTimeout(0);
    if (answer === undefined) socket.end();
    else socket.end(answer);
    // Read on, to see the sender's end: with both sides ended the socket closes by itself.
    if (!this.#senderEnded) socket.resume();
    this.#leaveTimer = setTimeout(() => socket.destroy(), this.#host.leaveMs);
  }

  #close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#leaveTimer);
    this.#carry.release();
    this.#framer?.close?.();
    this.#host.closed(this);
  }

  /** Read through a call: the compiler would hold an assignment before a nested parse to be the last one. */
  #stateNow(): ConnectionState {
    return this.#state;
  }
}
