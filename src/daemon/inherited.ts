/**
 * Which socket that the service manager holds belongs to which listener: the one that listens where the configuration says. Main
 * thread; pure. A socket that no listener takes would keep senders waiting for nobody, so it is reported.
 */
import type { InheritedSocket } from '../edges/inherited-sockets.ts';
import type { ListenConfig } from './config.ts';

export interface Assignment {
  /** By index of the listener. */
  readonly fds: ReadonlyMap<number, number>;
  readonly unwanted: readonly InheritedSocket[];
}

export function assignSockets(listeners: readonly ListenConfig[], sockets: readonly InheritedSocket[]): Assignment {
  const fds = new Map<number, number>();
  const unwanted = sockets.filter(({ address, fd }) => {
    const index = listeners.findIndex((listener, i) => !fds.has(i) && addressesOf(listener).includes(address));
    if (index >= 0) fds.set(index, fd);
    return index < 0;
  });
  return { fds, unwanted };
}

/** As the system writes them. */
function addressesOf(listener: ListenConfig): string[] {
  if (listener.kind === 'unix') return [listener.path];
  if (listener.kind === 'stdin') return [];
  const { host, port } = listener.address;
  if (host === 'localhost') return [`127.0.0.1:${port}`, `[::1]:${port}`];
  // The URL parser writes IPv6 addresses in their shortest form.
  return [host.includes(':') ? `${new URL(`http://[${host}]`).hostname}:${port}` : `${host}:${port}`];
}
