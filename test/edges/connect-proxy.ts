/**
 * An HTTP proxy that knows CONNECT alone, on a free port. Started by tests of connections through a proxy and of `check --live`;
 * ended by the test's teardown.
 */
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface ProxyBehaviour {
  /** Every name leads to this port of this machine: nobody else needs to know the name. */
  readonly port?: number;
  /** Answers every CONNECT with this status. */
  readonly refuse?: number;
  /** Reads every CONNECT and never answers. */
  readonly silent?: boolean;
  /** `user:password` that must be given. */
  readonly user?: string;
}

export interface ConnectProxy {
  readonly url: string;
  /** `host:port` of each CONNECT, in order. */
  readonly asked: readonly string[];
}

export async function startConnectProxy(
  t: { teardown(end: () => Promise<void>): void },
  { port, refuse, silent, user }: ProxyBehaviour = {},
): Promise<ConnectProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => response.writeHead(501).end());
  server.on('connection', (socket) => sockets.add(socket));
  server.on('connect', ({ url = '', headers }, socket) => {
    asked.push(url);
    socket.on('error', () => {});
    if (silent) return;
    const known = user === undefined || headers['proxy-authorization'] === `Basic ${btoa(user)}`;
    const status = refuse ?? (known ? undefined : 407);
    if (status !== undefined) return socket.end(`HTTP/1.1 ${status} Refused\r\n\r\n`);
    const onward = connect({ host: '127.0.0.1', port: port ?? Number(url.split(':').at(-1)) }, () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    sockets.add(onward);
    onward.on('error', () => socket.destroy());
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
