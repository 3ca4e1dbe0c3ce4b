import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { fill, idsIn, snapshot, stateDirectory } from './dlq-directory.ts';
import { binary, spillway } from './spillway.ts';

t.test('names that lead elsewhere are never opened, and a pipe blocks nothing: 210 of them', async (t) => {
  const stateDir = stateDirectory(t);
  await fill(stateDir, { letters: 10 });
  const directory = join(stateDir, 'dlq');
  const elsewhere = mkdtempSync(join(tmpdir(), 'spillway-elsewhere-'));
  t.teardown(() => rmSync(elsewhere, { recursive: true, force: true }));
  const real = readFileSync(join(directory, readdirSync(directory)[0] as string));
  const hostile = hostileNames();
  t.ok(hostile.length >= 200);
  hostile.forEach((name, index) => {
    const target = join(elsewhere, `outside-${index}`);
    writeFileSync(target, real);
    const path = join(directory, name);
    if (index % 3 === 0) symlinkSync(target, path);
    else if (index % 3 === 1) mkdirSync(path);
    else execFileSync('mkfifo', [path]);
  });
  symlinkSync(join(elsewhere, 'outside-0'), join(directory, 'checkpoint'));
  for (const words of [['ls'], ['stat'], ['show'], ['verify'], ['replay', '--dry-run'], ['purge', '--yes']]) {
    const opened = join(elsewhere, `opened-${words.join('')}`);
    const ended = await traced([...words, '--state-dir', stateDir], opened);
    if (existsSync(opened)) {
      t.match(readFileSync(opened, 'utf8'), /dead-0000000001\.seg/, 'the trace has what is ours');
      const paths = readFileSync(opened, 'utf8')
        .split('\n')
        .filter((line) => line.includes('outside-'));
      t.strictSame(paths, [], `${words.join(' ')} opens nothing outside`);
    }
    t.notMatch(ended, /outside-/);
  }
  t.equal(readdirSync(elsewhere).filter((name) => name.startsWith('outside-')).length, hostile.length);
  for (const index of hostile.keys()) {
    if (!readFileSync(join(elsewhere, `outside-${index}`)).equals(real)) t.fail(`outside-${index} was changed`);
  }
});

/** Names of ours, close to ours, and of the sort that tools stumble over. */
function hostileNames(): string[] {
  const names: string[] = [];
  for (let number = 0; number < 60; number++) names.push(`dead-${String(9_000_000_000 + number)}.seg`);
  for (let number = 0; number < 60; number++) names.push(`spill-${String(9_000_000_000 + number)}.seg`);
  for (let number = 0; number < 30; number++) names.push(`dead-${String(8_000_000_000 + number)}.seg.64.quarantine`);
  for (let number = 0; number < 30; number++) names.push(`dead-${String(8_000_000_000 + number)}.seg.tmp`);
  for (let number = 0; number < 20; number++) names.push(`..${'.'.repeat(number)}\\..\\etc\\passwd`);
  for (const odd of [
    'checkpoint.tmp',
    '\u001b[2J',
    '-rf',
    'dead-1.seg',
    '~',
    '$HOME',
    '%2e%2e%2f',
    'CON',
    '\n',
    '\r.seg',
  ])
    names.push(odd);
  return names;
}

/** Runs the command with a list of what the process opens, where strace is there; stdout and stderr together. */
async function traced(words: readonly string[], opened: string): Promise<string> {
  const hasTracer = existsSync('/usr/bin/strace');
  const command = [process.execPath, binary, 'dlq', ...words];
  const traces = [
    'strace',
    '-f',
    '-qq',
    '-y',
    '-e',
    'trace=open,openat,read,pread64',
    '-e',
    'signal=none',
    '-o',
    opened,
  ];
  const [program, ...rest] = hasTracer ? [...traces, ...command] : command;
  const child = spawn(program as string, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child, 'close');
  return text;
}

t.test('a DLQ that is a link is not followed: neither read nor purged', async (t) => {
  const [stateDir, elsewhere] = [stateDirectory(t), stateDirectory(t)];
  await fill(elsewhere, { letters: 10 });
  symlinkSync(join(elsewhere, 'dlq'), join(stateDir, 'dlq'));
  const before = snapshot(elsewhere);
  for (const words of [['ls'], ['show'], ['verify'], ['purge', '--yes'], ['replay']]) {
    const { code, stdout, stderr } = await spillway(['dlq', ...words, '--state-dir', stateDir]);
    t.strictSame([code, stdout], [1, ''], words.join(' '));
    t.match(stderr, /dlq cannot be used: it is no directory, and a link is not followed/);
  }
  t.strictSame(snapshot(elsewhere), before);
});

t.test("root works as the directory's owner: the daemon can use what it leaves", { skip: skipUser() }, async (t) => {
  const stateDir = stateDirectory(t);
  await fill(stateDir, { letters: 20 });
  const names = (): string[] => readdirSync(join(stateDir, 'dlq')).map((name) => join(stateDir, 'dlq', name));
  for (const path of [stateDir, join(stateDir, 'dlq'), ...names()]) chownSync(path, 65_534, 65_534);
  t.match(await spillway(['dlq', 'purge', '--reason', 'rejected', '--yes', '--state-dir', stateDir]), { code: 0 });
  t.match(await spillway(['dlq', 'replay', '--state-dir', stateDir]), { code: 0 });
  t.strictSame(idsIn(stateDir, 'spill'), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
  for (const path of names()) t.match(statSync(path), { uid: 65_534, gid: 65_534 }, path);
  t.strictSame(readdirSync(stateDir), ['dlq'], 'the lock is given back');
});

t.test('another user gets no byte: the message says who may', { skip: skipUser() }, async (t) => {
  const stateDir = stateDirectory(t);
  await fill(stateDir, { letters: 10 });
  chmodSync(stateDir, 0o700);
  for (const words of [['ls'], ['show'], ['verify'], ['purge', '--yes'], ['replay']]) {
    const command = [process.execPath, binary, 'dlq', ...words, '--state-dir', stateDir];
    const child = spawn('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', ...command]);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number];
    t.equal(code, 1, words.join(' '));
    t.equal(stdout, '');
    t.match(stderr, /cannot be read: no permission: run this as the daemon's user/);
  }
});

function skipUser(): string | false {
  if (process.getuid?.() !== 0) return 'only root can run it as another user';
  return existsSync('/usr/bin/setpriv') ? false : 'setpriv is not installed';
}
