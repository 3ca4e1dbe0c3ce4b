/**
 * The daemon's control socket: lines come in, lines go out, one question at a time per connection. Main thread; a unix socket of
 * mode 0600 in the state directory, which is private to the daemon's user. It knows nothing of what is asked (control.ts does).
 * Bounded: a few connections, the length of a line, and the time in which the first one must have come.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { freeSocketPath, listenFailure, type SocketFiles } from '../ingress/socket-file.ts';
import { controlLineBytesMax } from './control-messages.ts';

const connectionsMax = 16;
const firstLineMs = 10_000;

/** One connection, as whoever answers sees it. */
export interface Asker {
  /** One line; false: the other side does not read as fast, or is gone. */
  tell(reply: object): boolean;
  /** Says no more. */
  end(): void;
}

/** Told of each line of one connection, and of its end. */
export interface Listener {
  line(text: string): void;
  gone(): void;
}

export interface ControlFiles extends SocketFiles {
  chmod(path: string, mode: number): Promise<void>;
}

export class ControlSocket {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Rejects with an error that names the path and the cure. */
  static async open(path: string, files: ControlFiles, answer: (asker: Asker) => Listener): Promise<ControlSocket> {
    await freeSocketPath(path, files);
    const server = createServer({ allowHalfOpen: true });
    server.maxConnections = connectionsMax;
    const control = new ControlSocket(server);
    server.on('connection', (socket) => control.#serve(socket, answer));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(listenFailure(path, error)));
      server.listen(path, resolve);
    });
    await files.chmod(path, 0o600);
    return control;
  }

  /** Ends all connections and removes the socket. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.end();
    const late = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, 200);
    await closed;
    clearTimeout(late);
  }

  #serve(socket: Socket, answer: (asker: Asker) => Listener): void {
    this.#sockets.add(socket);
    const listener = answer({
      tell: (reply) => socket.writable && socket.write(`${JSON.stringify(reply)}\n`),
      end: () => socket.end(),
    });
    let text = '';
    const late = setTimeout(() => socket.destroy(), firstLineMs);
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        clearTimeout(late);
        listener.line(text.slice(0, end));
        text = text.slice(end + 1);
      }
      if (text.length > controlLineBytesMax) socket.destroy();
    });
    socket.on('end', () => listener.gone());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(late);
      this.#sockets.delete(socket);
      listener.gone();
    });
  }
}
