/**
 * What `spillway send` needs of a way to the daemon, whichever it is: frames over a unix socket (frame-sender.ts) or HTTP
 * (http-sender.ts). Types, and the tally that both keep.
 */

export interface EventSender {
  readonly tally: SendTally;
  /**
   * Takes one event; `key` undefined: the daemon chooses. `origin`: where it comes from, as a refusal tells it (`FILE:LINE`).
   * False: wait for `room` before the next.
   */
  send(key: string | undefined, data: Buffer, origin: Origin): boolean;
  /** Resolves when there is room for more. Rejects when the daemon is lost. */
  room(): Promise<void>;
  /** Resolves when each event has an outcome. Rejects when that cannot be known; the tally says of how many. */
  finish(): Promise<void>;
  /** From now on refused events are not sent again. */
  giveUp(): void;
  /** Breaks off at once. */
  destroy(): void;
}

/** A line of a file. */
export interface Origin {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

export interface RefusedLine extends Origin {
  readonly code: string;
  readonly message: string;
}

/** Refused lines that are told one by one; the others are counted. */
const refusedLinesMax = 10;

/** How the sending stands. Events that were refused and are to be sent again are in none of the sums. */
export class SendTally {
  events = 0;
  bytes = 0;
  accepted = 0;
  /** Of the accepted ones: kept by the daemon on disk, and not known to be delivered yet; both at ack level `stream` only. */
  onDisk = 0;
  pending = 0;
  /** Sent again after a refusal. */
  resent = 0;
  /** Sent on a connection that was lost before an answer came. */
  unknown = 0;
  readonly refusedByCode: Record<string, number> = {};
  /** The first lines that were refused for good. */
  readonly refusedLines: RefusedLine[] = [];

  refuse(code: string, message: string, { file, line }: Origin): void {
    this.refusedByCode[code] = (this.refusedByCode[code] ?? 0) + 1;
    if (this.refusedLines.length < refusedLinesMax) this.refusedLines.push({ file, line, code, message });
  }

  get refused(): number {
    return Object.values(this.refusedByCode).reduce((sum, count) => sum + count, 0);
  }
}

export interface ResendRules {
  /** How often a refused event may be sent again. */
  readonly retriesMax: number;
  /** Waits; a test gives one that does not. */
  readonly sleep: (ms: number) => Promise<void>;
}
