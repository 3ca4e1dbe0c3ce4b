/**
 * One daemon through an outage: what it tells of it in log, status, command and webhook. All claims are about its one life.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { connect } from '../../src/client/client.ts';
import { type Notice, noReceiver, ServiceManagerDouble } from '../systemd/service-manager.ts';
import { type LogLine, Rig, type RunningDaemon, until } from './running.ts';

interface Told {
  readonly host: string;
  readonly lost: number;
  readonly alerts: readonly { readonly name: string; readonly state: string; readonly stream?: string }[];
}

/** A webhook's server, and what it was told. */
async function webhook(t: Test): Promise<{ url: string; told: Told[] }> {
  const told: Told[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      told.push(JSON.parse(body) as Told);
      // The first time it fails: it must be told again.
      response.writeHead(told.length === 1 ? 503 : 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret-path`, told };
}

const configuration = (command: readonly string[], url: string): string => `
[log]
interval = "250ms"
[breaker]
failures = 2
half_open_after = "100ms"
[dlq]
max_bytes = "3MiB"
segment_bytes = "1100KiB"
reserve_bytes = 0
[[alert]]
name = "backlog_age"
threshold = "1s"
clear_for = "1s"
[[alert]]
name = "dlq_full"
clear_for = "1s"
[[alert]]
name = "time_to_full"
for = "0"
[[alert]]
name = "disk_free"
enabled = false
[[alert]]
name = "breaker_open"
for = "0"
clear_for = "1s"
[notify]
command = ${JSON.stringify(command)}
webhook = "${url}"
interval = "100ms"
timeout = "3s"
`;

const alert =
  (name: string, state: string) =>
  (line: LogLine): boolean =>
    line.kind === 'alert' && line['alert'] === name && line['state'] === state;
const atMs = (line: LogLine): number => Date.parse(line['time'] as string);

/** Sends until one event is refused, slowly enough that this is seconds after the first one is a second old. */
async function sendUntilRefused(path: string): Promise<{ firstRefusalMs: number; slowestMs: number }> {
  let [firstRefusalMs, slowestMs] = [Number.POSITIVE_INFINITY, 0];
  const onRefusal = (): void => {
    firstRefusalMs = Math.min(firstRefusalMs, Date.now());
  };
  const client = await connect({ path, onRefusal });
  for (let id = 0; firstRefusalMs === Number.POSITIVE_INFINITY; id++) {
    client.send(`key ${id}`, Buffer.alloc(12_000, `${id} `));
    const startMs = performance.now();
    await client.flush();
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  await client.close();
  return { firstRefusalMs, slowestMs };
}

/** What log and status tell of the outage while it lasts; it began at `beganMs`. */
async function checkTold(t: Test, daemon: RunningDaemon, beganMs: number, firstRefusalMs: number): Promise<void> {
  const old = await daemon.line(alert('backlog_age', 'fired'));
  t.ok(atMs(old) - beganMs <= 2_000, `told ${atMs(old) - beganMs} ms after the first event, at a threshold of 1 s`);
  t.ok(atMs(old) < firstRefusalMs, 'before anybody was refused');
  t.ok(atMs(await daemon.line(alert('time_to_full', 'fired'))) < firstRefusalMs, 'as that it would come to this');
  const { value } = old as { value?: number };
  t.match(old, { stream: 'orders', threshold: 1_000, level: 'warn', hint: /runbook#alert-backlog_age/ });
  t.ok(value !== undefined && value > 1_000 && value < 2_100, `${value}`);
  const open = await daemon.line(alert('breaker_open', 'fired'));
  const opened = await daemon.line(({ breaker, to }) => breaker === 'stream' && to === 'open');
  t.ok(atMs(open) - atMs(opened) <= 1_000, `the breaker was told ${atMs(open) - atMs(opened)} ms after it had opened`);
  await daemon.line(alert('dlq_used', 'fired'));
  await daemon.line(alert('dlq_full', 'fired'));
  await daemon.line(({ kind, toFullMs }) => kind === 'backlog' && typeof toFullMs === 'number' && toFullMs < 60_000);
  const { alerts } = await daemon.status();
  const shown = alerts.find(({ name }) => name === 'backlog_age');
  t.match(shown, { stream: 'orders', state: 'active', threshold: 1_000 });
  t.ok(Math.abs(Date.parse(shown?.since ?? '') - atMs(old)) < 100, 'since it was told');
  t.ok(alerts.length > 8, 'all known ones are named');
}

/** What log and webhook told of the outage when it is over. */
function checkOnce(t: Test, daemon: RunningDaemon, told: readonly Told[]): void {
  // What was answered with 503 was told again.
  const brought = told.slice(1).flatMap(({ alerts }) => alerts);
  for (const wanted of ['backlog_age', 'breaker_open', 'dlq_full']) {
    for (const how of ['fired', 'cleared']) {
      t.equal(daemon.log.filter(alert(wanted, how)).length, 1, `${wanted} ${how} once`);
      const said = brought.filter(({ name, state }) => name === wanted && state === how);
      t.equal(said.length, 1, `the webhook is told once that ${wanted} ${how}`);
    }
  }
}

t.test('an outage is told before anybody is refused, once, in every place, and once that it is over', async (t) => {
  const hook = await webhook(t);
  const rig = await Rig.start(t);
  const got = join(rig.directory, 'got');
  const place = join(rig.directory, 'notify.sock');
  const manager = noReceiver === false ? await ServiceManagerDouble.start(t, place) : undefined;
  const hangs = ['/bin/sh', '-c', 'cat >> "$1"; exec sleep 60', 'sh', got];
  const environment = manager === undefined ? {} : { NOTIFY_SOCKET: place };
  const daemon = await rig.daemon('', configuration(hangs, hook.url), { environment });
  const isActive = ({ state }: { readonly state: string }): boolean => state === 'active';
  t.strictSame((await daemon.status()).alerts.filter(isActive), [], 'all is quiet');

  await rig.simulator.faults({ refuse: true });
  const [beganMs, startMs] = [Date.now(), performance.now()];
  const { firstRefusalMs, slowestMs } = await sendUntilRefused(daemon.socket);
  await checkTold(t, daemon, beganMs, firstRefusalMs);
  t.ok(slowestMs < 1_000, `a command that hangs delays no sender: ${slowestMs} ms at most`);
  const hung = await daemon.line(({ kind, code }) => kind === 'error' && code === 'alert_command');
  t.match(hung.msg, /did not end within 3000 ms and was killed/);
  const [word] = (JSON.parse(readFileSync(got, 'utf8').split('\n')[0] as string) as Told).alerts;
  t.match(word, { state: 'fired', stream: 'orders' }, 'the command is told as well');
  const failed = await daemon.line(({ kind, code }) => kind === 'error' && code === 'alert_webhook');
  t.match(failed.msg, /answered with status 503/);
  t.notMatch(JSON.stringify(daemon.log), 'secret-path');
  if (manager !== undefined) {
    const status = ({ lines }: Notice): string => lines.get('STATUS') ?? '';
    const shown = /^alerts: .*dlq_full.*; in .*breakers open: orders$/;
    await until(
      async () => manager.notices.map(status),
      (all) => all.some((line) => shown.test(line)),
    );
    const first = manager.notices.find((notice) => status(notice).startsWith('alerts: '));
    t.ok((first?.atMs ?? 0) - startMs < 5_000, 'the service manager is told when an alert fires, and not later');
  }

  await rig.simulator.faults({});
  for (const name of ['backlog_age', 'breaker_open', 'dlq_full']) await daemon.line(alert(name, 'cleared'));
  const brought = async (): Promise<string[]> =>
    hook.told
      .slice(1)
      .flatMap(({ alerts }) => alerts.filter(({ state }) => state === 'cleared').map(({ name }) => name));
  await until(brought, (names) => ['backlog_age', 'breaker_open', 'dlq_full'].every((name) => names.includes(name)));
  checkOnce(t, daemon, hook.told);

  const file = join(rig.directory, 'spillway.toml');
  const changed = readFileSync(file, 'utf8').replace(
    '"disk_free"\nenabled = false',
    '"disk_free"\nthreshold = "8000GiB"',
  );
  writeFileSync(file, changed);
  daemon.process.kill('SIGHUP');
  await daemon.line(({ kind, msg }) => kind === 'config' && msg === 'reloaded: alert disk_free: new');
  await daemon.line(alert('disk_free', 'fired'));
  const stopMs = performance.now();
  t.equal(await daemon.stop(), 0);
  t.ok(performance.now() - stopMs < 10_000, 'a command under way does not hold up the stop');
});
