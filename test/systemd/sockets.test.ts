import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { assignSockets } from '../../src/daemon/inherited.ts';
import { takeInheritedSockets } from '../../src/edges/inherited-sockets.ts';
import { type LogLine, Rig, until } from '../daemon/running.ts';
import { loaded, smallest } from '../daemon/sources.ts';

const main = new URL('../../src/main.js', import.meta.url).pathname;
const holder = new URL('./holder.js', import.meta.url).pathname;

interface Held {
  readonly rig: Rig;
  readonly path: string;
  readonly log: readonly LogLine[];
  /** Of the TCP socket. */
  readonly url: () => string;
  /** Resolves with the process id of the daemon of this run, when it is ready; the first is 1. */
  readonly ready: (run: number) => Promise<number>;
}

/** A daemon on sockets that another process holds, started anew whenever it ends. */
async function held(t: Test): Promise<Held> {
  const rig = await Rig.start(t);
  const path = join(rig.directory, 'held.sock');
  const config = join(rig.directory, 'spillway.toml');
  writeFileSync(
    config,
    `
[daemon]
state_dir = "${rig.directory}/state"
[[stream]]
name = "orders"
region = "us-east-1"
endpoint = "${rig.simulator.url}"
ca_file = "${rig.simulator.caFile}"
[[listen]]
kind = "unix"
path = "${path}"
[[listen]]
kind = "http"
address = "127.0.0.1:0"
`.replace('ca_file = "undefined"\n', ''),
  );
  const command = [holder, path, process.execPath, main, 'run', '--config', config];
  const child = spawn(process.execPath, command, {
    env: { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const log: LogLine[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => log.push(JSON.parse(line) as LogLine));
  const of = (kind: string): LogLine[] => log.filter((line) => line.kind === kind);
  t.teardown(() => {
    child.kill('SIGKILL');
    const pid = of('pid').at(-1)?.['pid'] as number;
    if (of('stop').filter(({ state }) => state === 'stopped').length < of('pid').length) process.kill(pid, 'SIGKILL');
  });
  return {
    rig,
    path,
    log,
    url: () => `http://127.0.0.1:${String(of('port')[0]?.['port'])}`,
    ready: async (run) => {
      await until(
        async () => of('ready').length,
        (ready) => ready >= run,
      );
      return of('pid')[run - 1]?.['pid'] as number;
    },
  };
}

/** One line over a connection of its own; resolves with the error of connect(2), or empty when the daemon has taken it. */
function sendLine(path: string, line: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve(''));
    socket.resume();
    socket.end(`${line}\n`);
  });
}

t.test(
  'senders never meet a closed socket while the daemon is restarted on sockets that are held for it',
  async (t) => {
    const { path, url, log, ready } = await held(t);
    const first = await ready(1);
    const end = new AbortController();
    const failures = new Map<string, number>();
    const sent = { lines: 0, requests: 0 };
    const count = (failure: string): void => void failures.set(failure, (failures.get(failure) ?? 0) + 1);
    const sender = async (): Promise<void> => {
      while (!end.signal.aborted) {
        const failure = await sendLine(path, JSON.stringify({ n: sent.lines }));
        if (failure === '') sent.lines++;
        else count(failure);
      }
    };
    const poster = async (): Promise<void> => {
      const post = { method: 'POST', body: '{"a":1}', headers: { connection: 'close' } };
      while (!end.signal.aborted) {
        try {
          const { status } = await fetch(`${url()}/v1/streams/orders/events`, post);
          if (status === 202) sent.requests++;
          else count(`HTTP ${status}`);
        } catch (error) {
          count((error as { cause?: { code?: string } }).cause?.code ?? String(error));
        }
      }
    };
    const sending = [sender(), poster()];
    for (let run = 1, pid = first; run <= 3; run++) {
      const { lines, requests } = sent;
      await until(
        async () => sent.lines > lines && sent.requests > requests,
        (isFlowing) => isFlowing,
      );
      process.kill(pid, 'SIGTERM');
      pid = await ready(run + 1);
    }
    end.abort();
    await Promise.all(sending);
    t.equal(failures.get('ECONNREFUSED') ?? 0, 0, 'no connection is refused');
    t.equal(failures.get('ENOENT') ?? 0, 0, 'the socket is always there');
    t.strictSame(
      [...failures.keys()].filter((failure) => failure.startsWith('HTTP')),
      [],
      'no request is turned away',
    );
    t.ok(existsSync(path));
    t.ok(sent.lines >= 3 && sent.requests >= 3);
    t.strictSame(
      log.filter(({ code }) => code === 'socket_unwanted'),
      [],
    );
    t.comment(JSON.stringify({ sent, failures: [...failures] }));
  },
);

t.test('an inherited socket goes to the listener at its address, whatever their order', async (t) => {
  const { listeners } = loaded(`${smallest}
[[listen]]
kind = "http"
address = "[::1]:7070"
[[listen]]
kind = "http"
address = "localhost:7071"
[[listen]]
kind = "unix"
path = "/run/spillway/a b.sock"
`);
  const base = listeners.length - 3;
  const { fds, unwanted } = assignSockets(listeners, [
    { fd: 3, address: '/run/spillway/a b.sock', name: '' },
    { fd: 4, address: '127.0.0.1:7071', name: '' },
    { fd: 5, address: '[::1]:7071', name: 'second' },
    { fd: 6, address: '[::1]:7070', name: '' },
    { fd: 7, address: '', name: 'pipe' },
  ]);
  t.strictSame(
    [...fds],
    [
      [base + 2, 3],
      [base + 1, 4],
      [base, 6],
    ],
  );
  t.strictSame(
    unwanted.map(({ fd }) => fd),
    [5, 7],
    'an address is taken once',
  );
});

t.test('sockets are known by what /proc says of their inodes', async (t) => {
  const proc = t.testdir();
  for (const name of ['fd', 'net']) mkdirSync(join(proc, name));
  for (const [fd, inode] of [
    [3, 11],
    [4, 22],
    [5, 33],
    [6, 44],
  ])
    symlinkSync(`socket:[${inode}]`, join(proc, 'fd', String(fd)));
  writeFileSync(
    join(proc, 'net/unix'),
    `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01    11 /run/spillway/orders one.sock
0000000000000000: 00000003 00000000 00000000 0001 03    44 /run/spillway/connected.sock
`,
  );
  const tcpHead = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
  writeFileSync(
    join(proc, 'net/tcp'),
    `${tcpHead}   0: 0100007F:1B9E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22 1 0 100 0 0 10 0\n`,
  );
  writeFileSync(
    join(proc, 'net/tcp6'),
    `${tcpHead}   0: B80D0120000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 33 1 0 100 0 0 10 0\n`,
  );
  const environment = { LISTEN_PID: '77', LISTEN_FDS: '4', LISTEN_FDNAMES: 'a:b', OTHER: 'x' };
  t.strictSame(takeInheritedSockets({ ...environment }, 78, proc), [], 'those of another process are not taken');
  t.strictSame(
    takeInheritedSockets(environment, 77, proc),
    [
      { fd: 3, address: '/run/spillway/orders one.sock', name: 'a' },
      { fd: 4, address: '127.0.0.1:7070', name: 'b' },
      { fd: 5, address: '[2001:db8::1]:8080', name: '' },
      { fd: 6, address: '', name: '' },
    ],
    'one that does not listen has no address',
  );
  t.strictSame(environment, { OTHER: 'x' }, 'children hear nothing of it');
  rmSync(proc, { recursive: true });
  t.equal(statSync(proc, { throwIfNoEntry: false }), undefined);
});
