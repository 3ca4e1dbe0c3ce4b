import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { connect } from '../../src/client/client.ts';
import { until } from '../daemon/running.ts';
import { binary } from './spillway.ts';

/** A daemon that has not ended by then never will. */
const lateMs = 30_000;

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

/** A directory, and a daemon's command on it, with a stdout that is such a pipe. */
function start(t: Test, directory: string): { readonly exited: Promise<unknown[]>; stop(): void } {
  const pipe = fullPipe(join(mkdtempSync(join(directory, 'pipe-')), 'pipe'));
  t.teardown(() => closeSync(pipe));
  const daemon = spawn(process.execPath, [binary, 'run', '--embedded', '--state-dir', directory], {
    stdio: ['ignore', pipe, 'ignore'],
  });
  const exited = once(daemon, 'exit');
  const late = setTimeout(() => daemon.kill('SIGKILL'), lateMs);
  t.teardown(() => {
    clearTimeout(late);
    daemon.kill('SIGKILL');
  });
  return { exited, stop: () => void daemon.kill('SIGTERM') };
}

t.test(
  'a daemon whose log nobody reads takes events all the same, and ends when it is told to, or has failed',
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'spillway-run-'));
    t.teardown(() => rmSync(directory, { recursive: true, force: true }));
    const daemon = start(t, directory);
    const path = join(directory, 'spillway.sock');
    const client = await until(
      () => connect({ path }).catch(() => undefined),
      (connected) => connected !== undefined,
    );
    client?.send('key', 'an event');
    t.match(await client?.close(), { accepted: 1 });
    const second = start(t, directory);
    t.strictSame(await second.exited, [1, null], 'the state directory is taken');
    daemon.stop();
    t.strictSame(await daemon.exited, [0, null]);
  },
);
