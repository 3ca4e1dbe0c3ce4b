import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { optionsOf, type SectionName, sections } from '../../src/daemon/options.ts';
import { planReload } from '../../src/daemon/reload.ts';
import { type LogLine, Rig, type RunningDaemon, until } from '../daemon/running.ts';
import { loaded, smallest } from '../daemon/sources.ts';

interface Reloadable {
  readonly rig: Rig;
  readonly daemon: RunningDaemon;
  /** Changes the file, sends SIGHUP, and resolves with the line that tells of it. */
  readonly reload: (change: (text: string) => string) => Promise<LogLine>;
}

async function reloadable(t: Test, stream: string, rest: string): Promise<Reloadable> {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon(stream, rest);
  const file = join(rig.directory, 'spillway.toml');
  let seen = 0;
  const isReload = ({ kind, msg }: LogLine): boolean => kind === 'config' && /^(not )?reloaded/.test(msg);
  return {
    rig,
    daemon,
    reload: async (change) => {
      writeFileSync(file, change(readFileSync(file, 'utf8')));
      daemon.process.kill('SIGHUP');
      seen++;
      const lines = await until(
        async () => daemon.log.filter(isReload),
        ({ length }) => length >= seen,
      );
      t.equal(lines.length, seen, 'one line for each reload');
      return lines[seen - 1] as LogLine;
    },
  };
}

t.test('SIGHUP takes over what can change, and names what waits for a restart', async (t) => {
  const { rig, daemon, reload } = await reloadable(
    t,
    'linger = "50ms"',
    '[log]\ninterval = "1h"\n[breaker]\nfailures = 50\n',
  );
  const line = await reload((text) =>
    text
      .replace('linger = "50ms"', 'linger = "20ms"\nrequests_in_flight = 2')
      .replace('interval = "1h"', 'interval = "100ms"\nlevel = "debug"')
      .replace('failures = 50', 'failures = 1\nhalf_open_after = "10ms"'),
  );
  t.strictSame(line['changed'], [
    'breaker.failures',
    'breaker.half_open_after',
    'log.level',
    'log.interval',
    'stream orders: linger',
  ]);
  t.strictSame(line['restart'], ['stream orders: requests_in_flight']);
  t.match(line.msg, /only a restart changes stream orders: requests_in_flight/);
  await daemon.line(({ kind }) => kind === 'ledger');
  // A lane goes by it: one failed request opens the stream's breaker, not fifty.
  await rig.simulator.faults({ refuse: true });
  await rig.send(daemon.socket, 0, 10);
  const opened = await daemon.line(
    ({ kind, breaker, to }) => kind === 'breaker' && breaker === 'stream' && to === 'open',
  );
  t.equal(opened['from'], 'closed');
  await rig.simulator.faults({});
  t.equal(await daemon.stop(), 0);
});

t.test('a configuration with mistakes changes nothing, and each is in the log', async (t) => {
  const { rig, daemon, reload } = await reloadable(t, '', '[breaker]\nopen_at = 0.9\n');
  const line = await reload((text) => `${text.replace('open_at = 0.9', 'open_at = 7')}\nclose_att = 0.5\n`);
  t.equal(line['level'], 'error');
  t.match(line['mistakes'], [/close_att.*did you mean "close_at"/, /breaker\.open_at = 7: too large/]);
  const gone = await reload(() => 'nonsense');
  t.equal((gone['mistakes'] as string[]).length, 1);
  t.equal((await rig.send(daemon.socket, 0, 10)).accepted, 10);
  t.equal(await daemon.stop(), 0);
});

t.test('a listener goes by a new connections_max, and the DLQ by a new max_bytes', async (t) => {
  const { daemon, reload } = await reloadable(t, '', '[dlq]\nmax_bytes = "1GiB"\nsegment_bytes = "2MiB"\n');
  t.strictSame(
    (
      await reload((text) =>
        text
          .replace('kind = "unix"', 'kind = "unix"\nconnections_max = 1')
          .replace('max_bytes = "1GiB"', 'max_bytes = "512MiB"'),
      )
    )['changed'],
    ['dlq.max_bytes', `listen ${daemon.socket}: connections_max`],
  );
  t.equal((await daemon.status()).dlq.maxBytes, 512 * 1024 ** 2);
  const first = connect(daemon.socket);
  const second = connect(daemon.socket);
  const answer = await new Promise<string>((resolve) => {
    for (const socket of [first, second]) socket.on('data', (data) => resolve(data.toString()));
  });
  t.match(answer, /serves at most 1 connections/);
  first.destroy();
  second.destroy();
  const refused = await reload((text) =>
    text
      .replace('max_bytes = "512MiB"', 'max_bytes = "3MiB"')
      .replace('segment_bytes = "2MiB"', 'segment_bytes = "1100KiB"'),
  );
  t.strictSame(refused['restart'], ['dlq.segment_bytes', 'dlq.max_bytes'], 'which would hold no two of its segments');
  t.equal((await daemon.status()).dlq.maxBytes, 512 * 1024 ** 2);
  t.strictSame(
    (await reload((text) => text))['changed'],
    [],
    'what waits for a restart is named again, and not taken over',
  );
  t.equal(await daemon.stop(), 0);
});

t.test(
  'streams and listeners that come, go or move want a restart, the others are compared all the same',
  async (t) => {
    const text = (linger: string, more: string): string =>
      `${smallest.replace('[[listen]]', `linger = "${linger}"\n[[listen]]`)}${more}`;
    const before = loaded(text('50ms', '[[listen]]\nkind = "http"\naddress = "127.0.0.1:1"'));
    const after = loaded(text('60ms', '[[listen]]\nkind = "http"\naddress = "127.0.0.1:2"'));
    const { changed, restart, config } = planReload(before, after);
    t.strictSame(changed, [`stream ${before.streams[0].name}: linger`]);
    t.strictSame(restart, ['listen 127.0.0.1:1: gone', 'listen 127.0.0.1:2: new']);
    t.strictSame(config.listeners, before.listeners);
    t.equal(config.streams[0].lingerMs, 60);
  },
);

t.test('every option is either taken over or named for a restart, never passed over', async (t) => {
  const config = loaded(`${smallest}[[listen]]\nkind = "http"\naddress = "127.0.0.1:0"`);
  const groups: Readonly<Record<SectionName, object>> = {
    daemon: config.daemon,
    stream: config.streams[0],
    listen: config.listeners.at(-1) as object,
    breaker: config.breaker,
    dlq: config.dlq,
    journal: config.journal,
    log: config.log,
    alert: config.alerts[0] as object,
    notify: config.notify,
  };
  // Part of a listener's or a stream's identity, or gone when the configuration is made.
  const identities = new Set([
    'stream.name',
    'listen.kind',
    'listen.path',
    'listen.address',
    'listen.mode',
    'alert.name',
    'alert.enabled',
  ]);
  for (const section of Object.keys(sections) as SectionName[]) {
    for (const [key, { name, reload }] of Object.entries(optionsOf(section))) {
      if (identities.has(`${section}.${key}`)) continue;
      const value = (groups[section] as Record<string, unknown>)[name];
      const other = { ...groups[section], [name]: typeof value === 'number' ? value + 1 : 'another' };
      const after =
        section === 'stream'
          ? { ...config, streams: [other] }
          : section === 'listen'
            ? { ...config, listeners: [...config.listeners.slice(0, -1), other] }
            : section === 'alert'
              ? { ...config, alerts: [other, ...config.alerts.slice(1)] }
              : { ...config, [section]: other };
      const { changed, restart } = planReload(config, after as unknown as typeof config);
      t.match(reload === true ? changed : restart, [new RegExp(`(^${section}[.]|: )${key}$`)], `${section}.${key}`);
      t.equal(changed.length + restart.length, 1, `${section}.${key} alone`);
    }
  }
});
