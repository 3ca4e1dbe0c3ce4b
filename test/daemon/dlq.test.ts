import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UpdateMaxRecordSizeCommand } from '@aws-sdk/client-kinesis';
import t from 'tap';
import { connect } from '../../src/client/client.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { checkLogLine } from '../../src/observe/log-check.ts';
import { readSeries } from '../dlq/independent-reader.ts';
import type { NumberedEvents } from './numbered-events.ts';
import { type Ledger, Rig, until } from './running.ts';

// Daemons that cannot deliver are stopped here: they need not try for long.
process.env['SPILLWAY_DAEMON_DRAIN_TIMEOUT'] = '200ms';

const isQuiet = ({ accepted, recovered, delivered, inFlight, dlq, dropped }: Ledger): boolean =>
  inFlight === 0 && accepted + recovered === delivered + dlq + dropped;

t.test(
  'a record that Kinesis refuses for good becomes a dead letter with its reason, its neighbours are delivered',
  async (t) => {
    const rig = await Rig.start(t);
    const limit = (kibibytes: number): Promise<void> =>
      rig.operate((StreamARN) => new UpdateMaxRecordSizeCommand({ StreamARN, MaxRecordSizeInKiB: kibibytes }));
    await limit(2_048);
    const daemon = await rig.daemon('record_bytes_max = "1536KiB"');
    await daemon.line(({ kind, msg }) => kind === 'config' && msg.includes('2097152'));
    // The stream takes less from now on, and the daemon does not know yet.
    await limit(1_024);
    const count = 2_000;
    const client = await connect({ path: daemon.socket });
    for (let i = 0; i < count; i++) {
      if (i === count / 2) client.send('poison', Buffer.alloc(1_100_000, 0x70));
      client.send(rig.events.keyOf(i), rig.events.dataOf(i));
      if (i % 200 === 0) await client.flush();
    }
    t.match(await client.close(), { accepted: count + 1, refused: 0 });
    const ledger = await until(
      () => daemon.ledger(),
      ({ delivered, dlq, inFlight }) => delivered === count && dlq === 1 && inFlight === 0,
    );
    t.match(ledger, { accepted: count + 1, dropped: 0 });
    t.strictSame((await rig.readBack(count)).counts(), { lost: 0, duplicated: 0, altered: 0 });
    const told = await daemon.line(({ kind, event }) => kind === 'dlq' && event === 'dead');
    t.match(told, { level: 'warn', reason: 'rejected', stream: 'orders', events: 1 });
    t.strictSame(checkLogLine(told), []);
    t.equal(await daemon.stop(), 0);
    const dead = readSeries(join(rig.directory, 'state', 'dlq'), 'dead');
    t.match(dead, [{ reason: Reason.rejected, key: 'poison', stream: 'orders' }]);
    t.ok((dead[0]?.attempts ?? 0) > 0 && (dead[0]?.firstSeenUs ?? 0) / 1000 > Date.now() - 60_000, 'attempts and time');
    t.equal(dead[0]?.data, 'p'.repeat(1_100_000));
    const next = await rig.daemon();
    t.match(await next.ledger(), { recovered: 1, dlq: 1 }, 'it is still there after a restart, and stays');
    t.equal(await next.stop(), 0);
  },
);

/** Sends events from `from` on until some are refused; their number and the code of the refusals. */
async function sendUntilRefused(
  socket: string,
  events: NumberedEvents,
  from: number,
): Promise<{ sent: number; accepted: number; codes: Set<string> }> {
  const codes = new Set<string>();
  let drained = (): void => {};
  const client = await connect({
    path: socket,
    onDrain: () => drained(),
    onRefusal: ({ code }) => codes.add(code),
  });
  let sent = from;
  while (codes.size === 0) {
    for (let burst = 0; burst < 100; burst++, sent++) {
      if (client.send(events.keyOf(sent), events.dataOf(sent))) continue;
      await new Promise<void>((resolve) => {
        drained = resolve;
      });
    }
    await client.flush();
  }
  const { accepted } = await client.close();
  return { sent: sent - from, accepted, codes };
}

t.test(
  'with a full DLQ senders are told dlq_full and the books hold; with Kinesis back all is delivered and taken again',
  async (t) => {
    const rig = await Rig.start(t);
    const limit =
      '[dlq]\nmax_bytes = "2MiB"\nsegment_bytes = "64KiB"\n[breaker]\nfailures = 1\nhalf_open_after = "100ms"\n';
    // Events expire at once, so that the rings hold some that are set aside while the DLQ has no room for them.
    const daemon = await rig.daemon('deadline = "300ms"\nrecord_bytes_max = "32KiB"\naggregate_bytes = "32KiB"', limit);
    await rig.simulator.faults({ refuse: true });
    await rig.send(daemon.socket, 0, 1_000);
    await daemon.line(({ kind, to }) => kind === 'breaker' && to === 'open');
    const { sent, accepted, codes } = await sendUntilRefused(daemon.socket, rig.events, 1_000);
    t.strictSame([...codes], ['dlq_full']);
    // Events may be on their way from a ring to the DLQ's last room just now: then both count them.
    const full = await until(
      () => daemon.ledger(),
      ({ accepted: taken, inFlight, dlq, delivered }) => taken === inFlight + dlq + delivered,
    );
    t.equal(full.refused, sent - accepted);
    t.equal(full.received, 1_000 + sent);
    t.equal(full.accepted, 1_000 + accepted);
    const told = await daemon.line(({ kind, event }) => kind === 'dlq' && event === 'full');
    t.match(told, { level: 'warn' });
    t.ok(rig.spilledBytes() <= 2 * 1024 * 1024);
    await rig.simulator.faults({});
    await until(
      () => daemon.ledger(),
      (ledger) => isQuiet(ledger) && ledger.dlq === 0,
    );
    const more = 1_000;
    t.match(await rig.send(daemon.socket, 1_000 + sent, 1_000 + sent + more), { accepted: more, refused: 0 });
    const end = await until(
      () => daemon.ledger(),
      (ledger) => isQuiet(ledger) && ledger.dlq === 0,
    );
    t.equal(end.delivered, 1_000 + accepted + more);
    t.equal(
      (await rig.readBack(1_000 + sent + more)).counts().lost,
      sent - accepted,
      'lost are those that were refused',
    );
    t.equal(await daemon.stop(), 0);
  },
);

t.test('a torn tail is reported in the log, and the rest of the segment is delivered', async (t) => {
  const rig = await Rig.start(t);
  await rig.simulator.faults({ refuse: true });
  const first = await rig.daemon('', '[breaker]\nfailures = 1\n');
  await rig.send(first.socket, 0, 100);
  await first.line(({ kind, to }) => kind === 'breaker' && to === 'open');
  const count = 5_000;
  await rig.send(first.socket, 100, count);
  t.equal(await first.stop(), 0);
  const directory = join(rig.directory, 'state', 'dlq');
  const name = readdirSync(directory)
    .filter((file) => file.startsWith('spill-'))
    .at(-1) as string;
  // The start of an entry that was never finished.
  appendFileSync(join(directory, name), Buffer.concat([Buffer.from('SPLE'), Buffer.alloc(33, 1)]));
  const { size } = statSync(join(directory, name));
  await rig.simulator.faults({});
  const second = await rig.daemon();
  const told = await second.line(({ kind, event }) => kind === 'dlq' && event === 'torn');
  t.match(told, { level: 'warn', segment: name, bytes: 37 });
  t.strictSame(checkLogLine(told), []);
  const ledger = await until(
    () => second.ledger(),
    (now) => now.recovered > 0 && now.delivered === now.recovered,
  );
  t.equal(ledger.recovered, count);
  t.strictSame((await rig.readBack(count)).counts(), { lost: 0, duplicated: 0, altered: 0 });
  t.equal(await second.stop(), 0);
  t.match(readdirSync(directory), new Set([`${name}.${size - 37}.quarantine`]));
});

t.test('damage that is found while replaying is dropped from the books, which still balance', async (t) => {
  const rig = await Rig.start(t);
  await rig.simulator.faults({ refuse: true });
  const first = await rig.daemon('', '[breaker]\nfailures = 1\n');
  await rig.send(first.socket, 0, 500);
  t.equal(await first.stop(), 0);
  const directory = join(rig.directory, 'state', 'dlq');
  const entries = readSeries(directory, 'spill');
  t.equal(entries.length, 500);
  const name = join(directory, readdirSync(directory).find((file) => file.startsWith('spill-')) as string);
  const bytes = readFileSync(name);
  bytes[bytes.indexOf('"id":"0000000250"') + 1]! ^= 1;
  writeFileSync(name, bytes);
  await rig.simulator.faults({});
  const second = await rig.daemon();
  const ledger = await until(
    () => second.ledger(),
    (now) => isQuiet(now) && now.delivered > 0 && now.dlq === 0,
  );
  t.match(ledger, { recovered: 500, delivered: 499, dropped: 1 });
  t.strictSame((await rig.readBack(500)).counts(), { lost: 1, duplicated: 0, altered: 0 });
  t.equal(await second.stop(), 0);
});

t.test('stopped while it replays, a daemon delivers nothing twice after its restart', async (t) => {
  const rig = await Rig.start(t);
  await rig.simulator.faults({ refuse: true });
  const first = await rig.daemon('', '[breaker]\nfailures = 1\n');
  const count = 3_000;
  await rig.send(first.socket, 0, count);
  t.equal(await first.stop(), 0);
  // Nothing is stored while it hangs: what was brought back into the rings is there when the daemon is told to stop.
  await rig.simulator.faults({ hang: true });
  const second = await rig.daemon();
  await until(
    () => second.ledger(),
    ({ inFlight }) => inFlight > 0,
  );
  second.process.kill('SIGINT');
  t.equal(await second.exited, 0);
  await rig.simulator.faults({});
  const third = await rig.daemon();
  const { recovered } = await until(
    () => third.ledger(),
    (now) => now.recovered > 0 && now.delivered === now.recovered,
  );
  t.equal(recovered, count, 'each event had one place');
  t.strictSame((await rig.readBack(count)).counts(), { lost: 0, duplicated: 0, altered: 0 });
  t.equal(await third.stop(), 0);
});
