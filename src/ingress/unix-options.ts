/**
 * What the unix socket listener takes and gives. Main thread; types alone: the listener is unix.ts.
 */
import type { Arena } from '../ring/arena.ts';
import type { Framer } from './framer.ts';
import type { Intake, Landing } from './intake.ts';
import type { SocketFiles } from './socket-file.ts';

export interface UnixListenerOptions {
  readonly path: string;
  /** A socket that listens at `path` already, and stays there when this listener is closed; undefined: one is made. */
  readonly fd?: number | undefined;
  /** Permissions of the socket file, as in 0o660. Who may write to it may send. */
  readonly mode: number;
  readonly arena: Arena;
  readonly landing: Landing;
  readonly intake: Intake;
  /** Microseconds of the daemon's clock. */
  readonly nowUs: () => number;
  readonly files: SocketFiles;
  /** A framer for a connection whose first byte is `helloByte`, and one for all others. */
  readonly createFrameFramer: () => Framer;
  readonly createLineFramer: () => Framer;
  readonly connectionsMax: number;
  /** Bound on what all connections together keep of unfinished events, in bytes. */
  readonly carryBytesMax: number;
  readonly idleTimeoutMs: number;
  /** How long an event may take from its first byte to its last; 0: for ever. */
  readonly stallTimeoutMs: number;
  /** A connection that finds no room for all of its events for so long is closed; 0: none is. */
  readonly letGoAfterMs: number;
  /** Told of each that is. */
  readonly onLetGo: () => void;
  /** Milliseconds that a connection may take to leave after its last answer. */
  readonly leaveMs?: number;
  /** False: copy into the landing zone instead of reading into it. For tests of the fallback. */
  readonly adoptHandles?: boolean;
}

/** Counters since the start, except `connectionsOpen`, `carryBytes`. */
export interface ListenerStats {
  connectionsOpen: number;
  connectionsTotal: number;
  connectionsTurnedAway: number;
  connectionsLetGo: number;
  bytesRead: number;
  eventsOffered: number;
  readonly carryBytes: number;
}

/** What may change while it listens. */
export type UnixLimits = Pick<
  UnixListenerOptions,
  'connectionsMax' | 'idleTimeoutMs' | 'stallTimeoutMs' | 'letGoAfterMs'
>;

export interface UnixListener {
  readonly path: string;
  readonly stats: ListenerStats;
  /** Tells every connection of `stream` that speaks frames the breaker's new state. */
  tellBreaker(stream: number, state: number, retryAfterMs: number): void;
  /** For connections that come from now on. */
  retune(limits: UnixLimits): void;
  /**
   * Stops accepting, tells the connections `draining`, and resolves when all are gone or were cut off after `drainMs`. Senders of
   * ack level `stream` hear of what they sent for half of that time before. What
   * was read is with the intake; what was not was never acknowledged.
   */
  close(options: { readonly drainMs: number }): Promise<void>;
}
