import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import t from 'tap';
import { binary, spillway } from './spillway.ts';

const folder = new URL('../../src/cli/', import.meta.url);
const files = readdirSync(folder).flatMap((name) => /^([a-z]+)\.js$/.exec(name)?.[1] ?? []);

t.test('the help lists exactly the commands that exist, each with its own description', async (t) => {
  const { stdout, code } = await spillway(['--help']);
  t.equal(code, 0);
  const listed = new Map([...stdout.matchAll(/^ {2}([a-z]+) {2,}(.+)$/gm)].map((match) => [match[1], match[2]]));
  for (const name of files) {
    const { command } = (await import(new URL(`${name}.js`, folder).href)) as { command?: () => Command };
    if (command === undefined) continue;
    t.equal(listed.get(name), command().description(), name);
  }
  t.test('nothing else', { skip: existsSync(new URL('run.js', folder)) ? false : 'run is not built' }, async (t) => {
    for (const name of listed.keys()) t.ok(files.includes(name ?? ''), String(name));
  });
});

t.test('--version is the version of the package', async (t) => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  t.match(await spillway(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
});

t.test('wrong usage ends with 2, one message on stderr, and nothing on stdout', async (t) => {
  t.match(await spillway(['chek']), {
    code: 2,
    stdout: '',
    stderr: /^spillway: unknown command 'chek'\n\(Did you mean check\?\)\n$/,
  });
  t.match(await spillway(['check', '--cofnig', 'x']), {
    code: 2,
    stdout: '',
    stderr: /^spillway: unknown option '--cofnig'/,
  });
  t.match(await spillway([]), { code: 2, stdout: '', stderr: /^Usage: spillway/ });
});

t.test('help of a command is reached both ways', async (t) => {
  const [flag, word] = await Promise.all([spillway(['check', '--help']), spillway(['help', 'check'])]);
  t.match(flag, { code: 0, stdout: /^Usage: spillway check/ });
  t.equal(word.stdout, flag.stdout);
});

t.test('an error has no stack unless SPILLWAY_DEBUG=1 asks for it', async (t) => {
  const [plain, debug] = await Promise.all([
    spillway(['check', '--config', '/nonexistent']),
    spillway(['check', '--config', '/nonexistent'], { SPILLWAY_DEBUG: '1' }),
  ]);
  t.equal(plain.stderr.trim().split('\n').length, 1);
  t.match(debug.stderr, /\n {4}at /);
});

t.test('a reader that goes away ends the program quietly', async (t) => {
  const child = spawn(process.execPath, [binary, 'check', '--schema'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const [code] = (await once(child, 'close')) as [number];
  t.equal(code, 0);
  t.equal(stderr, '');
});
