/**
 * Brings a Readable (an HTTP body, stdin) to a framer through the landing zone, with back-pressure. Main thread; one per
 * request, one for stdin. It knows no protocol, and never holds more than one chunk and one unfinished event.
 *
 * ```
 *   reading ──▶ blocked   the intake has no room: the input is paused until whenRoom
 *      │ ◀──────   │
 *      └───────────┴─▶ ended   onEnd was called, once; what the input still brings is dropped
 * ```
 *
 * A chunk is landed behind the unfinished event of the chunk before it and parsed at once, before anybody else's read can use
 * the landing zone. An unfinished event of more than 64 KiB is parsed again only when it has grown by a quarter or the input
 * has ended: a sender that drips a large event would otherwise have all of it copied for every packet.
 */
import type { Readable } from 'node:stream';
import { assert } from '../base/assert.ts';
import type { Arena } from '../ring/arena.ts';
import { CarryBuffer, type CarryPool } from './carry.ts';
import type { Sender } from './fair-shares.ts';
import type { Framer } from './framer.ts';
import type { Intake, Landing } from './intake.ts';

/** Why a stream ended. */
export type StreamEnd =
  /** The input ended and all of it was judged. */
  | 'finished'
  /** The framer understands no more of it. */
  | 'failed'
  /** {@link LandedStreamOptions.onParsed} wanted no more. */
  | 'stopped'
  /** The input has more than `bytesMax`; so many were judged. */
  | 'too_long'
  /** The unfinished events of all streams of the pool take too much memory. */
  | 'carry_full'
  /** The input failed, or its sender went away. */
  | 'broken'
  /** {@link LandedStream.end} was called. */
  | 'told';

export interface LandedStreamOptions {
  readonly input: Readable;
  readonly framer: Framer;
  readonly arena: Arena;
  readonly landing: Landing;
  readonly intake: Intake;
  readonly sender: Sender;
  readonly carryPool: CarryPool;
  readonly nowUs: () => number;
  /** Most bytes of the input; Infinity: it may go on for ever. */
  readonly bytesMax: number;
  /** Called before every parse. */
  readonly beforeParse?: () => void;
  /** Called after every parse, to take the framer's answers; false: no more, the stream ends as `stopped`. */
  readonly onParsed: () => boolean;
  readonly onEnd: (end: StreamEnd) => void;
}

/** From this many bytes on an unfinished event has to grow by a quarter before it is looked at again. */
const dripBytes = 65_536;

const nothing: Buffer = Buffer.alloc(0);

export class LandedStream {
  /** Bytes that the input has brought. */
  bytesRead = 0;
  #state: 'reading' | 'blocked' | 'ended' = 'reading';
  readonly #options: LandedStreamOptions;
  readonly #carry: CarryBuffer;
  /** The part of the input's last chunk that was not landed yet. */
  #chunk: Buffer = nothing;
  #inputEnded = false;
  #tooLong = false;
  /** Bytes that the unfinished event should have before it is parsed again. */
  #wantedBytes = 0;

  constructor(options: LandedStreamOptions) {
    const { input, arena, landing, carryPool } = options;
    this.#options = options;
    this.#carry = new CarryBuffer(arena, landing, carryPool);
    input.on('data', (chunk: Buffer) => this.#read(chunk));
    input.on('end', () => {
      this.#inputEnded = true;
      if (this.#state === 'reading') this.#pump();
    });
    // 'close' follows an error; without 'end' before it the sender went away in the middle.
    input.on('error', () => this.end('broken'));
    input.on('close', () => {
      if (!this.#inputEnded) this.end('broken');
    });
  }

  get blocked(): boolean {
    return this.#state === 'blocked';
  }

  /** Ends the stream for a reason of the caller's own, unless it has ended before. */
  end(reason: StreamEnd = 'told'): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#carry.release();
    this.#chunk = nothing;
    this.#options.onEnd(reason);
  }

  #read(chunk: Buffer): void {
    if (this.#state === 'ended') return;
    assert(this.#state === 'reading' && this.#chunk.length === 0, 'a paused input brings no chunk');
    const room = this.#options.bytesMax - this.bytesRead;
    this.#tooLong = chunk.length > room;
    this.#chunk = this.#tooLong ? chunk.subarray(0, room) : chunk;
    this.bytesRead += this.#chunk.length;
    this.#pump();
  }

  /** Parses what is here until it is used up or something stops it. */
  #pump(): void {
    const { landing, arena } = this.#options;
    while (this.#state === 'reading' && this.#chunk.length > 0) {
      const piece = this.#chunk.subarray(0, landing.readEnd - landing.readStart);
      this.#chunk = this.#chunk.subarray(piece.length);
      const readEnd = landing.readStart + piece.length;
      arena.bytes.set(piece, landing.readStart);
      const waiting = this.#carry.length;
      if (waiting > 0 && waiting + piece.length < this.#wantedBytes) {
        if (!this.#carry.append(landing.readStart, readEnd)) this.end('carry_full');
      } else {
        this.#parse(this.#carry.restoreBefore(landing.readStart), readEnd, false);
      }
    }
    if (this.#state !== 'reading') return;
    if (this.#tooLong || this.#inputEnded) this.#parseLast();
  }

  /** What waits has to be judged now: nothing that would complete it is going to be read. */
  #parseLast(): void {
    const { offset, length } = this.#carry.restoreAnywhere();
    this.#parse(offset, offset + length, !this.#tooLong);
    if (this.#stateNow() === 'reading') this.end(this.#tooLong ? 'too_long' : 'finished');
  }

  #parse(start: number, end: number, last: boolean): void {
    const { framer, intake, sender, nowUs, beforeParse, onParsed } = this.#options;
    beforeParse?.();
    intake.feeds(sender);
    const timeUs = nowUs();
    let taken = start;
    do {
      taken = last ? framer.finish(taken, end, timeUs) : framer.consume(taken, end, timeUs);
    } while (framer.congested === true && !framer.failed && framer.takeAnswer() !== undefined);
    intake.commit();
    if (!onParsed()) {
      this.end('stopped');
    } else if (framer.failed) {
      this.end('failed');
    } else if (!this.#keep(taken, end)) {
      this.end('carry_full');
    } else if (framer.blocked) {
      this.#state = 'blocked';
      this.#options.input.pause();
      // Deferred: room may be told in the middle of another read, which owns the landing zone.
      intake.whenRoom(framer.stream, () => setImmediate(() => this.#resume()));
    }
  }

  /** Copies what the framer left out of the landing zone. False when it is too much for the zone or for the pool. */
  #keep(taken: number, end: number): boolean {
    const { framer, landing } = this.#options;
    const rest = end - taken;
    const room = landing.readStart - landing.carryStart;
    if (!framer.blocked && rest > room) return false;
    const grown = rest > dripBytes ? Math.min(rest + (rest >> 2), room) : 0;
    this.#wantedBytes = framer.blocked ? 0 : Math.max(framer.wantedBytes ?? 0, grown);
    return this.#carry.keep(taken, end, this.#wantedBytes);
  }

  #resume(): void {
    if (this.#state !== 'blocked') return;
    this.#state = 'reading';
    const { offset, length } = this.#carry.restoreAnywhere();
    this.#parse(offset, offset + length, false);
    this.#pump();
    if (this.#stateNow() === 'reading') this.#options.input.resume();
  }

  /** Read through a call: the compiler would hold an assignment before a nested parse to be the last one. */
  #stateNow(): 'reading' | 'blocked' | 'ended' {
    return this.#state;
  }
}
