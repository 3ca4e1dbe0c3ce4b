/**
 * What the service manager (systemd) and the daemon say to each other: where its notices go, and how they are sent (sd_notify(3)).
 * Main thread; `run` opens it once, before any child is started. It never blocks, and knows no notice's meaning.
 *
 * Node has no unix datagram sockets, so libc's are called through koffi: 25 us a notice, from the daemon's own process, which is what
 * `NotifyAccess=main` asks for. It is loaded only where NOTIFY_SOCKET is set. The program `systemd-notify` would be a process of its
 * own for each notice, and needs `NotifyAccess=all`.
 */
import { SpillwayError, toPlainError } from '../base/errors.ts';

export interface ServiceManager {
  /** Milliseconds in which it wants to be told WATCHDOG=1; 0: it does not. */
  readonly watchdogMs: number;
  /** Microseconds of CLOCK_MONOTONIC, which is what its notices are dated by. */
  readonly monotonicUs: () => bigint;
  /** Sends lines of `NAME=value`. False: its queue is full or it is gone; say it again later. */
  send(notice: string): boolean;
}

// <sys/socket.h>, <linux/un.h>: the same on every Linux that Node runs on.
const unixFamily = 1;
const datagramCloseOnExec = 2 | 0o2000000;
/** MSG_DONTWAIT, MSG_NOSIGNAL. */
const sendFlags = 0x40 | 0x4000;
/** Room for a path in `sockaddr_un`. */
const addressBytesMax = 108;

/**
 * The service manager that started this process; undefined: none did. Takes its variables out of `environment`: they are not for
 * children. Throws `notify_unavailable` where it cannot be told anything, with the cure.
 */
export async function openServiceManager(
  environment: Record<string, string | undefined>,
  pid: number,
): Promise<ServiceManager | undefined> {
  const { NOTIFY_SOCKET: address, WATCHDOG_USEC: micros, WATCHDOG_PID: watched } = environment;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  if (address === undefined || address === '') return undefined;
  const isMeant = watched === undefined || Number(watched) === pid;
  const watchdogMs = isMeant && /^[0-9]{1,15}$/.test(micros ?? '') ? Number(micros) / 1000 : 0;
  return { watchdogMs, monotonicUs: () => process.hrtime.bigint() / 1000n, send: await sender(address) };
}

async function sender(address: string): Promise<(notice: string) => boolean> {
  const place = socketAddress(address);
  if (place === undefined) {
    throw unavailable(`NOTIFY_SOCKET ${address} is neither a path nor an abstract socket`);
  }
  try {
    const { default: koffi } = await import('koffi');
    // The process itself: it has a libc, whichever that is.
    const libc = koffi.load(null);
    const socket = libc.func('int socket(int, int, int)') as (family: number, type: number, protocol: number) => number;
    const sendto = libc.func('long sendto(int, const void *, size_t, int, const void *, uint32_t)') as (
      fd: number,
      bytes: Buffer,
      length: number,
      flags: number,
      to: Buffer,
      toLength: number,
    ) => number;
    const fd = socket(unixFamily, datagramCloseOnExec, 0);
    if (fd < 0) throw unavailable(`no socket for notices: errno ${koffi.errno()}`);
    return (notice) => {
      const bytes = Buffer.from(notice);
      return sendto(fd, bytes, bytes.length, sendFlags, place, place.length) === bytes.length;
    };
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    throw unavailable(`the package koffi cannot be loaded: ${toPlainError(error).message}`, error);
  }
}

/** A `sockaddr_un` in the byte order of this machine; "@name" is an abstract one. */
function socketAddress(address: string): Buffer | undefined {
  const name = Buffer.from(address);
  if (!/^[/@]./.test(address) || name.length > addressBytesMax) return undefined;
  const isAbstract = address.startsWith('@');
  if (isAbstract) name[0] = 0;
  const family = Buffer.from(Uint16Array.of(unixFamily).buffer);
  return Buffer.concat([family, name, isAbstract ? Buffer.alloc(0) : Buffer.alloc(1)]);
}

function unavailable(what: string, cause?: unknown): SpillwayError {
  const cure = 'install spillway with its optional packages, or run it with Type=exec and without WatchdogSec';
  return new SpillwayError('notify_unavailable', `the service manager cannot be told anything: ${what}; ${cure}`, {
    cause,
  });
}
