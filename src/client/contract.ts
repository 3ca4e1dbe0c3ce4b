/**
 * What a client of the binary protocol takes and gives: types alone. `client.ts` opens one, `socket-client.ts` is one.
 */
import type { SpillwayError } from '../base/errors.ts';
import type { AckLevel } from '../ingress/frame-layout.ts';
import type { Limits, Receipt, Refused } from './answers.ts';

export interface ClientOptions {
  readonly path: string;
  /** Absent: the listener's default stream. */
  readonly stream?: string;
  /**
   * What an ack promises. `memory`: the daemon has the event. `disk`: it is on the daemon's disk, or it was named by `onRefusal` (with
   * the code `disk_stalled`: it may be delivered nevertheless). `stream`: Kinesis has it, or it was named by `onRefusal` (with the code
   * `on_disk`: the daemon keeps it and delivers it later). Absent: the listener's default.
   */
  readonly ack?: keyof typeof AckLevel;
  /** Bytes that may be sent and unacknowledged before `send` answers false. `send` throws at twice as many. */
  readonly windowBytes?: number;
  readonly blockBytes?: number;
  /** Milliseconds until the daemon must have answered the hello. */
  readonly connectTimeoutMs?: number;
  readonly onRefusal?: (refused: Refused) => void;
  /** Events are in Kinesis, and where. Given, with ack `stream`: the daemon is asked to tell, before it acknowledges them. */
  readonly onReceipt?: (receipt: Receipt) => void;
  /** Events 1..number are judged; at ack level `stream`, delivered or refused. */
  readonly onAck?: (number: number) => void;
  /** `send` answered false before; there is room again. */
  readonly onDrain?: () => void;
  /** 0 closed, 1 half open, 2 open. */
  readonly onBreaker?: (state: number, retryAfterMs: number) => void;
  /** Called once. `error` is absent after {@link Client.close}. Events [first, first + count) have an unknown fate. */
  readonly onClose?: (closed: {
    readonly error?: SpillwayError;
    readonly first: number;
    readonly count: number;
  }) => void;
}

/** Events judged since the connection began. */
export interface Judged {
  /** At ack level `stream` those in Kinesis, and those on disk. */
  readonly accepted: number;
  readonly refused: number;
  /** Of the accepted ones, those of which the daemon said `on_disk`: it delivers them later. */
  readonly onDisk?: number;
}

export interface Client {
  readonly limits: Limits;
  /** Number of the last event sent. */
  readonly sent: number;
  readonly judged: Judged;
  readonly unackedBytes: number;
  /**
   * Sends one event. It is taken in any case; false asks the caller to wait for `onDrain`. `key` undefined: the daemon chooses
   * one. `explicitHashKey`: 16 bytes, big-endian. Throws `connection_lost` when closed, `window_full` when false was ignored.
   */
  send(
    key: string | Uint8Array | undefined,
    data: string | Uint8Array,
    options?: { readonly explicitHashKey?: Uint8Array },
  ): boolean;
  /** Resolves when everything sent so far is judged; rejects with `connection_lost` or what the daemon said. */
  flush(): Promise<Judged>;
  /** Waits for the outcome of everything sent, then says goodbye. */
  close(): Promise<Judged>;
  /** Breaks off at once. */
  destroy(): void;
}
