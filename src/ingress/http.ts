/**
 * The HTTP listener: events by POST (http-events.ts), health, status and metrics by GET. Main thread; made and closed by the daemon's
 * wiring. It finds who serves a request and guards the connections; it never looks at an event.
 *
 * | at its limit | what happens |
 * |---|---|
 * | `connectionsMax` | the first request is answered 503, then closed; from {@link turningAwayMax} such ones on closed at once |
 * | `headersTimeoutMs`, 16 KiB of head | 408, 431, closed |
 * | a TLS handshake of `headersTimeoutMs`, a request without a right token | http-gate.ts |
 * | no room for all of its events for `letGoAfterMs` | 429 or 503, closed |
 * | a body that brings less than 1 KiB in `stallTimeoutMs` | 408, with counts |
 * | `requestTimeoutMs` | 408, or 503 where the daemon is what was waited for; with counts |
 * | `idleTimeoutMs` without a request, or with answers that are not read | closed |
 * | `/metrics` beyond what scrapes.ts lets wait | 503 |
 * | a body that nobody wants (bad head, too long, stopped) | answered at once; what still comes is dropped for 2 s, then closed |
 *
 * Long because the life of a connection (heads, bodies, bad requests, closing) is one story.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CarryPool } from './carry.ts';
import { type EventsHost, EventsRequest } from './http-events.ts';
import { bareAnswer, type ClientFault, clientFault, connectFault, endedFault, listenFailure } from './http-faults.ts';
import { challenge, type HttpGate, type HttpGateStats } from './http-gate.ts';
import { ambiguityOf, headBytesMax, readEventsHead } from './http-head.ts';
import { Verdict } from './intake.ts';
import { Scrapes } from './scrapes.ts';

export interface HttpListenerOptions extends Omit<EventsHost, 'carryPool'> {
  readonly host: string;
  /** 0: any that is free; {@link HttpListener.address} says which. */
  readonly port: number;
  /** Who is let in; whether TLS is spoken. */
  readonly gate: HttpGate;
  /** A socket that listens there already, and goes on when this listener is closed; undefined: one is made. */
  readonly fd?: number | undefined;
  readonly connectionsMax: number;
  /** Ack level of requests that name none; absent: memory. */
  readonly ackDefault?: 'memory' | 'disk' | 'stream';
  /** How long a connection may stay open between two requests. */
  readonly idleTimeoutMs: number;
  /** A body that brings less than a kilobyte in so long is given up; 0: never. */
  readonly stallTimeoutMs: number;
  /** How long the head of a request may take. */
  readonly headersTimeoutMs: number;
  /** Bound on what all requests together keep of unfinished events, in bytes. */
  readonly carryBytesMax: number;
  /** Whether events are accepted, for `/readyz`. */
  readonly ready: () => boolean;
  /** The document of `/v1/status`. */
  readonly status: () => object;
  /** The page of `/metrics`. */
  readonly metrics: () => string;
  readonly nowMs: () => number;
}

/** What a path without events answers. */
interface Page {
  readonly status: number;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Counters since the start, except `connectionsOpen`, `requestsOpen` (POSTs being read) and `carryBytes`. */
export interface HttpListenerStats extends Readonly<HttpGateStats> {
  readonly connectionsOpen: number;
  requests: number;
  readonly requestsOpen: number;
  connectionsTurnedAway: number;
  bytesRead: number;
  readonly carryBytes: number;
}

/** What may change while it listens; for connections and requests that come from then on. */
export type HttpLimits = Pick<
  HttpListenerOptions,
  'connectionsMax' | 'idleTimeoutMs' | 'ackTimeoutMs' | 'stallTimeoutMs' | 'letGoAfterMs'
>;

export interface HttpListener {
  /** `http://127.0.0.1:7070`, with the port that was bound; https:// where TLS is spoken. */
  readonly address: string;
  readonly stats: HttpListenerStats;
  retune(limits: HttpLimits): void;
  /** Stops accepting, lets requests end for `drainMs`, then cuts them off. Resolves when the last connection is gone. */
  close(options: { readonly drainMs: number }): Promise<void>;
}

/** How long an unread body is dropped before its connection is closed: a sender that writes on would not see its answer. */
const lingerMs = 2_000;
/** Connections beyond the limit that may be waiting for their answer. */
const turningAwayMax = 64;
/** How often node looks for connections beyond their times. */
const checkIntervalMs = 500;

const eventsPath = /^\/v1\/streams\/([^/]+)\/events$/;

/** Binds and accepts. Throws a SpillwayError that names the address and the cure. */
export async function listenHttp(options: HttpListenerOptions): Promise<HttpListener> {
  const listener = new Listener(options);
  await listener.listen();
  return listener;
}

class Listener implements HttpListener {
  readonly stats: HttpListenerStats;
  address = '';
  #options: HttpListenerOptions;
  #host: EventsHost;
  readonly #server: Server;
  /** The POST that is being read from a connection. */
  readonly #open = new Map<Duplex, EventsRequest>();
  /** Connections that are served, and those beyond the limit. */
  readonly #served = new Set<Duplex>();
  readonly #turningAway = new Set<Duplex>();
  /** Connections whose last request has come; they end behind its answer. */
  readonly #ending = new WeakSet<Duplex>();
  /** Of those, the ones whose last answer was given. */
  readonly #leaving = new WeakSet<Duplex>();
  /** Connections that have brought what is no HTTP. */
  readonly #faulty = new WeakSet<Duplex>();
  readonly #scrapes: Scrapes;
  #closed: Promise<void> | undefined;
  #looking: NodeJS.Timeout | undefined;

  constructor(options: HttpListenerOptions) {
    const { headersTimeoutMs, requestTimeoutMs, carryBytesMax, gate } = options;
    const carryPool = new CarryPool(carryBytesMax);
    const open = this.#open;
    const served = this.#served;
    this.#options = options;
    this.#host = { ...options, carryPool };
    this.#scrapes = new Scrapes(options.metrics, options.nowMs);
    this.stats = {
      requests: 0,
      connectionsTurnedAway: 0,
      bytesRead: 0,
      get connectionsOpen() {
        return served.size;
      },
      get requestsOpen() {
        return open.size;
      },
      get carryBytes() {
        return carryPool.usedBytes;
      },
      get unauthorized() {
        return gate.stats.unauthorized;
      },
      get handshakesFailed() {
        return gate.stats.handshakesFailed;
      },
    };
    const serverOptions = {
      maxHeaderSize: headBytesMax,
      // Asked in #serve: Node's own answer leaves the requests behind it to be taken and not answered.
      requireHostHeader: false,
      headersTimeout: headersTimeoutMs,
      // Node's own clock is only for what has no EventsRequest, whose timer gives a better answer.
      requestTimeout: Math.max(headersTimeoutMs, requestTimeoutMs + 4 * checkIntervalMs),
      connectionsCheckingInterval: checkIntervalMs,
    };
    this.#server = gate.createServer(serverOptions, headersTimeoutMs);
    // A sender that ends its side behind its request still gets its answer, however long that takes. Node knows the property,
    // its types do not.
    Object.assign(this.#server, { httpAllowHalfOpen: true });
    this.#limit();
    this.#server.on('timeout', (socket) => this.#silent(socket));
    this.#server.on(gate.connectionEvent, (socket: Socket) => this.#connected(socket));
    this.#server.on('request', (request, response) => this.#serve(request, response, false));
    this.#server.on('checkContinue', (request, response) => this.#serve(request, response, true));
    this.#server.on('connect', (_, socket) => this.#answerBare(socket, connectFault));
    this.#server.on('clientError', (error, socket) => this.#clientError(error, socket));
    this.#server.on('drop', () => {
      this.stats.connectionsTurnedAway += 1;
    });
  }

  listen(): Promise<void> {
    const { host, port, fd, gate } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => reject(listenFailure(host, port, error)));
      this.#server.listen(fd === undefined ? { host, port } : { fd }, () => {
        this.#looking = setInterval(() => this.#look(), checkIntervalMs / 2);
        const bound = (this.#server.address() as AddressInfo).port;
        this.address = `${gate.scheme}://${host.includes(':') ? `[${host}]` : host}:${bound}`;
        resolve();
      });
    });
  }

  retune(limits: HttpLimits): void {
    this.#options = { ...this.#options, ...limits };
    this.#host = { ...this.#host, ...limits };
    this.#limit();
  }

  #limit(): void {
    const { connectionsMax, idleTimeoutMs } = this.#options;
    this.#server.maxConnections = connectionsMax + turningAwayMax;
    this.#server.keepAliveTimeout = idleTimeoutMs;
    this.#server.timeout = idleTimeoutMs;
  }

  close({ drainMs }: { readonly drainMs: number }): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      const deadline = setTimeout(() => this.#server.closeAllConnections(), drainMs);
      this.#server.close(() => {
        clearTimeout(deadline);
        clearInterval(this.#looking);
        resolve();
      });
      this.#server.closeIdleConnections();
      this.#options.gate.cutHandshakes();
    });
    return this.#closed;
  }

  #look(): void {
    const { stallTimeoutMs, nowUs } = this.#options;
    if (stallTimeoutMs === 0) return;
    const nowMs = nowUs() / 1_000;
    for (const events of this.#open.values()) events.look(nowMs, stallTimeoutMs);
  }

  #connected(socket: Socket): void {
    const beyond = this.#served.size >= this.#options.connectionsMax;
    const connections = beyond ? this.#turningAway : this.#served;
    if (beyond) this.stats.connectionsTurnedAway += 1;
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    // How Node closes behind a last answer: at once, which takes the answer along where bytes are unread (RFC 9112, 9.6).
    socket.destroySoon = () => {
      socket.end();
      this.#linger(socket);
    };
    // Of a request that offers another protocol Node's parser keeps faults to itself, the end of its input among them.
    socket.once('end', () => {
      if (this.#open.get(socket)?.complete === false) this.#fail(socket, endedFault);
    });
  }

  /** Nothing came from the connection and nothing went to it for the idle time. */
  #silent(socket: Socket): void {
    // A request that is being read has a time of its own, and its sender an answer to get.
    if (!this.#open.has(socket)) socket.destroy();
  }

  #serve(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    if (this.#ending.has(request.socket)) {
      // It came in one piece with a request whose answer ends the connection: taken, it could not be answered.
      request.resume();
      return;
    }
    this.stats.requests += 1;
    const ambiguity = ambiguityOf(request);
    if (ambiguity !== undefined) {
      response.setHeader('connection', 'close');
      const message = `no HTTP/1.1: ${ambiguity}`;
      this.#ending.add(request.socket);
      this.#refuse(request, response, expectsContinue, { status: 400, code: 'bad_http', message });
      return;
    }
    // Node's parser reads nothing behind a request that wants another protocol: whoever pipelines has to know.
    if (request.headers.upgrade !== undefined) {
      response.setHeader('connection', 'close');
      this.#ending.add(request.socket);
    }
    if (this.#turningAway.has(request.socket)) {
      const message = `this listener serves at most ${this.#options.connectionsMax} connections; close one or raise connections_max`;
      response.setHeader('connection', 'close');
      this.#refuse(request, response, expectsContinue, { status: 503, code: 'too_many_connections', message });
      return;
    }
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    const unauthorized = this.#options.gate.faultOf(request, path);
    if (unauthorized !== undefined) {
      for (const [name, value] of Object.entries(challenge)) response.setHeader(name, value);
      this.#refuse(request, response, expectsContinue, unauthorized);
      return;
    }
    const streamText = eventsPath.exec(path)?.[1];
    const page = streamText === undefined ? this.#pageOf(path, request, response) : undefined;
    const allowed = streamText !== undefined ? ['POST'] : page !== undefined ? ['GET', 'HEAD'] : undefined;
    if (allowed === undefined) {
      const message = `nothing is at ${path}; events go to POST /v1/streams/STREAM/events`;
      this.#refuse(request, response, expectsContinue, { status: 404, code: 'not_found', message });
    } else if (!allowed.includes(request.method ?? '')) {
      response.setHeader('allow', allowed.join(', '));
      const message = `${path} takes ${allowed.join(' and ')}`;
      this.#refuse(request, response, expectsContinue, { status: 405, code: 'method_not_allowed', message });
    } else if (page !== undefined) {
      const { status, body, headers } = page();
      this.#answer(request, response, status, body, headers);
    } else {
      this.#take(request, response, streamText ?? '', query, expectsContinue);
    }
  }

  #pageOf(path: string, request: IncomingMessage, response: ServerResponse): (() => Page) | undefined {
    const { ready, status } = this.#options;
    switch (path) {
      case '/healthz':
        return () => ({ status: 200, body: { alive: true } });
      case '/readyz':
        return () => (ready() ? { status: 200, body: { ready: true } } : { status: 503, body: { ready: false } });
      case '/v1/status':
        return () => ({ status: 200, body: status() });
      case '/metrics':
        return () => this.#scrapes.answer(request, response);
      default:
        return undefined;
    }
  }

  #take(
    request: IncomingMessage,
    response: ServerResponse,
    streamText: string,
    query: string,
    expectsContinue: boolean,
  ): void {
    const { intake, bodyBytesMax, ackDefault = 'memory' } = this.#options;
    const head = readEventsHead(intake, streamText, query, request.headers, bodyBytesMax, ackDefault);
    if ('status' in head) {
      if (head.status === 404) intake.refuse(-1, Verdict.unknownStream);
      this.#refuse(request, response, expectsContinue, head);
      return;
    }
    if (expectsContinue) response.writeContinue();
    const { socket } = request;
    const events = new EventsRequest(
      this.#host,
      head,
      request,
      response,
      (_, status, body, headers) => this.#answer(request, response, status, body, headers),
      (bytesRead) => {
        this.stats.bytesRead += bytesRead;
        if (this.#open.get(socket) === events) this.#open.delete(socket);
      },
    );
    this.#open.set(socket, events);
  }

  /** Answers without reading the body. A sender that asked whether to send it is told not to, and the connection ends. */
  #refuse(
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
    refusal: { readonly status: number; readonly code: string; readonly message: string },
  ): void {
    if (expectsContinue) response.setHeader('connection', 'close');
    const { status, code, message } = refusal;
    const retryable = status === 503;
    this.#answer(
      request,
      response,
      status,
      { error: code, message, retryable },
      retryable ? { 'retry-after': '1' } : {},
    );
    if (!expectsContinue) request.resume();
  }

  #answer(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    body: object,
    headers: Readonly<Record<string, string>> = {},
  ): void {
    if (response.headersSent || response.destroyed) return;
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(`${JSON.stringify(body)}\n`);
    if (this.#closed !== undefined || request.socket.destroyed) response.setHeader('connection', 'close');
    if (!response.shouldKeepAlive || response.getHeader('connection') === 'close') {
      this.#ending.add(request.socket);
      this.#leaving.add(request.socket);
    }
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': bytes.length,
      ...headers,
    });
    response.end(bytes);
    if (request.complete) return;
    request.resume();
    const { socket } = request;
    const linger = setTimeout(() => socket.destroy(), lingerMs);
    // A connection that is kept has many requests: none may leave its listener behind.
    const settled = (): void => {
      clearTimeout(linger);
      socket.off('close', settled);
    };
    request.once('end', settled);
    socket.once('close', settled);
  }

  /** Bytes that are no HTTP, or too slow or too many for a head. */
  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    // Of a connection that lingers nothing is understood any more; it is left to its sender's end, or the timer's.
    if (this.#faulty.has(socket) || this.#leaving.has(socket)) return;
    if (!socket.writable || error.code === 'ECONNRESET') socket.destroy();
    else this.#fail(socket, clientFault(error));
  }

  /** Tells why the connection ends here, and what was taken of the request that is being read. */
  #fail(socket: Duplex, fault: ClientFault): void {
    this.#faulty.add(socket);
    const events = this.#open.get(socket);
    if (events === undefined) {
      this.#answerBare(socket, fault);
    } else {
      // Not now: the answers to whole requests before it may still be on their way.
      events.closeAfter();
      if (!events.complete) events.fail(fault);
    }
  }

  /** Answers where there is no request, and closes. */
  #answerBare(socket: Duplex, fault: ClientFault): void {
    socket.on('error', () => {});
    socket.end(bareAnswer(fault));
    this.#linger(socket);
  }

  /** Closes the connection once its sender has, or after {@link lingerMs}: closed with bytes unread it would take the answer along. */
  #linger(socket: Duplex): void {
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once('close', () => clearTimeout(timer));
    socket.resume();
  }
}
