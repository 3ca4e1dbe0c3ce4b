import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { AlertCommand } from '../../src/edges/alert-command.ts';
import { until } from '../daemon/running.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-test-'));
t.teardown(() => rmSync(directory, { recursive: true }));

/** A command of this shell script; its words are `rest`. */
const shell = (script: string, timeoutMs = 20_000, ...rest: string[]): AlertCommand =>
  new AlertCommand(['/bin/sh', '-c', script, 'sh', ...rest], timeoutMs);

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // A zombie that nobody has waited for yet is no living process.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

t.test('the command gets the document on stdin and its words as they are, and little of the environment', async (t) => {
  process.env['AWS_SECRET_ACCESS_KEY'] ??= 'secret';
  const file = join(directory, 'got');
  const word = '$(touch /tmp/x) "; exit 5';
  await shell('cat > "$2"; printf "%s\\n" "$1" >> "$2"; env >> "$2"', 20_000, word, file).run('{"a":1}\n');
  const got = readFileSync(file, 'utf8');
  t.match(got, `{"a":1}\n${word}\n`);
  t.match(got, /^PATH=/m);
  t.notMatch(got, /AWS_/);
});

t.test('one that fails is told with its exit code and the beginning of what it wrote', async (t) => {
  await t.rejects(shell('echo no route >&2; exit 3').run('x'), {
    code: 'alert_command',
    retryable: true,
    message: /^the command of \[notify\], \/bin\/sh, ended with 3: no route$/,
  });
  await t.rejects(shell('kill -9 $$').run('x'), { message: /ended with SIGKILL$/ });
  await t.rejects(new AlertCommand(['/nowhere/page'], 1_000).run('x'), { message: /cannot be started \(ENOENT\)/ });
});

t.test('one that does not read its stdin is none the worse for it', async (t) => {
  await shell('exit 0').run('x'.repeat(1_000_000));
  t.pass();
});

t.test('one that hangs is killed after its time, with what it has started', async (t) => {
  const file = join(directory, 'pid');
  const startMs = performance.now();
  await t.rejects(shell('sleep 60 & echo $! > "$1"; sleep 60', 300, file).run('x'), {
    message: /did not end within 300 ms and was killed/,
  });
  t.ok(performance.now() - startMs < 10_000);
  const pid = Number(readFileSync(file, 'utf8'));
  t.ok(pid > 0);
  t.notOk(
    await until(
      async () => isAlive(pid),
      (alive) => !alive,
    ),
  );
});

t.test('the end of one that was killed is not taken for that of the next', async (t) => {
  const file = join(directory, 'pids');
  const command = shell('echo $$ >> "$1"; exec sleep 60', 300, file);
  for (let run = 0; run < 3; run++) await t.rejects(command.run('x'), { message: /did not end within 300 ms/ });
  const pids = readFileSync(file, 'utf8').trim().split('\n').map(Number);
  t.equal(pids.length, 3);
  await until(
    async () => pids.filter(isAlive),
    (alive) => alive.length === 0,
  );
});

t.test('one that writes without end is killed', async (t) => {
  await t.rejects(shell('yes').run('x'), { message: /wrote more than 65536 bytes: y/ });
});

t.test('when nobody waits for it any more it is killed', async (t) => {
  const file = join(directory, 'started');
  const command = shell('echo $$ > "$1"; sleep 60', 60_000, file);
  const run = command.run('x');
  await until(async () => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'), Boolean);
  command.close();
  await t.rejects(run, { message: /was ended with the daemon/ });
  t.notOk(
    await until(
      async () => isAlive(Number(readFileSync(file, 'utf8'))),
      (alive) => !alive,
    ),
  );
  writeFileSync(file, '');
  command.close();
});
