import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { queueBytesMax } from '../../src/observe/log-output.ts';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Starts log-child with a pipe as stdout. Nothing reads it until the test does; Node itself takes in 64 KiB. */
function child(behaviour: string): Child {
  return spawn(process.execPath, [join(import.meta.dirname, 'log-child.js'), behaviour], { stdio: 'pipe' });
}

t.test(
  'a stdout that nobody reads neither stops the event loop, nor grows memory, nor keeps the process from ending',
  async (t) => {
    const blocked = child('blocked');
    const [report, [code]] = await Promise.all([text(blocked.stderr), once(blocked, 'exit')]);
    t.equal(code, 0);
    const { lost, ticks, heapBytes } = JSON.parse(report) as { lost: number; ticks: number; heapBytes: number };
    // 20,000 lines of about 1.1 kB, of which the queue takes 1 MiB and the pipes some 100 KB.
    t.ok(lost > 18_000 && lost < 20_000, `${lost} lines lost`);
    t.ok(ticks > 10, `${ticks} turns of the event loop while blocked`);
    t.ok(heapBytes < 20 * queueBytesMax, `${heapBytes} bytes of heap`);
    blocked.stdout.destroy();
  },
);

t.test(
  'a reader that lags and comes back gets whole lines in order, and is told exactly how many were lost',
  async (t) => {
    const resumed = child('resumed');
    const reports = createInterface({ input: resumed.stderr })[Symbol.asyncIterator]();
    t.match(JSON.parse((await reports.next()).value as string), { state: 'full' });
    const [out, [code]] = await Promise.all([text(resumed.stdout), once(resumed, 'exit')]);
    t.equal(code, 0);
    t.match(JSON.parse((await reports.next()).value as string), { unreported: 0 });
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; events: number; lost: number });
    const backlog = lines.filter((line) => line.kind === 'backlog').map((line) => line.events);
    t.same(
      backlog,
      backlog.map((_, index) => index),
      'the lines that came are the first ones, in order',
    );
    const lost = lines.filter((line) => line.kind === 'log').reduce((sum, line) => sum + line.lost, 0);
    t.ok(lost > 0);
    t.equal(backlog.length + lost, 5_000);
  },
);

t.test('a closed stdout does not end the process; lines are counted as lost', async (t) => {
  const closed = child('closed');
  const reports = createInterface({ input: closed.stderr })[Symbol.asyncIterator]();
  t.match(JSON.parse((await reports.next()).value as string), { state: 'started' });
  closed.stdout.destroy();
  await once(closed.stdout, 'close');
  closed.stdin.write('go\n');
  t.match(JSON.parse((await reports.next()).value as string), { lost: 20 });
  const [code] = await once(closed, 'exit');
  t.equal(code, 0);
});

t.test('lines are out when process.exit follows at once, to a pipe and to a file', async (t) => {
  const exiting = child('exit');
  const [out] = await Promise.all([text(exiting.stdout), once(exiting, 'exit')]);
  t.equal(out.split('\n').length, 21);
  const file = join(tmpdir(), `spillway-log-${process.pid}.ndjson`);
  t.teardown(() => rmSync(file, { force: true }));
  const fd = openSync(file, 'w');
  const script = join(import.meta.dirname, 'log-child.js');
  const toFile = spawn(process.execPath, [script, 'exit'], { stdio: ['ignore', fd, 'ignore'] });
  closeSync(fd);
  await once(toFile, 'exit');
  t.equal(readFileSync(file, 'utf8').split('\n').length, 21);
});
