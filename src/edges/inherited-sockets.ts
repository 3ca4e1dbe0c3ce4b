/**
 * Listening sockets that this process was given at its start (systemd's socket activation, sd_listen_fds(3)), and where each one
 * listens. Main thread; `run` asks once. It opens, closes and accepts nothing.
 *
 * Node cannot ask a descriptor for its address; `/proc` knows it by the socket's inode.
 */
import { readFileSync, readlinkSync } from 'node:fs';

export interface InheritedSocket {
  readonly fd: number;
  /** A unix socket's path, or `host:port`, `[host]:port`; empty: neither. */
  readonly address: string;
  /** What the socket unit calls it; empty: nothing. */
  readonly name: string;
}

const firstFd = 3;
/** More than any socket unit has. */
const socketsMax = 1024;
/** Flags of /proc/net/unix, state of /proc/net/tcp: it listens. */
const acceptsFlag = 0x10000;
const listenState = '0A';

/**
 * What was handed over, in its order; empty where nothing was, or where it was meant for another process. Takes its variables out of
 * `environment`: they are not for children.
 */
export function takeInheritedSockets(
  environment: Record<string, string | undefined>,
  pid: number,
  procSelf = '/proc/self',
): InheritedSocket[] {
  const { LISTEN_PID: forPid, LISTEN_FDS: count, LISTEN_FDNAMES: names = '' } = environment;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name];
  if (Number(forPid) !== pid || !/^[1-9][0-9]{0,4}$/.test(count ?? '')) return [];
  const addresses = listening(procSelf);
  const nameOf = names.split(':');
  return Array.from({ length: Math.min(socketsMax, Number(count)) }, (_, i) => {
    const fd = firstFd + i;
    return { fd, address: addresses.get(inodeOf(procSelf, fd)) ?? '', name: nameOf[i] ?? '' };
  });
}

function inodeOf(procSelf: string, fd: number): string {
  try {
    return /^socket:\[([0-9]+)\]$/.exec(readlinkSync(`${procSelf}/fd/${fd}`))?.[1] ?? '';
  } catch {
    return '';
  }
}

/** Addresses of the sockets of this network namespace that listen, by inode. */
function listening(procSelf: string): Map<string, string> {
  const found = new Map<string, string>();
  // Num RefCount Protocol Flags Type St Inode Path
  for (const line of linesOf(`${procSelf}/net/unix`)) {
    const match = /^\S+ \S+ \S+ ([0-9A-F]+) \S+ \S+ +([0-9]+) (\/.*)$/.exec(line);
    if (match !== null && (Number.parseInt(match[1] as string, 16) & acceptsFlag) !== 0) {
      found.set(match[2] as string, match[3] as string);
    }
  }
  // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
  for (const line of ['tcp', 'tcp6'].flatMap((name) => linesOf(`${procSelf}/net/${name}`))) {
    const fields = line.trim().split(/\s+/);
    const [host = '', port = ''] = (fields[1] ?? '').split(':');
    if (fields[3] === listenState && fields[9] !== undefined) {
      found.set(fields[9], `${hostOf(host)}:${Number.parseInt(port, 16)}`);
    }
  }
  return found;
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** The kernel prints addresses as 32-bit words in the machine's byte order, which is little-endian wherever Node runs on Linux but s390x. */
function hostOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => [...Buffer.from(word, 'hex')].toReversed());
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    Buffer.from(bytes)
      .readUInt16BE(2 * i)
      .toString(16),
  );
  // The URL parser writes IPv6 addresses in their shortest form.
  return new URL(`http://[${groups.join(':')}]`).hostname;
}
