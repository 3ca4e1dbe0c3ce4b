/**
 * HTTP/2 for the same application: on plaintext sockets that begin with the client preface (h2c with prior knowledge) and on
 * TLS sockets that agreed on it. Used by listener.ts.
 */
import http2 from 'node:http2';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { Answer, Application, Exchange, RequestHead } from './exchange.ts';
import { answerHeaders } from './headers.ts';

/** Flow control: bytes that one request and one connection may have under way. */
const streamWindowBytes = 1024 ** 2;
const connectionWindowBytes = 4 * 1024 ** 2;

/** How every HTTP/2 connection begins; its first three bytes tell it from every method of HTTP/1.1. */
export const prefaceStart: Buffer = Buffer.from('PRI');

/** A server that never listens itself: it is given sockets. */
export class Http2Sessions {
  readonly #server: http2.Http2Server;

  constructor(application: Application) {
    this.#server = http2.createServer({
      settings: { initialWindowSize: streamWindowBytes, maxConcurrentStreams: 256 },
    });
    this.#server.on('session', (session) => session.setLocalWindowSize(connectionWindowBytes));
    this.#server.on('stream', (stream, headers) => serve(application, stream, headers));
    // A connection that breaks is the client's business; without these listeners it would end the process.
    this.#server.on('sessionError', () => {});
  }

  /** Takes over a socket from which nothing has been taken (what was read must have been put back). */
  accept(socket: Socket): void {
    this.#server.emit('connection', socket);
  }
}

function serve(application: Application, stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
  stream.on('error', () => stream.destroy());
  const sink = application.open(headOf(headers));
  stream.on('data', (chunk: Buffer) => sink.write(chunk, 0, chunk.length));
  stream.on('end', () => sink.end(new Http2Exchange(stream)));
}

function headOf(headers: http2.IncomingHttpHeaders): RequestHead {
  const plain = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(':') && value !== undefined) plain.set(name, String(value));
  }
  return { method: headers[':method'] ?? '', path: headers[':path'] ?? '', headers: plain };
}

class Http2Exchange implements Exchange {
  readonly #stream: http2.ServerHttp2Stream;

  constructor(stream: http2.ServerHttp2Stream) {
    this.#stream = stream;
  }

  #respond(answer: Answer, length: number | undefined): void {
    this.#stream.respond({
      ':status': answer.status,
      ...Object.fromEntries(answerHeaders(answer.contentType)),
      ...(length === undefined ? {} : { 'content-length': String(length) }),
    });
  }

  answer(answer: Answer): boolean {
    if (this.#stream.destroyed) return false;
    const { body } = answer;
    if (typeof body === 'string' || Buffer.isBuffer(body)) {
      this.#respond(answer, Buffer.byteLength(body));
      this.#stream.end(body);
    } else {
      this.#respond(answer, undefined);
      Readable.from(body).pipe(this.#stream);
    }
    return true;
  }

  cut(answer: Answer): void {
    if (this.#stream.destroyed) return;
    const whole = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
    if (!Buffer.isBuffer(whole)) return this.destroy();
    this.#respond(answer, whole.length);
    const stream = this.#stream;
    stream.write(whole.subarray(0, whole.length >> 1), () => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
  }

  destroy(): void {
    this.#stream.session?.destroy();
  }
}
