/**
 * A sender's end of the binary protocol, for Node programs, `spillway send`, tests, and benchmarks. Runs in the sender's
 * process, in any thread; never in the daemon.
 *
 * Events are numbered from 1 in the order of `send`. What was sent and not yet acknowledged is bounded by a window in bytes.
 * A lost connection is never mended in silence: `onClose` names the events whose fate is unknown, and the caller decides
 * whether to send them again over a new connection (they may arrive twice) or not (they may be lost).
 */
import { createConnection } from 'node:net';
import { AckLevel, ackLevelDefault, encodeHello, HelloFlag, protocolVersion } from '../ingress/frame-layout.ts';
import type { Client, ClientOptions } from './contract.ts';
import { SocketClient } from './socket-client.ts';

export type { Limits, Receipt, Refused } from './answers.ts';
export type { Client, ClientOptions, Judged } from './contract.ts';

const connectTimeoutMsDefault = 5_000;

/** Connects and waits for the daemon's hello. Rejects with `daemon_unreachable`, or what the daemon said against it. */
export function connect(options: ClientOptions): Promise<Client> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path: options.path });
    const client = new SocketClient(socket, options, resolve, reject);
    const ackLevel = options.ack === undefined ? ackLevelDefault : AckLevel[options.ack];
    const flags = options.onReceipt === undefined ? 0 : HelloFlag.receipts;
    socket.write(encodeHello(options.stream ?? '', ackLevel, protocolVersion, flags));
    client.awaitHello(options.connectTimeoutMs ?? connectTimeoutMsDefault);
  });
}
