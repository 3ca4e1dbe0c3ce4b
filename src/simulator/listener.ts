/**
 * One port: accepts connections, plain or TLS, tells HTTP/1.1 from HTTP/2 by their first bytes, counts them, and can close
 * and open the port again (the fault `refuse`). Made by simulator.ts, once for the API and once for the admin API.
 */
import net from 'node:net';
import tls from 'node:tls';
import { SpillwayError } from '../base/errors.ts';
import type { Application } from './exchange.ts';
import { Http1Connection } from './http1.ts';
import { Http2Sessions, prefaceStart } from './http2.ts';

/** Where all plain connections' bytes land, and all TLS connections': TLS gives at most 16 KiB at a time. */
const plainArea = Buffer.allocUnsafeSlow(64 * 1_024);
const tlsArea = Buffer.allocUnsafeSlow(16 * 1_024);

export interface KeyPair {
  readonly key: string;
  readonly certificate: string;
}

export interface ConnectionCounts {
  openConnections: number;
  openedConnections: number;
  tlsConnections: number;
}

export class Listener {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #application: Application;
  readonly #http2: Http2Sessions;
  readonly #host: string;
  #port: number;

  constructor(
    host: string,
    port: number,
    keyPair: KeyPair | undefined,
    application: Application,
    counts: ConnectionCounts,
  ) {
    this.#host = host;
    this.#port = port;
    this.#application = application;
    this.#http2 = new Http2Sessions(application);
    if (keyPair === undefined) {
      this.#server = net.createServer((socket) => this.#begin(socket, plainArea));
    } else {
      const { key, certificate } = keyPair;
      const server = tls.createServer({ key, cert: certificate, ALPNProtocols: ['h2', 'http/1.1'] });
      server.on('secureConnection', (socket) => {
        counts.tlsConnections++;
        this.#begin(socket, tlsArea);
      });
      server.on('tlsClientError', (_error, socket) => socket.destroy());
      this.#server = server;
    }
    this.#server.on('connection', (socket: net.Socket) => {
      this.#sockets.add(socket);
      counts.openConnections++;
      counts.openedConnections++;
      socket.setNoDelay(true);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        counts.openConnections--;
      });
    });
  }

  /** Where it listens, once it has: the port is the one that the system chose when 0 was asked for. */
  get address(): { readonly host: string; readonly port: number } {
    return { host: this.#host, port: this.#port };
  }

  get listening(): boolean {
    return this.#server.listening;
  }

  /** Rejects with `address_in_use` or `cannot_listen`. After {@link close} it opens the same port again. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void => reject(listenError(error, this.#host, this.#port));
      this.#server.once('error', fail);
      this.#server.listen(this.#port, this.#host, () => {
        this.#server.off('error', fail);
        this.#port = (this.#server.address() as net.AddressInfo).port;
        resolve();
      });
    });
  }

  /** Closes the port and destroys all connections; resolves when both are gone. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  /** Waits for the bytes that tell the protocol, then hands the socket on. */
  #begin(socket: net.Socket, area: Buffer): void {
    let first: Buffer = Buffer.alloc(0);
    // A client that goes away in the middle of something is no error of ours; 'close' follows.
    socket.on('error', () => {});
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk !== null) first = Buffer.concat([first, chunk]);
      if (first.length < prefaceStart.length) return;
      socket.off('readable', onReadable);
      if (first.subarray(0, prefaceStart.length).equals(prefaceStart)) {
        socket.unshift(first);
        this.#http2.accept(socket);
      } else {
        new Http1Connection(socket, this.#application, first, area);
      }
    };
    socket.on('readable', onReadable);
    socket.on('end', () => socket.end());
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): SpillwayError {
  const fields = { host, port };
  if (error.code === 'EADDRINUSE') {
    const message = `${host}:${port} is taken by another process; stop that one, or choose another port (0 lets the system choose)`;
    return new SpillwayError('address_in_use', message, { fields, cause: error });
  }
  const message = `cannot listen on ${host}:${port}: ${error.message}; choose an address of this host and a port you may use`;
  return new SpillwayError('cannot_listen', message, { fields, cause: error });
}
