import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { drained, Rig, type RunningDaemon, until } from '../daemon/running.ts';
import type { Hang } from './hangs.ts';
import { noReceiver, ServiceManagerDouble } from './service-manager.ts';

interface Managed {
  readonly rig: Rig;
  readonly manager: ServiceManagerDouble;
  readonly daemon: RunningDaemon;
  /** Hangs a thread of the daemon. */
  readonly hang: (what: Hang) => Promise<void>;
}

/** A daemon that a service manager has started; `address`: the notify socket, in the rig's directory unless it is abstract. */
async function managed(t: Test, watchdogMs: number, address = 'notify.sock', rest = ''): Promise<Managed> {
  const rig = await Rig.start(t);
  const place = address.startsWith('@') ? address : join(rig.directory, address);
  const manager = await ServiceManagerDouble.start(t, place);
  const hangs = join(rig.directory, 'hangs.sock');
  const daemon = await rig.daemon('', rest, {
    environment: {
      NOTIFY_SOCKET: place,
      WATCHDOG_USEC: String(watchdogMs * 1000),
      NODE_OPTIONS: `--import ${new URL('./hangs.js', import.meta.url).href}`,
      HANGS_SOCKET: hangs,
      SPILLWAY_DAEMON_LANES: '1',
    },
  });
  return {
    rig,
    manager,
    daemon,
    hang: async (what) => {
      const socket = connect(hangs);
      socket.on('error', () => {});
      socket.write(`${what}\n`);
      if (what !== 'main') await once(socket.resume(), 'close');
      else t.teardown(() => socket.destroy());
    },
  };
}

// Most of them wait for seconds to pass.
t.jobs = 4;

t.test(
  'a daemon tells its service manager from its own process when it is ready, how it is, and that it stops',
  { skip: noReceiver, buffered: true },
  async (t) => {
    const { rig, manager, daemon } = await managed(t, 900);
    const ready = await manager.notice('READY', '1');
    t.equal(ready.pid, daemon.process.pid, 'the main process speaks, so NotifyAccess=main is enough');
    t.equal((await rig.send(daemon.socket, 0, 100)).accepted, 100);
    t.match(
      (await manager.notice('STATUS')).lines.get('STATUS'),
      /^in [0-9,]+\/s, out [0-9,]+\/s; (no backlog|backlog .*); breakers closed$/,
    );
    const fed = await manager.notice('WATCHDOG', '1');
    await manager.notice('WATCHDOG', '1', manager.notices.indexOf(fed) + 1);
    t.equal(await daemon.stop(), 0);
    const stopping = await manager.notice('STOPPING', '1');
    const extended = await manager.notice('EXTEND_TIMEOUT_USEC', undefined, manager.notices.indexOf(stopping));
    t.ok(Number(extended.lines.get('EXTEND_TIMEOUT_USEC')) >= 5_000_000);
    await manager.notice('STATUS', 'stopped');
  },
);

t.test('an abstract notify socket is as good as a path', { skip: noReceiver, buffered: true }, async (t) => {
  const { manager, daemon } = await managed(t, 0, `@spillway-test-${process.pid}`);
  t.equal((await manager.notice('READY', '1')).pid, daemon.process.pid);
  t.equal(await daemon.stop(), 0);
  t.notOk(
    manager.notices.some(({ lines }) => lines.has('WATCHDOG')),
    'without a watchdog none is fed',
  );
});

t.test(
  'a stop is told how long it still takes, however long that is',
  { skip: noReceiver, buffered: true },
  async (t) => {
    const { rig, manager, daemon } = await managed(t, 0);
    await rig.simulator.faults({ latencyMs: 4_000 });
    await rig.send(daemon.socket, 0, 10);
    const exit = daemon.stop();
    const first = await manager.notice('EXTEND_TIMEOUT_USEC');
    await manager.notice('EXTEND_TIMEOUT_USEC', undefined, manager.notices.indexOf(first) + 1);
    t.match(first.lines.get('STATUS'), /^draining: 10 events/);
    await rig.simulator.faults({});
    t.equal(await exit, 0);
  },
);

t.test('a main loop that is blocked leaves the watchdog hungry', { skip: noReceiver, buffered: true }, async (t) => {
  const { manager, daemon, hang } = await managed(t, 600);
  await manager.notice('WATCHDOG', '1');
  await hang('main');
  await manager.silence('WATCHDOG', 1_500);
  t.equal(daemon.process.exitCode, null, 'while the process is there');
});

t.test(
  'a lane whose worker hangs gets a new one, and nothing is lost',
  { skip: noReceiver, buffered: true },
  async (t) => {
    const { rig, manager, daemon, hang } = await managed(t, 3_000);
    await hang('lane');
    t.equal((await rig.send(daemon.socket, 0, 500)).accepted, 500);
    const lost = await daemon.line(({ kind, state }) => kind === 'worker' && state === 'lost');
    t.match(lost['cause'], /^stuck: /);
    const hungryMs = manager.notices.length;
    await daemon.line(({ kind, state }) => kind === 'worker' && state === 'replaced');
    await until(() => daemon.ledger(), drained(500));
    t.strictSame((await rig.readBack(500)).counts(), { lost: 0, duplicated: 0, altered: 0 });
    await manager.notice('WATCHDOG', '1', hungryMs);
    t.equal(await daemon.stop(), 0);
  },
);

t.test('a lane that cannot be had back leaves the watchdog hungry', { skip: noReceiver, buffered: true }, async (t) => {
  const { manager, daemon, hang } = await managed(t, 600);
  await manager.notice('WATCHDOG', '1');
  await hang('lane-for-good');
  const stuck = await daemon.line(({ code }) => code === 'lane_stuck');
  t.match(stuck.msg, /watchdog/);
  await manager.silence('WATCHDOG', 1_500);
  t.equal(daemon.process.exitCode, null, 'while the process is there');
});

t.test(
  'a service manager that does not read holds up nothing, and hears later what it must know',
  { skip: noReceiver, buffered: true },
  async (t) => {
    const rig = await Rig.start(t);
    const place = join(rig.directory, 'notify.sock');
    const manager = await ServiceManagerDouble.start(t, place);
    manager.stall();
    const daemon = await rig.daemon('', '[log]\ninterval = "100ms"\n', {
      environment: { NOTIFY_SOCKET: place, WATCHDOG_USEC: '3000' },
    });
    t.equal((await rig.send(daemon.socket, 0, 100)).accepted, 100);
    // It feeds every millisecond or two: what the kernel queues is full soon, and stays so.
    const queued = Number(readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'utf8'));
    await until(
      async () => daemon.log.filter(({ kind }) => kind === 'ledger').length,
      (intervals) => intervals >= 5 + queued / 10,
    );
    daemon.process.kill('SIGHUP');
    await daemon.line(({ msg }) => msg.startsWith('reloaded'));
    manager.resume();
    const started = await manager.notice('READY', '1');
    await manager.notice('READY', '1', manager.notices.indexOf(started) + 1);
    t.equal(await daemon.stop(), 0);
  },
);
