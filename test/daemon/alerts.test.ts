/**
 * One daemon through an outage: what it tells of it in log, status, command and webhook. All claims are about its one life.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { connect } from '../../src/client/client.ts';
import { type LogLine, Rig, until } from './running.ts';

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

t.test('an outage is told before anybody is refused, once, in every place, and once that it is over', async (t) => {
  const hook = await webhook(t);
  const rig = await Rig.start(t);
  const got = join(rig.directory, 'got');
  const command = ['/bin/sh', '-c', 'cat >> "$1"; exec sleep 1000', 'sh', got];
  const daemon = await rig.daemon(
    '',
    `
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
name = "disk_free"
enabled = false
[[alert]]
name = "breaker_open"
for = "0"
clear_for = "1s"
[notify]
command = ${JSON.stringify(command)}
webhook = "${hook.url}"
interval = "100ms"
timeout = "3s"
`,
  );
  const alert =
    (name: string, state: string) =>
    (line: LogLine): boolean =>
      line.kind === 'alert' && line['alert'] === name && line['state'] === state;
  const atMs = (line: LogLine): number => Date.parse(line['time'] as string);
  t.strictSame(
    (await daemon.status()).alerts.filter(({ state }) => state === 'active'),
    [],
    'all is quiet',
  );

  await rig.simulator.faults({ refuse: true });
  let [refused, firstRefusalMs, slowestMs] = [0, Number.POSITIVE_INFINITY, 0];
  const client = await connect({
    path: daemon.socket,
    onRefusal: () => {
      refused++;
      firstRefusalMs = Math.min(firstRefusalMs, Date.now());
    },
  });
  const beganMs = Date.now();
  // Slow enough that the DLQ is full some seconds later than the oldest event is a second old.
  for (let id = 0; refused === 0; id++) {
    const data = Buffer.alloc(20_000, `${id} `);
    client.send(`key ${id}`, data);
    const startMs = performance.now();
    await client.flush();
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const old = await daemon.line(alert('backlog_age', 'fired'));
  const open = await daemon.line(alert('breaker_open', 'fired'));
  t.ok(
    atMs(old) - (beganMs + 1_000) <= 1_000,
    `told ${atMs(old) - beganMs} ms after the first event, at a threshold of 1 s`,
  );
  t.ok(atMs(old) < firstRefusalMs, 'before anybody was refused');
  t.match(old, {
    stream: 'orders',
    threshold: 1_000,
    measure: 'backlog_age',
    level: 'warn',
    hint: /runbook#alert-backlog_age/,
  });
  t.ok((old['value'] as number) > 1_000 && (old['value'] as number) < 2_100, `${old['value']}`);
  const opened = await daemon.line(
    ({ kind, breaker, to }) => kind === 'breaker' && breaker === 'stream' && to === 'open',
  );
  t.ok(atMs(open) - atMs(opened) <= 1_000, `the breaker was told ${atMs(open) - atMs(opened)} ms after it had opened`);
  await daemon.line(alert('dlq_used', 'fired'));
  await daemon.line(alert('dlq_full', 'fired'));
  const filling = await daemon.line(({ kind, toFullMs }) => kind === 'backlog' && toFullMs !== undefined);
  t.ok((filling['toFullMs'] as number) < 600_000, `full in ${filling['toFullMs']} ms`);
  const { alerts } = await daemon.status();
  t.match(
    alerts.find(({ name }) => name === 'backlog_age'),
    { stream: 'orders', state: 'active', threshold: 1_000 },
  );
  const since = Date.parse(alerts.find(({ name }) => name === 'backlog_age')?.since ?? '');
  t.ok(Math.abs(since - atMs(old)) < 100, 'since it was told');
  t.ok(alerts.length > 8, 'all known ones are named');

  t.ok(slowestMs < 1_000, `a command that hangs delays no sender: ${slowestMs} ms at most`);
  const hung = await daemon.line(({ kind, code }) => kind === 'error' && code === 'alert_command');
  t.match(hung.msg, /did not end within 3000 ms and was killed/);
  t.ok(atMs(hung) > atMs(old), 'and the alerts did not wait for it');
  const document = JSON.parse(readFileSync(got, 'utf8').split('\n')[0] as string) as Told;
  t.match(document.alerts[0], { state: 'fired', stream: 'orders' });
  const first = await daemon.line(({ kind, code }) => kind === 'error' && code === 'alert_webhook');
  t.match(first.msg, /answered with status 503/);
  t.notMatch(JSON.stringify(daemon.log), 'secret-path');

  await rig.simulator.faults({});
  const over = await daemon.line(alert('backlog_age', 'cleared'));
  await daemon.line(alert('breaker_open', 'cleared'));
  await daemon.line(alert('dlq_full', 'cleared'));
  t.ok((over['tookMs'] as number) > 1_000);
  await until(
    async () => daemon.log.length,
    () =>
      hook.told
        .slice(1)
        .some((one) => one.alerts.some(({ name, state }) => name === 'dlq_full' && state === 'cleared')),
  );
  for (const name of ['backlog_age', 'breaker_open', 'dlq_full']) {
    for (const state of ['fired', 'cleared']) {
      t.equal(daemon.log.filter(alert(name, state)).length, 1, `${name} ${state} once`);
      // What was answered with 503 is told again.
      const brought = hook.told
        .slice(1)
        .flatMap((one) => one.alerts.filter((each) => each.name === name && each.state === state));
      t.equal(brought.length, 1, `the webhook is told once that ${name} ${state}`);
    }
  }

  // A reload: another threshold takes hold, the others keep their state.
  const file = join(rig.directory, 'spillway.toml');
  writeFileSync(
    file,
    `${readFileSync(file, 'utf8').replace('name = "disk_free"\nenabled = false', 'name = "disk_free"\nthreshold = "8000GiB"')}`,
  );
  daemon.process.kill('SIGHUP');
  t.strictSame((await daemon.line(({ kind, msg }) => kind === 'config' && msg.startsWith('reloaded')))['changed'], [
    'alert disk_free: new',
  ]);
  await daemon.line(alert('disk_free', 'fired'));
  const stopMs = performance.now();
  await client.close();
  t.equal(await daemon.stop(), 0);
  t.ok(performance.now() - stopMs < 10_000, 'a command under way does not hold up the stop');
});
