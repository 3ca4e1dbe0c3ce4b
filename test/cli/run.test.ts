import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { connect } from '../../src/client/client.ts';
import { until } from '../daemon/running.ts';
import { binary } from './spillway.ts';

/** A pipe that takes nothing more, and that nobody reads. */
function fullPipe(path: string): number {
  execFileSync('mkfifo', [path]);
  const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    for (;;) writeSync(pipe, 'a line that nobody reads\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
  return pipe;
}

t.test('a daemon whose log nobody reads takes events all the same, and ends with 0 when it is told to', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-run-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const pipe = fullPipe(join(directory, 'pipe'));
  t.teardown(() => closeSync(pipe));
  const daemon = spawn(process.execPath, [binary, 'run', '--embedded', '--state-dir', directory], {
    stdio: ['ignore', pipe, 'inherit'],
  });
  t.teardown(() => daemon.kill('SIGKILL'));
  const exited = once(daemon, 'exit');
  const path = join(directory, 'spillway.sock');
  const client = await until(
    () => connect({ path }).catch(() => undefined),
    (connected) => connected !== undefined,
  );
  client?.send('key', 'an event');
  t.match(await client?.close(), { accepted: 1 });
  daemon.kill('SIGTERM');
  const late = setTimeout(() => daemon.kill('SIGKILL'), 15_000);
  t.strictSame(await exited, [0, null]);
  clearTimeout(late);
});
