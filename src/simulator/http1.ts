/**
 * One HTTP/1.1 connection: takes requests apart as their bytes arrive, feeds bodies to the application without gathering
 * them, writes answers. Made by listener.ts. Of HTTP/1.1 it knows what clients of AWS send: bodies with a length (others are
 * answered 411), keep-alive, `expect: 100-continue`. Requests are answered in order; what a client sends ahead is held back,
 * up to a limit, then the socket is no longer read.
 *
 * ```
 *   head ──(head complete)──▶ body ──(body complete)──▶ answering ──(answered)──▶ head
 * ```
 */
import type { Socket } from 'node:net';
import { type Answer, type Application, type BodySink, contentLength, type Exchange } from './exchange.ts';
import { readInto } from './fast-read.ts';
import { headText, parseHead } from './http1-head.ts';

const headBytesMax = 64 * 1_024;
/** Bytes that may arrive before the previous request is answered. */
const aheadBytesMax = 256 * 1_024;
const headEnd = Buffer.from('\r\n\r\n');
const emptyBuffer = Buffer.alloc(0);

export class Http1Connection implements Exchange {
  readonly #socket: Socket;
  readonly #application: Application;
  #state: 'head' | 'body' | 'answering' = 'head';
  #sink: BodySink | undefined;
  #bodyLeft = 0;
  #close = false;
  /** Bytes that arrived and are not yet parsed: a part of a head, or requests ahead of their turn. */
  #ahead: Buffer = emptyBuffer;
  #parsing = false;

  /** `first` was read already; `area` is where further bytes land, and may be shared. */
  constructor(socket: Socket, application: Application, first: Buffer, area: Buffer) {
    this.#socket = socket;
    this.#application = application;
    this.#receive(first, 0, first.length);
    if (!socket.destroyed) readInto(socket, area, (source, start, end) => this.#receive(source, start, end));
  }

  /** Returns whether to go on reading. */
  #receive(source: Buffer, start: number, end: number): boolean {
    let bytes = source;
    let from = start;
    let to = end;
    if (this.#ahead.length > 0) {
      bytes = Buffer.concat([this.#ahead, source.subarray(start, end)]);
      from = 0;
      to = bytes.length;
      this.#ahead = emptyBuffer;
    }
    if (this.#state !== 'answering') {
      this.#parsing = true;
      from = this.#parse(bytes, from, to);
      this.#parsing = false;
    }
    if (from < to) this.#ahead = Buffer.from(bytes.subarray(from, to));
    return this.#ahead.length <= aheadBytesMax;
  }

  /** Parses until the bytes end or an answer is due; returns where it stopped. */
  #parse(bytes: Buffer, start: number, end: number): number {
    let offset = start;
    while (offset < end && !this.#socket.destroyed) {
      if (this.#state === 'answering') return offset;
      if (this.#state === 'head') {
        const rest = bytes.subarray(offset, end);
        const length = rest.indexOf(headEnd);
        if (length === -1) {
          if (rest.length > headBytesMax) this.#reject(431);
          return offset;
        }
        this.#openRequest(rest.toString('latin1', 0, length));
        offset += length + headEnd.length;
      } else {
        const taken = Math.min(this.#bodyLeft, end - offset);
        this.#sink?.write(bytes, offset, offset + taken);
        offset += taken;
        this.#bodyLeft -= taken;
      }
      if (this.#state === 'body' && this.#bodyLeft === 0) {
        this.#state = 'answering';
        this.#sink?.end(this);
      }
    }
    return offset;
  }

  #openRequest(text: string): void {
    const head = parseHead(text);
    if (head === undefined) return this.#reject(400);
    if (head.headers.has('transfer-encoding')) return this.#reject(411);
    this.#close = head.headers.get('connection')?.toLowerCase() === 'close';
    this.#bodyLeft = contentLength(head);
    this.#sink = this.#application.open(head);
    this.#state = 'body';
    if (head.headers.get('expect')?.toLowerCase() === '100-continue') {
      this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');
    }
  }

  /** Refuses what is no request of the HTTP that is spoken here, and ends the connection. */
  #reject(status: number): void {
    this.#state = 'answering';
    this.#socket.end(headText(status, 'text/plain', 0, true), 'latin1');
  }

  answer(answer: Answer): boolean {
    if (this.#socket.destroyed) return false;
    const { status, contentType, body } = answer;
    if (typeof body === 'string') {
      const length = Buffer.byteLength(body);
      this.#socket.write(headText(status, contentType, length, this.#close) + body, 'utf8');
      this.#answered();
    } else if (Buffer.isBuffer(body)) {
      this.#socket.cork();
      this.#socket.write(headText(status, contentType, body.length, this.#close), 'latin1');
      this.#socket.write(body);
      this.#socket.uncork();
      this.#answered();
    } else {
      this.#socket.write(headText(status, contentType, undefined, this.#close), 'latin1');
      this.#writeChunks(body[Symbol.iterator]());
    }
    return true;
  }

  #writeChunks(pieces: Iterator<string>): void {
    for (;;) {
      const { value, done } = pieces.next();
      if (this.#socket.destroyed) return;
      if (done === true) break;
      if (value.length === 0) continue;
      const flowing = this.#socket.write(`${Buffer.byteLength(value).toString(16)}\r\n${value}\r\n`);
      if (!flowing) {
        this.#socket.once('drain', () => this.#writeChunks(pieces));
        return;
      }
    }
    this.#socket.write('0\r\n\r\n', 'latin1');
    this.#answered();
  }

  /** Makes ready for the next request, part of which may have arrived. */
  #answered(): void {
    this.#sink = undefined;
    if (this.#close) {
      this.#socket.end();
      return;
    }
    this.#state = 'head';
    if (this.#parsing) return;
    if (this.#ahead.length > 0) this.#receive(emptyBuffer, 0, 0);
    this.#socket.resume();
  }

  cut(answer: Answer): void {
    const { status, contentType, body } = answer;
    const whole = typeof body === 'string' ? Buffer.from(body) : body;
    if (!Buffer.isBuffer(whole)) return this.destroy();
    this.#socket.write(headText(status, contentType, whole.length, false), 'latin1');
    this.#socket.write(whole.subarray(0, whole.length >> 1), () => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
