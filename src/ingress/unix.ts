/**
 * The unix socket listener: accepts senders, gives each its framer by the first byte, and closes them in good order. Main
 * thread; made and closed by the daemon's wiring. It parses nothing and never looks at an event.
 *
 * All connections share one landing zone: a read callback parses to its end before the next one runs. Answers are written once
 * per turn of the event loop, however many reads the turn had.
 *
 * | at its limit | what happens |
 * |---|---|
 * | `connectionsMax` | one line of JSON, `too_many_connections`, and closed before a byte was read |
 * | `carryBytesMax` | the connection whose unfinished event does not fit is told `carry_full` and closed |
 * | unread answers (64 KiB) | not read from until it has read them; closed after `idleTimeoutMs` |
 * | `idleTimeoutMs` | told `idle_timeout` and closed |
 * | no room for all of its events for `letGoAfterMs` | told `overloaded` and closed |
 * | an event not whole within `stallTimeoutMs` | told `stalled` and closed |
 */
import { createServer, type Server, type Socket } from 'node:net';
import { assert } from '../base/assert.ts';
import { CarryPool } from './carry.ts';
import { Connection, type ConnectionHost } from './connection.ts';
import { helloByte } from './frame-layout.ts';
import { landSocket } from './landing-socket.ts';
import { freeSocketPath, listenFailure } from './socket-file.ts';
import type { ListenerStats, UnixLimits, UnixListener, UnixListenerOptions } from './unix-options.ts';

const leaveMsDefault = 2_000;
const backlog = 511;
/** How often connections are looked at for events that do not come whole. */
const lookMs = 250;

/** Binds `path` and accepts. Throws a SpillwayError that names the path and the cure. */
export async function listenUnix(options: UnixListenerOptions): Promise<UnixListener> {
  if (options.fd === undefined) await freeSocketPath(options.path, options.files);
  const listener = new Listener(options);
  await listener.listen();
  return listener;
}

class Listener implements UnixListener {
  readonly path: string;
  readonly stats: ListenerStats;
  #options: UnixListenerOptions;
  readonly #server: Server;
  readonly #area: Buffer;
  readonly #host: ConnectionHost;
  readonly #connections = new Set<Connection>();
  #due: Connection[] = [];
  #closed: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;
  readonly #looking: NodeJS.Timeout;

  constructor(options: UnixListenerOptions) {
    const { landing, arena } = options;
    assert(
      landing.carryStart < landing.readStart && landing.readStart < landing.readEnd,
      'the landing zone has two parts',
    );
    const carryPool = new CarryPool(options.carryBytesMax);
    this.path = options.path;
    this.#options = options;
    this.stats = {
      connectionsOpen: 0,
      connectionsTotal: 0,
      connectionsTurnedAway: 0,
      connectionsLetGo: 0,
      bytesRead: 0,
      eventsOffered: 0,
      get carryBytes() {
        return carryPool.usedBytes;
      },
    };
    this.#area = arena.buffer.subarray(landing.readStart, landing.readEnd);
    this.#host = this.#hostFor(carryPool);
    this.#looking = setInterval(() => this.#look(), lookMs);
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  listen(): Promise<void> {
    const { path, fd, mode } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => {
        clearInterval(this.#looking);
        reject(listenFailure(path, error));
      });
      this.#server.once('listening', () => resolve());
      if (fd !== undefined) {
        this.#server.listen({ fd, backlog });
        return;
      }
      // The file is made inside of this call: with the mask it is never open to more than `mode`, not for a moment.
      const maskBefore = process.umask(0o777 & ~mode);
      try {
        this.#server.listen({ path, backlog });
      } finally {
        process.umask(maskBefore);
      }
    });
  }

  retune(limits: UnixLimits): void {
    this.#options = { ...this.#options, ...limits };
  }

  tellBreaker(stream: number, state: number, retryAfterMs: number): void {
    for (const connection of this.#connections) {
      if (connection.stream === stream) connection.tellBreaker(state, retryAfterMs);
    }
  }

  close({ drainMs }: { readonly drainMs: number }): Promise<void> {
    this.#closed ??= this.#closeAll(drainMs);
    return this.#closed;
  }

  async #closeAll(drainMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const gone = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    this.#answerAll();
    const message = 'the daemon is shutting down; send to its successor';
    for (const connection of this.#connections) connection.finish('draining', message, true);
    const half = setTimeout(() => {
      for (const connection of this.#connections) connection.leave('draining', message, true);
    }, drainMs / 2);
    const deadline = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, drainMs);
    if (this.#connections.size > 0) await gone;
    await closed;
    clearInterval(this.#looking);
    clearTimeout(half);
    clearTimeout(deadline);
  }

  #accept(accepted: Socket): void {
    const { connectionsMax, idleTimeoutMs, adoptHandles } = this.#options;
    if (this.#closed !== undefined) {
      accepted.destroy();
      return;
    }
    if (this.#connections.size >= connectionsMax) {
      this.#turnAway(accepted);
      return;
    }
    const connection = new Connection(this.#host);
    const socket = landSocket(accepted, this.#area, (length) => connection.landed(length), adoptHandles);
    this.#connections.add(connection);
    this.stats.connectionsOpen += 1;
    this.stats.connectionsTotal += 1;
    connection.open(socket, idleTimeoutMs);
  }

  #look(): void {
    const { stallTimeoutMs, nowUs } = this.#options;
    if (stallTimeoutMs === 0) return;
    const now = nowUs();
    for (const connection of this.#connections) connection.look(now, stallTimeoutMs);
  }

  /** Neither lines nor frames are known yet: a line of JSON is understood by people, and by frame clients (PROTOCOL.md). */
  #turnAway(socket: Socket): void {
    this.stats.connectionsTurnedAway += 1;
    const message = `this listener serves at most ${this.#options.connectionsMax} connections; close one or raise the limit`;
    socket.on('error', () => {});
    socket.end(`${JSON.stringify({ error: 'too_many_connections', retryable: true, message })}\n`, () =>
      socket.destroy(),
    );
  }

  #hostFor(carryPool: CarryPool): ConnectionHost {
    const { arena, landing, intake, nowUs, createFrameFramer, createLineFramer, leaveMs } = this.#options;
    return {
      arena,
      landing,
      intake,
      carryPool,
      nowUs,
      leaveMs: leaveMs ?? leaveMsDefault,
      framerFor: (firstByte) => (firstByte === helloByte ? createFrameFramer() : createLineFramer()),
      counted: (bytes, events) => {
        this.stats.bytesRead += bytes;
        this.stats.eventsOffered += events;
      },
      letGoAfterMs: () => this.#options.letGoAfterMs,
      letsGo: () => {
        this.stats.connectionsLetGo += 1;
        this.#options.onLetGo();
      },
      answerLater: (connection) => {
        if (connection.answerDue) return;
        connection.answerDue = true;
        if (this.#due.push(connection) === 1) setImmediate(() => this.#answerAll());
      },
      closed: (connection) => {
        this.#connections.delete(connection);
        this.stats.connectionsOpen -= 1;
        if (this.#connections.size === 0) this.#onEmpty?.();
      },
    };
  }

  #answerAll(): void {
    const due = this.#due;
    this.#due = [];
    for (const connection of due) connection.answer();
  }
}
