import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { requireConfig } from '../../src/daemon/config.ts';
import { memoryOf } from '../../src/daemon/demand.ts';
import { assignSockets } from '../../src/daemon/inherited.ts';
import { lostBeats, stuckBeats } from '../../src/threads/pulse.ts';
import { load } from '../daemon/sources.ts';

const shipped = (name: string): string => fileURLToPath(new URL(`../../../systemd/${name}`, import.meta.url));
const unit = readFileSync(shipped('spillway.service'), 'utf8');
const socketUnit = readFileSync(shipped('spillway.socket'), 'utf8');
const example = readFileSync(shipped('spillway.toml'), 'utf8');

/** The last value of a setting of a unit. */
const setting = (name: string, text = unit): string =>
  [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].at(-1)?.[1] ?? '';

interface Ended {
  /** undefined: the program does not exist. */
  readonly code: number | undefined;
  readonly output: string;
}

function run(command: string, ...arguments_: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(command, arguments_, { timeout: 20_000 }, (error, stdout, stderr) => {
      const failed = error?.code === 'ENOENT' ? undefined : typeof error?.code === 'number' ? error.code : 128;
      resolve({ code: error === null ? 0 : failed, output: stdout + stderr });
    });
  });
}

const absent =
  (await run('systemd-analyze', '--version')).code === undefined ? 'systemd-analyze is not installed' : false;

t.test('systemd-analyze verify finds nothing to say of the units', { skip: absent }, async (t) => {
  // The binary is not installed where tests run; another program that exists stands in for it.
  const verified = async (text: string): Promise<Ended> => {
    const directory = t.testdir({ 'spillway.socket': readFileSync(shipped('spillway.socket'), 'utf8') });
    const file = join(directory, 'spillway.service');
    writeFileSync(file, text.replaceAll('/usr/bin/spillway', process.execPath));
    return run('systemd-analyze', 'verify', '--man=no', file, join(directory, 'spillway.socket'));
  };
  const { code, output } = await verified(unit);
  t.equal(code, 0, output);
  t.notMatch(output, /spillway\.(service|socket)/);
  const broken = await verified(unit.replace('Restart=always', 'Restart=sometimes'));
  t.match(broken.output, /Failed to parse service restart specifier/, 'and a wrong setting is seen');
});

t.test('the unit keeps its exposure level at 1.1 or below', { skip: absent }, async (t) => {
  const { output } = await run(
    'systemd-analyze',
    'security',
    '--offline=true',
    '--no-pager',
    shipped('spillway.service'),
  );
  const level = Number(/exposure level for spillway.service: ([0-9.]+)/.exec(output)?.[1]);
  t.ok(level <= 1.1, `${level}`);
});

t.test('the users and groups of the units are those that sysusers makes', { skip: absent }, async (t) => {
  const { code, output } = await run('systemd-sysusers', '--dry-run', shipped('sysusers.conf'));
  t.equal(code, 0, output);
  const users = readFileSync(shipped('sysusers.conf'), 'utf8');
  t.match(users, new RegExp(`^u ${setting('User')} `, 'm'));
  t.match(users, new RegExp(`^g ${setting('SocketGroup', socketUnit)} `, 'm'));
  t.equal(setting('SocketUser', socketUnit), setting('User'));
  t.match(
    readFileSync(shipped('tmpfiles.conf'), 'utf8'),
    new RegExp(`^d /run/spillway 2750 ${setting('User')} ${setting('SocketGroup', socketUnit)} -$`, 'm'),
  );
});

t.test('the socket unit has every socket of the example, and no other', async (t) => {
  const { listeners } = requireConfig(load(example));
  const { unwanted, fds } = assignSockets(
    listeners,
    [...socketUnit.matchAll(/^ListenStream=(.*)$/gm)].map(([, address = ''], i) => ({ fd: 3 + i, address, name: '' })),
  );
  t.equal(fds.size, listeners.length);
  t.strictSame(unwanted, []);
  for (const listener of listeners) {
    if (listener.kind === 'unix') t.equal(Number.parseInt(setting('SocketMode', socketUnit), 8), listener.mode);
  }
});

t.test('the example is a correct configuration', async (t) => {
  const config = requireConfig(load(example));
  t.strictSame(
    config.listeners.map(({ kind, stream }) => `${kind} ${stream}`),
    ['unix orders', 'http orders'],
  );
});

t.test('unit and configuration agree about directories, time and memory', async (t) => {
  const config = requireConfig(load(example));
  const { daemon, listeners } = config;
  t.equal(daemon.stateDir, `/var/lib/${setting('StateDirectory')}`);
  for (const listener of listeners) {
    if (listener.kind === 'unix')
      t.ok(listener.path.startsWith(`${setting('ReadWritePaths').slice(1)}/`), listener.path);
  }
  t.ok(Number(setting('TimeoutStopSec')) * 1000 >= 2 * daemon.drainTimeoutMs, 'a stop may take its drain timeout');
  const megabytes = (name: string): number => Number(setting(name).replace('M', '')) * 1024 ** 2;
  t.ok(megabytes('MemoryHigh') >= 2 * daemon.memoryBudgetBytes, 'the budget leaves as much again to Node');
  t.ok(megabytes('MemoryMax') > megabytes('MemoryHigh'));
  t.ok(memoryOf(config).ringBytes > 0);
});

t.test('a wrong configuration is not started again, everything else is', async (t) => {
  t.equal(setting('RestartPreventExitStatus'), '78');
  t.equal(setting('Restart'), 'always');
});

t.test('V8 may compile: nothing in the unit forbids writable memory to be run', async (t) => {
  t.notMatch(unit, /^MemoryDenyWriteExecute=/m);
});

t.test('the watchdog is wanted, and the daemon itself is asked to feed it', async (t) => {
  t.equal(setting('Type'), 'notify');
  t.equal(setting('NotifyAccess'), 'main');
  t.ok(Number(setting('WatchdogSec')) > lostBeats + stuckBeats, 'a lane that is replaced in time costs no restart');
});
