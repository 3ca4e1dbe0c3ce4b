import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Rig, until } from '../daemon/running.ts';
import { binary, spillway } from './spillway.ts';

const hasScript = ((): boolean => {
  try {
    execFileSync('script', ['--version']);
    return true;
  } catch {
    return false;
  }
})();

const onTerminal = { skip: hasScript ? false : 'script(1) is absent (Debian package bsdutils)' };

/** A command in a pseudo-terminal of so many columns and rows, all that it writes, and its keys. */
function inTerminal(t: Test, columns: number, rows: number, words: readonly string[]) {
  const command = `stty cols ${columns} rows ${rows}; exec ${process.execPath} ${binary} ${words.join(' ')}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { PATH: process.env['PATH'], TERM: 'xterm-256color', LANG: 'C.UTF-8' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const seen = { text: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    seen.text += chunk.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const shows = (words: RegExp): Promise<string> =>
    until(
      async () => seen.text.slice(-20_000),
      (text) => words.test(text),
      20_000,
    );
  return { press: (key: string) => child.stdin.write(key), exited, shows };
}

t.test('a running daemon, from its state directory, its configuration and its HTTP listener', async (t) => {
  const rig = await Rig.start(t);
  const stateDir = join(rig.directory, 'state');
  const daemon = await rig.daemon();
  await rig.send(daemon.socket, 0, 500);
  await until(
    () => daemon.ledger(),
    ({ delivered }) => delivered === 500,
  );
  for (const place of [
    ['--state-dir', stateDir],
    ['--config', join(rig.directory, 'spillway.toml')],
    ['--to', daemon.url],
  ]) {
    const { code, stdout, stderr } = await spillway(['top', '--once', '--json', '--interval', '100ms', ...place]);
    t.match({ code, stderr }, { code: 0, stderr: '' }, place.join(' '));
    const look = JSON.parse(stdout);
    t.match(look, {
      at: /^2\d{3}-/,
      rates: { received: 0, accepted: 0, refused: 0, delivered: 0 },
      streamRates: { orders: { accepted: 0 } },
      status: { state: 'ready', ledger: { accepted: 500, delivered: 500 }, streams: { orders: {} } },
    });
    if (place[0] !== '--to') t.match(look, { pid: daemon.process.pid, version: /^\d/ });
  }
  const plainly = await spillway(['top', '--once', '-i', '100ms', '--state-dir', stateDir]);
  t.match(plainly.stdout, /^spillway \S+ {2}ready[^]*\nSTREAM .*\norders [^]*\nLANE /);
  t.notMatch(plainly.stdout, /\x1b/, 'a pipe gets no escapes');

  await t.test(
    'on a terminal it has a screen of its own, gives it back, and waits for a daemon that goes',
    onTerminal,
    async (t) => {
      const top = inTerminal(t, 80, 24, ['top', '-i', '100ms', '--state-dir', stateDir]);
      const text = await top.shows(/STREAM[^]*STREAM/);
      t.match(text, /^\x1b\[\?1049h/);
      const frames = text.split('\x1b[H').slice(1, -1);
      for (const each of frames) {
        const lines = each.replace(/\x1b\[[0-9;?]*[a-zA-Z]/g, '').split(/\r+\n/);
        t.ok(lines.length <= 24 && lines.every((line) => line.length <= 80), each);
      }
      t.equal(await daemon.stop(), 0);
      await top.shows(/waiting for the daemon: no daemon answers on/);
      top.press('q');
      t.equal(await top.exited, 0);
      t.match(await top.shows(/\x1b\[\?1049l/), /\x1b\[\?25h\x1b\[\?1049l$/);
    },
  );
});

t.test('what is not there, and flags that mean nothing, are told with the cure', async (t) => {
  const nowhere = join(t.testdir(), 'none');
  t.match(await spillway(['top', '--state-dir', nowhere]), {
    code: 1,
    stderr: /no daemon answers on .*none\/control: nobody listens there; is it running/,
  });
  t.match(await spillway(['top', '--to', 'http://127.0.0.1:1', '--once']), { code: 1, stderr: /no daemon answers on/ });
  t.match(await spillway(['top', '--to', 'orders.sock']), { code: 2, stderr: /such as http:/ });
  t.match(await spillway(['top', '--to', 'http://x', '--state-dir', '/x']), { code: 2, stderr: /give one of them/ });
  t.match(await spillway(['top', '-i', '5ms']), { code: 2, stderr: /--interval .*must be from 100ms to 1m/ });
  t.match(await spillway(['top', '-i', '5']), { code: 2, stderr: /--interval .*"5ms"/ });
});
