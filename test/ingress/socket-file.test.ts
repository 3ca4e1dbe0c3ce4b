import { spawnSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import files from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { freeSocketPath, listenFailure } from '../../src/ingress/socket-file.ts';
import { listenForTest, temporaryDirectory } from './unix-harness.ts';

t.test('the socket file has the mode that was asked for, and is gone after close', async (t) => {
  const { path, listener } = await listenForTest(t, { mode: 0o660 });
  t.equal(statSync(path).mode & 0o777, 0o660);
  await listener.close({ drainMs: 0 });
  t.notOk(existsSync(path));
});

t.test('the socket of a process that is gone is replaced', async (t) => {
  const path = join(temporaryDirectory(t), 'stale.sock');
  // Ends without closing, as a process that is killed does.
  const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script, path]);
  t.ok(statSync(path).isSocket(), 'the dead process has left its socket');
  const { listener } = await listenForTest(t, { path });
  t.equal(listener.path, path);
});

t.test('a second daemon on the same socket is refused, and the first one serves on', async (t) => {
  const { path, listener } = await listenForTest(t);
  await t.rejects(listenForTest(t, { path }), { code: 'socket_in_use', message: /in use by a live process/ });
  t.ok(existsSync(path));
  t.equal(listener.stats.connectionsTurnedAway, 0);
});

t.test('a file that is no socket is never removed', async (t) => {
  const path = join(temporaryDirectory(t), 'precious.txt');
  writeFileSync(path, 'data');
  await t.rejects(listenForTest(t, { path }), { code: 'socket_path_taken' });
  t.ok(existsSync(path));
});

t.test('a missing directory is named with its cure', async (t) => {
  const path = join(temporaryDirectory(t), 'absent', 'spillway.sock');
  await t.rejects(listenForTest(t, { path }), { code: 'socket_directory_missing', message: /create .*absent/ });
});

t.test('a path that no socket address can hold is refused before it is cut', async (t) => {
  const path = join(temporaryDirectory(t), 'x'.repeat(120));
  await t.rejects(listenForTest(t, { path }), { code: 'socket_path_too_long' });
});

t.test('no permission is named with its cure', async (t) => {
  const denied = Object.assign(new Error('denied'), { code: 'EACCES' });
  const closed = { ...files, lstat: () => Promise.reject(denied) };
  await t.rejects(freeSocketPath('/x/y.sock', closed), { code: 'socket_no_permission', message: /writable/ });
  t.match(listenFailure('/x/y.sock', denied), { code: 'socket_no_permission', fields: { path: '/x/y.sock' } });
});
