/**
 * The HTTP listener: events by POST, health and status by GET. Main thread; made and closed by the daemon's wiring. Bodies are
 * streamed through the landing zone and never held whole.
 *
 * | request | answer |
 * |---|---|
 * | `POST /v1/streams/{stream}/events`, one event a line | 202, or 400 when lines are bad, or 429/503 with `Retry-After` |
 * | `GET /healthz` | 200 while the process lives |
 * | `GET /readyz` | 200 when events are accepted, else 503 |
 * | `GET /v1/status` | the status document |
 *
 * Every answer to a POST counts `accepted`, `refused`, `spilled`; good events around bad ones are taken.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SpillwayError, toPlainError } from '../base/errors.ts';
import type { Arena } from '../ring/arena.ts';
import { feed } from './feed.ts';
import { type Intake, type Landing, refusals, Verdict } from './intake.ts';
import { describeRefusal, type LineFramer } from './lines.ts';

/** How long a request may wait for room in the buffers before it is answered with what was taken. */
const blockedMsMax = 10_000;
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 120_000;

export interface HttpListenerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly arena: Arena;
  readonly landing: Landing;
  readonly intake: Intake;
  readonly nowUs: () => number;
  /** `fixedKey`: the partition key of all events of the request, where the sender gave one. */
  readonly createLineFramer: (stream: number, fixedKey: string | undefined) => LineFramer;
  readonly bodyBytesMax: number;
  readonly connectionsMax: number;
  readonly idleTimeoutMs: number;
  readonly status: () => object;
  readonly ready: () => boolean;
}

export interface HttpListener {
  /** URL with the port that was bound. */
  readonly address: string;
  close(drainMs: number): Promise<void>;
}

/** Binds and accepts. Throws `listen` when the address cannot be had. */
export async function listenHttp(options: HttpListenerOptions): Promise<HttpListener> {
  const { host, port, connectionsMax, idleTimeoutMs } = options;
  const server = createServer(
    { headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs },
    (request, response) => {
      handle(options, request, response).catch((error: unknown) => {
        if (!response.headersSent) answer(response, 500, { error: 'internal', message: toPlainError(error).message });
        else response.destroy();
      });
    },
  );
  server.maxConnections = connectionsMax;
  server.keepAliveTimeout = idleTimeoutMs;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(host, port, error)));
    server.listen(port, host, resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    address: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: (drainMs) => close(server, drainMs),
  };
}

function listenError(host: string, port: number, error: Error): SpillwayError {
  const code = toPlainError(error).code;
  const cures: Record<string, string> = {
    EADDRINUSE: 'another process listens there; stop it or choose another port',
    EACCES: 'this user may not bind that port; choose one above 1023',
    EADDRNOTAVAIL: 'this host has no such address',
  };
  const cure = cures[code] ?? error.message;
  return new SpillwayError('listen', `cannot listen on ${host}:${port}: ${cure} (${code})`, { cause: error });
}

function close(server: Server, drainMs: number): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), drainMs);
  return new Promise((resolve) => {
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}

function answer(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

async function handle(options: HttpListenerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0] as string;
  const get: Record<string, () => void> = {
    '/healthz': () => answer(response, 200, { state: 'alive' }),
    '/readyz': () => answer(response, options.ready() ? 200 : 503, { ready: options.ready() }),
    '/v1/status': () => answer(response, 200, options.status()),
  };
  const events = /^\/v1\/streams\/([^/]+)\/events$/.exec(path);
  if (events === null && get[path] === undefined) {
    return refuse(request, response, 404, 'not_found', `no ${path} here; events go to /v1/streams/STREAM/events`);
  }
  const allowed = events === null ? 'GET' : 'POST';
  if (request.method !== allowed) {
    response.setHeader('allow', allowed);
    return refuse(request, response, 405, 'method_not_allowed', `${path} takes ${allowed}`);
  }
  if (events === null) return get[path]?.();
  await post(options, request, response, safeDecode(events[1] as string));
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Answers without reading the body: the connection is closed behind it. */
function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
): void {
  response.shouldKeepAlive = false;
  answer(response, status, { error: code, message, accepted: 0, refused: 0 });
  request.resume();
}

async function post(
  options: HttpListenerOptions,
  request: IncomingMessage,
  response: ServerResponse,
  streamName: string,
): Promise<void> {
  const { intake, bodyBytesMax } = options;
  const stream = intake.streamIndex(streamName);
  const header = (name: string): string | undefined => request.headers[name]?.toString();
  if (stream === undefined) {
    intake.refuse(-1, Verdict.unknownStream);
    return refuse(request, response, 404, 'unknown_stream', `no [[stream]] named ${streamName} is configured`);
  }
  if ((header('spillway-ack') ?? 'memory') !== 'memory') {
    return refuse(request, response, 400, 'ack_level', refusals[Verdict.ackLevel]?.message ?? '');
  }
  const type = (header('content-type') ?? '').split(';', 1)[0] as string;
  if (
    header('content-encoding') !== undefined ||
    !['', 'application/x-ndjson', 'application/json', 'text/plain', 'application/x-www-form-urlencoded'].includes(type)
  ) {
    return refuse(
      request,
      response,
      415,
      'unsupported',
      'send application/x-ndjson, one event a line, without content-encoding',
    );
  }
  if (Number(header('content-length') ?? 0) > bodyBytesMax) {
    return refuse(
      request,
      response,
      413,
      'body_too_large',
      `the body is larger than ${bodyBytesMax} bytes; send it in parts`,
    );
  }
  await take(options, request, response, options.createLineFramer(stream, header('spillway-partition-key')));
}

async function take(
  options: HttpListenerOptions,
  request: IncomingMessage,
  response: ServerResponse,
  framer: LineFramer,
): Promise<void> {
  const { landing, arena, intake, nowUs, bodyBytesMax } = options;
  let bytes = 0;
  async function* bounded(): AsyncGenerator<Buffer> {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bodyBytesMax) return;
      yield chunk;
    }
  }
  const fed = await feed(bounded(), { framer, landing, arena, intake, nowUs, waitMs: blockedMsMax });
  const { accepted, refused, spilled, firstRetryable } = framer;
  const errors = framer.takeRefusals().map(describeRefusal);
  const body = { accepted, refused, spilled, errors };
  const retry = { 'retry-after': String(Math.ceil(intake.retryAfterMs(framer.stream) / 1000)) };
  if (bytes > bodyBytesMax) {
    response.shouldKeepAlive = false;
    answer(response, 413, { error: 'body_too_large', ...body });
  } else if (fed === 'blocked' || firstRetryable > 0) {
    if (fed === 'blocked') response.shouldKeepAlive = false;
    answer(response, 503, { error: 'saturated', firstRefusedLine: firstRetryable, ...body }, retry);
  } else {
    answer(response, refused > 0 ? 400 : 202, body);
  }
}
