/**
 * Installs the Debian package in a fresh system with a systemd of its own, as the runbook says, and lives with it: first event, reload,
 * upgrade under a sender, removal, purge, and back again with the events that were waiting. `npm run test:long -- packages`
 *
 * Needs root, debootstrap, systemd-nspawn and a Debian mirror; says so and holds where it has none of them. The package is built from this
 * tree. PACKAGES_ROOT: a fresh Debian root that is there already, copied and left alone.
 */
import { strict as assert } from 'node:assert';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../daemon/running.ts';
import { type Lane, runLane } from './parts/lane.ts';

const tree = fileURLToPath(new URL('../../../', import.meta.url));
const tools = ['debootstrap', 'systemd-nspawn', 'dpkg-deb', 'nsenter'];
const missing = tools.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
const debootstrapFlags = ['--variant=minbase', '--include=systemd,systemd-sysv,dbus'];
const suite = 'bookworm';
const mirror = 'http://deb.debian.org/debian';

/** A booted system, and what is run in it. */
class Container {
  readonly root: string;
  readonly #child: ChildProcess;
  #leader = 0;

  constructor(root: string) {
    this.root = root;
    const machine = `spillway-${process.pid}`;
    const flags = ['--boot', '--quiet', '--register=no', '--keep-unit', '--private-network', `--machine=${machine}`];
    this.#child = spawn('systemd-nspawn', [...flags, '-D', root], { stdio: 'ignore' });
  }

  async booted(): Promise<void> {
    const { pid } = this.#child;
    await until(
      async () => {
        const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
        this.#leader = Number(children[0]);
        return this.#leader > 0 ? this.try('systemctl is-system-running --wait').stdout.trim() : '';
      },
      (state) => /^(running|degraded)$/.test(state),
    );
  }

  /** What a shell in it prints; throws where it ends with anything but 0. */
  run(command: string): string {
    const { status, stdout, stderr } = this.try(command);
    assert.equal(status, 0, `${command}: ${stdout}${stderr}`);
    return stdout;
  }

  try(command: string): { status: number | null; stdout: string; stderr: string } {
    const enter = ['-t', String(this.#leader), '-m', '-u', '-i', '-p', '-n', '-C'];
    const clean = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'sh', '-c', `cd /root; ${command}`];
    return spawnSync('nsenter', [...enter, '--', ...clean], { encoding: 'utf8', timeout: 180_000 });
  }

  async end(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    // Asks systemd-nspawn to shut the system down.
    this.#child.kill('SIGTERM');
    await gone;
  }
}

/** The package of this tree, and the same again under a later version. */
function packages(directory: string): { readonly first: string; readonly next: string } {
  execFileSync(join(tree, 'systemd/package.sh'), [directory, 'deb'], { stdio: 'inherit' });
  const first = join(directory, readdirSync(directory)[0] as string);
  const unpacked = join(directory, 'unpacked');
  execFileSync('dpkg-deb', ['-R', first, unpacked]);
  const control = join(unpacked, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, '$&+next'));
  const next = join(directory, 'next.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', unpacked, next]);
  rmSync(unpacked, { recursive: true });
  return { first, next };
}

/** Events in the simulator's stream. */
function stored(container: Container): number {
  const script =
    "fetch('http://127.0.0.1:4568/_sim/events?stream=orders').then((r) => r.text()).then((t) => console.log(t.split('\\n').filter(Boolean).length))";
  return Number(container.run(`/usr/lib/spillway/node -e "${script}"`));
}

const send = (lines: number): string =>
  `yes '{"user":{"id":"a"}}' | head -n ${lines} | spillway send --to /run/spillway/orders.sock`;

/** As the runbook has it; `deb`: the package's file in the container. */
function install(container: Container, deb: string): void {
  container.run(`dpkg -i ${deb}`);
  container.run('systemd-run --quiet --unit=spillway-sim spillway sim --stream orders --admin 127.0.0.1:4568');
  const variables = 'SPILLWAY_STREAM_0_ENDPOINT=http://127.0.0.1:4567 AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x';
  container.run(`printf '%s\\n' ${variables} >> /etc/default/spillway`);
  container.run('systemctl enable --quiet --now spillway');
  container.run(`${send(1)} --ack stream`);
}

function reloads(lane: Lane, container: Container): void {
  const edit = (from: string, to: string): string =>
    `sed -i 's/linger = "${from}"/linger = "${to}"/' /etc/spillway/spillway.toml`;
  container.run(`${edit('100ms', '50ms')}; systemctl reload spillway`);
  lane.check(
    'a configuration with mistakes fails its reload',
    container.try(`${edit('50ms', '50')}; systemctl reload spillway`).status !== 0,
  );
  lane.check('and the restart', container.try('systemctl restart spillway').status !== 0);
  const restarts = container.run('systemctl show spillway -p NRestarts').trim();
  lane.check('which is not tried again', restarts === 'NRestarts=0', restarts);
  container.run(`${edit('50', '50ms')}; systemctl reset-failed spillway; systemctl start spillway.socket spillway`);
  const log = container.run('journalctl -u spillway -o cat');
  lane.check('a good one is taken over', /reloaded: stream orders: linger/.test(log));
}

/** Senders, one after the other, while the package is replaced under them: one whose connection the stop ends is told so. */
async function upgrade(lane: Lane, container: Container): Promise<void> {
  const before = stored(container);
  const loop = `while [ ! -e enough ]; do ${send(50)} --json >> sums 2>> errors; echo >> rounds; done`;
  writeFileSync(join(container.root, 'root/loop.sh'), loop);
  container.run(
    'systemd-run --quiet --unit=beside --working-directory=/root --property=RemainAfterExit=yes sh loop.sh',
  );
  const rounds = (): number => Number(container.try('wc -l < rounds').stdout);
  const more = async (from: number): Promise<number> =>
    until(
      async () => rounds(),
      (count) => count >= from + 3,
    );
  await more(0);
  const pid = container.run('systemctl show spillway -p MainPID');
  container.run('dpkg -i next.deb');
  lane.check('an upgrade starts the new daemon', container.run('systemctl show spillway -p MainPID') !== pid);
  await more(rounds());
  container.run('touch enough');
  await until(
    async () => container.run('systemctl show beside -p SubState'),
    (shown) => !shown.includes('running'),
  );
  const errors = container.run('grep -v "Broken pipe" errors || true').trim();
  lane.check('no sender finds a closed socket', !errors.includes('cannot reach'), errors);
  const sums = container.run('cat sums').trim().split('\n');
  const accepted = sums.reduce((sum, line) => sum + (JSON.parse(line) as { accepted: number }).accepted, 0);
  const count = await until(
    async () => stored(container),
    (now) => now >= before + accepted,
  );
  lane.figure('events accepted around the upgrade', accepted);
  // What was taken and not told before the connection ended is delivered, too.
  lane.check('all that was accepted is delivered', count - before <= 50 * rounds(), `${count - before}`);
}

async function removal(lane: Lane, container: Container): Promise<void> {
  container.run('systemctl stop spillway-sim');
  container.run(send(100));
  container.run('systemctl stop spillway.socket spillway');
  const waiting = (): string => container.run('cd /var/lib/spillway/dlq; sha256sum spill-*').trim();
  const before = waiting();
  container.run('dpkg -r spillway; test ! -e /usr/bin/spillway; test -e /etc/spillway/spillway.toml');
  const purged = container.run('dpkg -P spillway 2>&1; test ! -e /etc/spillway');
  lane.check('a purge says what it keeps', /var.lib.spillway is kept/.test(purged));
  lane.check('removal and purge leave what waits as it is', waiting() === before, before);
  install(container, 'next.deb');
  const count = await until(
    async () => stored(container),
    (now) => now >= 101,
  );
  lane.check('installed again, what waited is delivered', count === 101, `${count} events`);
}

await runLane(
  'packages: installed, reloaded, upgraded, removed in a fresh Debian with a systemd of its own',
  async (lane) => {
    if (process.getuid?.() !== 0 || missing.length > 0) {
      return lane.line(`skipped: it needs root${missing.map((tool) => `, ${tool}`).join('')}`);
    }
    const work = mkdtempSync(join(tmpdir(), 'spillway-packages-'));
    lane.teardown(async () => rmSync(work, { recursive: true, force: true }));
    const root = join(work, 'root');
    const base = process.env['PACKAGES_ROOT'];
    if (base !== undefined) execFileSync('cp', ['-a', base, root]);
    else execFileSync('debootstrap', [...debootstrapFlags, suite, root, mirror], { stdio: 'ignore' });
    const { first, next } = packages(join(work, 'packages'));
    copyFileSync(first, join(root, 'root/first.deb'));
    copyFileSync(next, join(root, 'root/next.deb'));
    const container = new Container(root);
    lane.teardown(() => container.end());
    await container.booted();
    install(container, 'first.deb');
    lane.check('the first event is delivered after five commands', stored(container) === 1);
    reloads(lane, container);
    await upgrade(lane, container);
    await removal(lane, container);
  },
);
