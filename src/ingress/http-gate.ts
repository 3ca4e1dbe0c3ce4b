/**
 * Who may use an HTTP listener: bearer tokens of requests, and TLS of connections. Main thread; one per listener, asked by it for every
 * request; reads no file, and the daemon gives it what files hold, again at a reload.
 *
 * | at its limit | what happens |
 * |---|---|
 * | a TLS handshake that takes `handshakeTimeoutMs`, in whatever trickle | closed, counted |
 * | bytes that are no TLS, a client certificate that is missing or not trusted | closed, counted |
 * | a token that is missing or wrong | 401, counted |
 *
 * Each is told once per episode: the first one, and again when there was none for {@link quietMs}.
 */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type ListenFiles, type TlsFiles, tokenHash } from '../edges/listen-files.ts';
import type { Fault } from './http-faults.ts';

export interface HttpGateOptions {
  readonly files: ListenFiles;
  readonly nowMs: () => number;
  readonly onIntruder: (intruder: Intruder) => void;
}

/** Somebody who was not let in, first of an episode. */
export interface Intruder {
  readonly code: 'unauthorized' | 'tls_handshake';
  /** Address and port. */
  readonly peer: string;
  readonly cause: string;
  /** Others of the code since the last one that was told. */
  readonly untold: number;
}

/** Counters since the start. */
export interface HttpGateStats {
  unauthorized: number;
  handshakesFailed: number;
}

/** An episode is over when nobody was kept out for so long. */
const quietMs = 60_000;

/** What is answered without a token: health, which load balancers ask for and which says nothing else. */
const openPaths: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

interface Handshake {
  readonly socket: Socket;
  /** Why it fails, if it ends now. */
  cause: string;
}

interface Episode {
  lastMs: number;
  untold: number;
}

export class HttpGate {
  readonly stats: HttpGateStats = { unauthorized: 0, handshakesFailed: 0 };
  readonly #nowMs: () => number;
  readonly #onIntruder: HttpGateOptions['onIntruder'];
  readonly #episodes: Readonly<Record<Intruder['code'], Episode>>;
  #files: ListenFiles;
  #tlsServer: TlsServer | undefined;
  /** Connections that are not secure yet. */
  readonly #handshakes = new Map<string, Handshake>();

  constructor({ files, nowMs, onIntruder }: HttpGateOptions) {
    this.#files = files;
    this.#nowMs = nowMs;
    this.#onIntruder = onIntruder;
    const none = (): Episode => ({ lastMs: Number.NEGATIVE_INFINITY, untold: 0 });
    this.#episodes = { unauthorized: none(), tls_handshake: none() };
  }

  get scheme(): 'http' | 'https' {
    return this.#files.tls === undefined ? 'http' : 'https';
  }

  /** The event of its server with each connection that requests may come on. */
  get connectionEvent(): 'connection' | 'secureConnection' {
    return this.#files.tls === undefined ? 'connection' : 'secureConnection';
  }

  /** The server that speaks what this listener's connections speak. */
  createServer(options: ServerOptions, handshakeTimeoutMs: number): Server {
    const { tls } = this.#files;
    if (tls === undefined) return createServer(options);
    const clients = { requestCert: tls.clientCa !== undefined, rejectUnauthorized: tls.clientCa !== undefined };
    // Node's own limit on a handshake begins anew with each byte: ours is the one that counts.
    const server = createTlsServer({ ...options, ...clients, ...contextOf(tls), allowHalfOpen: true });
    this.#tlsServer = server;
    this.#guardHandshakes(server, handshakeTimeoutMs);
    return server;
  }

  /** Takes over what the files hold now: tokens for all requests, certificates for connections that come. `tls` stays or stays away. */
  renew(files: ListenFiles): void {
    this.#files = files;
    if (files.tls !== undefined) this.#tlsServer?.setSecureContext(contextOf(files.tls));
  }

  /** Ends connections that are not secure yet: the listener closes, and they have brought nothing. */
  cutHandshakes(): void {
    for (const [id, { socket }] of this.#handshakes) {
      this.#handshakes.delete(id);
      socket.destroy();
    }
  }

  /** Undefined: let in. Else what it is answered; its head goes with {@link challenge}. */
  faultOf(request: IncomingMessage, path: string): Fault | undefined {
    const { tokens } = this.#files;
    if (tokens === undefined || openPaths.has(path)) return undefined;
    const given = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given !== undefined && isAmong(tokens, given)) return undefined;
    const cause = given === undefined ? 'no token' : 'a token that is not in token_file';
    this.stats.unauthorized += 1;
    const { remoteAddress, remotePort } = request.socket;
    this.#tell({ code: 'unauthorized', peer: `${remoteAddress}:${remotePort}`, cause });
    return {
      status: 401,
      code: 'unauthorized',
      message: `the request came with ${cause}; send "authorization: Bearer TOKEN" with one that this listener knows`,
    };
  }

  /** A connection that closes before it is secure is one that was kept out; only its bare socket always knows whose it was. */
  #guardHandshakes(server: TlsServer, timeoutMs: number): void {
    const open = this.#handshakes;
    server.on('connection', (socket: Socket) => {
      const id = connectionOf(socket);
      const { remoteAddress, remotePort } = socket;
      const handshake: Handshake = { socket, cause: 'the connection ended' };
      open.set(id, handshake);
      const deadline = setTimeout(() => {
        if (open.get(id) !== handshake) return;
        handshake.cause = `no TLS handshake within ${timeoutMs} ms`;
        socket.destroy();
      }, timeoutMs);
      socket.once('close', () => {
        clearTimeout(deadline);
        if (open.get(id) !== handshake) return;
        open.delete(id);
        this.stats.handshakesFailed += 1;
        const { cause } = handshake;
        this.#tell({ code: 'tls_handshake', peer: `${remoteAddress}:${remotePort}`, cause });
      });
    });
    server.on('secureConnection', (socket) => open.delete(connectionOf(socket)));
    // Node's own would have the HTTP server answer in plain text.
    server.removeAllListeners('tlsClientError');
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      const handshake = open.get(connectionOf(socket));
      if (handshake !== undefined) handshake.cause = handshakeCause(error);
      socket.destroy();
    });
  }

  #tell(intruder: Omit<Intruder, 'untold'>): void {
    const episode = this.#episodes[intruder.code];
    const nowMs = this.#nowMs();
    const isNew = nowMs - episode.lastMs >= quietMs;
    episode.lastMs = nowMs;
    if (!isNew) {
      episode.untold += 1;
      return;
    }
    this.#onIntruder({ ...intruder, untold: episode.untold });
    episode.untold = 0;
  }
}

/** How a client learns what to send (RFC 6750, 3). */
export const challenge = { 'www-authenticate': 'Bearer realm="spillway"' } as const;

function contextOf({ cert, key, clientCa }: TlsFiles): object {
  return { cert, key, minVersion: 'TLSv1.2' as const, ...(clientCa === undefined ? {} : { ca: clientCa }) };
}

/** Whether one of the hashes is the token's; looks at all of them, so that the time says nothing. */
function isAmong(tokens: readonly Buffer[], given: string): boolean {
  const hash = tokenHash(given);
  let isOne = false;
  for (const token of tokens) isOne = timingSafeEqual(token, hash) || isOne;
  return isOne;
}

function connectionOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress}:${remotePort}-${localAddress}`;
}

function handshakeCause({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ERR_SSL_HTTP_REQUEST':
      return 'plain HTTP where TLS is spoken';
    case 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE':
      return 'no client certificate';
    case 'ECONNRESET':
      return 'the connection ended';
    default:
      return code ?? message;
  }
}
