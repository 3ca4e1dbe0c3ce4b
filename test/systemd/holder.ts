/**
 * A process that holds listening sockets and runs a command with them, again and again, as systemd does for a socket unit: run by a test,
 * which it ends with. Arguments: unix socket path, then the command. The second socket is TCP, on a free port of 127.0.0.1, which the
 * command finds in SPILLWAY_LISTEN_1_ADDRESS.
 *
 * It blocks while the command runs, so that it never accepts a connection itself. Its first line says the port, each run begins with a
 * line that says the process' id, and what the command prints follows.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';

const [path = '', ...command] = process.argv.slice(2);
const unix = createServer().listen(path);
const tcp = createServer().listen(0, '127.0.0.1');
await Promise.all([once(unix, 'listening'), once(tcp, 'listening')]);
const { port } = tcp.address() as AddressInfo;
writeSync(1, `${JSON.stringify({ kind: 'port', port })}\n`);

const descriptorOf = (server: object): number => (server as { _handle: { fd: number } })._handle.fd;
// `exec` keeps the shell's process id, which is the one that LISTEN_PID must name.
const script = `echo '{"kind":"pid","pid":'$$'}'; LISTEN_PID=$$ exec "$@"`;
for (;;) {
  const { status } = spawnSync('/bin/sh', ['-c', script, 'sh', ...command], {
    stdio: ['ignore', 'inherit', 'inherit', descriptorOf(unix), descriptorOf(tcp)],
    env: {
      ...process.env,
      LISTEN_FDS: '2',
      LISTEN_FDNAMES: 'lines:http',
      SPILLWAY_LISTEN_1_ADDRESS: `127.0.0.1:${port}`,
    },
  });
  if (status !== 0) process.exit(status ?? 1);
}
