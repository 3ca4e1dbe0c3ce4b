/** The simulator's counters, as `GET /_sim/stats` gives them out. One per simulator; written where things happen. */
import type { Wire } from './wire.ts';

export class Tally {
  openConnections = 0;
  openedConnections = 0;
  tlsConnections = 0;
  acceptedRecords = 0;
  failedRecords = 0;
  /** Bytes of data (without partition keys) in accepted records. */
  userBytes = 0;
  bodyBytes = 0;
  readonly wires: Record<Wire, number> = { json: 0, cbor: 0 };
  readonly requests = new Map<string, number>();
  /** Error answers (status 400 and above) by exception. */
  readonly errors = new Map<string, number>();

  count(counters: Map<string, number>, name: string): void {
    counters.set(name, (counters.get(name) ?? 0) + 1);
  }

  /** Sets everything but the connections to zero. */
  forget(): void {
    this.acceptedRecords = 0;
    this.failedRecords = 0;
    this.userBytes = 0;
    this.bodyBytes = 0;
    this.wires.json = 0;
    this.wires.cbor = 0;
    this.requests.clear();
    this.errors.clear();
  }
}
