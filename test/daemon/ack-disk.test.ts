import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { drained, Rig, until } from './running.ts';
import { slowDisk, whyNoStrace } from './slow-disk-of.ts';
import { WatchedSender } from './watched.ts';

const binary = new URL('../../src/main.js', import.meta.url).pathname;
const disk = { ack: 'disk' } as const;

/** Whatever else this machine does, events stay in their rings. */
const patient = '[breaker]\nopen_after = "1m"\nfailures = 1000\n';

function filesOf(rig: Rig, pattern: RegExp): string[] {
  return readdirSync(join(rig.directory, 'state', 'dlq')).filter((name) => pattern.test(name));
}

t.test('what is acknowledged at level disk outlives a kill while Kinesis has none of it', async (t) => {
  const rig = await Rig.start(t);
  await rig.simulator.faults({ refuse: true });
  const daemon = await rig.daemon('', patient);
  const count = 5_000;
  const sender = await new WatchedSender(rig).open(daemon.socket, false, disk);
  await sender.send(0, count);
  t.match(await sender.client.close(), { accepted: count, refused: 0 });
  t.equal(sender.acked, count);
  t.match(await daemon.ledger(), { accepted: count, delivered: 0, dlq: 0 }, 'all of it was in a ring alone');
  t.match((await daemon.status()).journal, { events: count, waiting: 0 });
  daemon.process.kill('SIGKILL');
  await daemon.exited;
  await rig.simulator.faults({});
  const next = await rig.daemon('', patient);
  t.equal((await next.ledger()).recovered, count, 'the next run finds it');
  await until(() => next.ledger(), drained(count));
  const oracle = await rig.readBack(count);
  t.match(oracle.counts(), { lost: 0, duplicated: 0 });
  t.equal(oracle.altered, 0);
  t.equal(await next.stop(), 0);
  t.strictSame(filesOf(rig, /^journal/), []);
});

t.test(
  'what was delivered before a kill does not come back, and nothing is left in the journal of a daemon that stops',
  async (t) => {
    const rig = await Rig.start(t);
    const daemon = await rig.daemon('linger = "5ms"', patient);
    const count = 20_000;
    const sender = await new WatchedSender(rig).open(daemon.socket, false, disk);
    await sender.send(0, count);
    t.match(await sender.client.close(), { accepted: count, refused: 0 });
    await until(() => daemon.ledger(), drained(count));
    t.strictSame(filesOf(rig, /^journal.*seg$/).length, 1, 'the journal is there');
    await until(
      async () => (await daemon.status()).journal,
      ({ behind }) => behind === 0,
    );

    daemon.process.kill('SIGKILL');
    await daemon.exited;
    const next = await rig.daemon('linger = "5ms"', patient);
    const { recovered } = await next.ledger();
    t.equal(recovered, 0);
    t.strictSame(filesOf(rig, /^journal/), [], 'a start removes what is done');
    const again = await new WatchedSender(rig).open(next.socket, false, disk);
    await again.send(count, 2 * count);
    t.match(await again.client.close(), { accepted: count, refused: 0 });
    t.equal(await next.stop(), 0);
    t.strictSame(filesOf(rig, /^journal/), [], 'and so does a stop');
    const oracle = await rig.readBack(2 * count);
    t.match(oracle.counts(), { lost: 0, duplicated: 0 });
  },
);

t.test(
  'an ack of level disk never comes before the fdatasync, and level memory does not wait for it',
  { skip: whyNoStrace() },
  async (t) => {
    const rig = await Rig.start(t);
    const daemon = await rig.daemon('', patient);
    const sender = await new WatchedSender(rig).open(daemon.socket, false, disk);
    const other = await new WatchedSender(rig).open(daemon.socket, false, { ack: 'memory' });
    const delayMs = 700;
    const slow = await slowDisk(t, daemon, delayMs);
    const startMs = performance.now();
    await sender.send(0, 100);
    await until(
      async () => (await daemon.ledger()).accepted,
      (accepted) => accepted === 100,
    );
    await other.send(100, 200);
    t.match(await other.client.flush(), { accepted: 100 });
    t.ok(performance.now() - startMs < delayMs, 'level memory was answered meanwhile');
    t.equal(sender.acked, 0);
    await until(
      async () => sender.acked,
      (acked) => acked === 100,
    );
    t.ok((sender.firstAckMs as number) - startMs >= delayMs);
    await slow.end();
    t.match(await sender.client.close(), { accepted: 100, refused: 0 });
    await other.client.close();
    t.equal(await daemon.stop(), 0);
  },
);

t.test(
  'a disk that stalls: senders of level disk are told in time, others go on, and all is well when it moves',
  { skip: whyNoStrace() },
  async (t) => {
    const rig = await Rig.start(t);
    const timeoutMs = 400;
    const daemon = await rig.daemon('', `${patient}[journal]\nack_timeout = "${timeoutMs}ms"\n`);
    const sender = await new WatchedSender(rig).open(daemon.socket, false, disk);
    const other = await new WatchedSender(rig).open(daemon.socket, false, { ack: 'memory' });
    const slow = await slowDisk(t, daemon, 4_000);
    const startMs = performance.now();
    await sender.send(0, 100);
    await until(
      async () => sender.refusals.length,
      (told) => told > 0,
    );
    t.ok(performance.now() - startMs < 2 * timeoutMs, 'told within its time');
    t.match(sender.refusals, [{ first: 1, count: 100, code: 'disk_stalled', retryable: true }]);
    const refusedMs = performance.now();
    await sender.send(100, 110);
    await until(
      async () => sender.acked,
      (acked) => acked === 110,
    );
    t.ok(performance.now() - refusedMs < timeoutMs, 'while the disk stands still, others are refused at once');
    t.match(await daemon.ledger(), { accepted: 100, refused: 10 }, 'with nothing taken');
    const asked = { method: 'POST', headers: { 'spillway-ack': 'disk' }, body: 'x\n' };
    const answer = await fetch(`${daemon.url}/v1/streams/orders/events`, asked);
    t.equal(answer.status, 503);
    t.match(await answer.json(), { error: 'disk_stalled', taken: 0, accepted: 0 });
    await other.send(110, 200);
    t.match(await other.client.flush(), { accepted: 90 }, 'level memory knows nothing of it');
    t.ok(daemon.log.some(({ kind, event }) => kind === 'dlq' && event === 'stalled'));
    await slow.end();
    await daemon.line(({ kind, event }) => kind === 'dlq' && event === 'moving');
    await sender.send(200, 300);
    t.match(await sender.client.close(), { accepted: 100, refused: 110 });
    await other.client.close();
    await until(() => daemon.ledger(), drained(290));
    t.equal(await daemon.stop(), 0);
  },
);

t.test('HTTP, lines and the command: level disk is answered when it is on disk', async (t) => {
  const rig = await Rig.start(t);
  const socket = join(rig.directory, 'disk.sock');
  const lineListener = `[[listen]]\nkind = "unix"\npath = "${socket}"\nstream = "orders"\nack = "disk"\n`;
  const daemon = await rig.daemon('', `ack = "disk"\n${lineListener}${patient}`);
  const post = async (body: string, headers = {}) => {
    const answer = await fetch(`${daemon.url}/v1/streams/orders/events`, { method: 'POST', body, headers });
    return { status: answer.status, body: (await answer.json()) as object };
  };
  t.match(await post('one\ntwo\n'), { status: 200, body: { accepted: 2, refused: 0, durable: 2 } });
  const { journal } = await daemon.status();
  t.match(journal, { events: 2, waiting: 0 });
  t.ok(journal.syncs > 0);
  t.match(await post('three\n', { 'spillway-ack': 'memory' }), { status: 202, body: { accepted: 1 } });
  t.equal((await daemon.status()).journal.events, 2, 'another level is not journalled');
  t.match(await post('x\n', { 'spillway-ack': 'disk', 'spillway-receipt': '1' }), { status: 400 });
  t.match(await post('["four"]', { 'content-type': 'application/json' }), { status: 200, body: { durable: 1 } });

  const lines = connect(socket);
  lines.end('five\nsix\n');
  const told = (await text(lines)).trim().split('\n');
  t.strictSame(JSON.parse(told.at(-1) as string), { accepted: 2, refused: 0, durable: 2, stalled: 0 });
  t.equal((await daemon.status()).journal.events, 5);

  const file = join(rig.directory, 'lines');
  writeFileSync(file, 'seven\neight\n');
  const sent = spawnSync(process.execPath, [binary, 'send', '--to', daemon.socket, '--ack', 'disk', file]);
  t.equal(sent.status, 0);
  t.equal((await daemon.status()).journal.events, 7);
  t.equal(await daemon.stop(), 0);
});

t.test(
  'an event that overflows at level disk is acknowledged when the DLQ has synced it, though dlq.fsync is none',
  async (t) => {
    const rig = await Rig.start(t);
    const daemon = await rig.daemon('', '[breaker]\nfailures = 1\nhalf_open_after = "1m"\n[dlq]\nfsync = "none"\n');
    await rig.simulator.faults({ refuse: true });
    const sender = await new WatchedSender(rig).open(daemon.socket, false, disk);
    await sender.send(0, 10);
    await daemon.line(({ kind, to }) => kind === 'breaker' && to === 'open');
    const { syncs } = (await daemon.status()).journal;
    await sender.send(10, 1_000);
    t.match(await sender.client.close(), { accepted: 1_000, refused: 0 });
    t.equal((await daemon.status()).journal.syncs, syncs, 'the journal had nothing to do with it');
    daemon.process.kill('SIGKILL');
    await daemon.exited;
    await rig.simulator.faults({});
    const next = await rig.daemon();
    t.equal((await next.ledger()).recovered, 1_000);
    await until(() => next.ledger(), drained(1_000));
    t.match((await rig.readBack(1_000)).counts(), { lost: 0, altered: 0 });
    t.equal(await next.stop(), 0);
  },
);

t.test('a full journal refuses with a code, and what it refuses is in no ring either', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon('', `${patient}[journal]\nmax_bytes = "1MiB"\n`);
  await rig.simulator.faults({ refuse: true });
  const sender = await new WatchedSender(rig).open(daemon.socket, false, disk);
  const count = 12_000;
  await sender.send(0, count);
  const { accepted, refused } = await sender.client.close();
  t.equal(accepted + refused, count);
  t.ok(refused > 1_000 && accepted > 4_000, `${refused} of ${count} were refused`);
  t.ok(sender.refusals.every(({ code, retryable }) => code === 'journal_full' && retryable));
  t.ok((await daemon.status()).journal.bytes <= 1024 ** 2);
  const other = await new WatchedSender(rig).open(daemon.socket, false, { ack: 'memory' });
  await other.send(count, count + 100);
  t.match(await other.client.close(), { accepted: 100 }, 'level memory goes on');
  await rig.simulator.faults({});
  await until(() => daemon.ledger(), drained(accepted + 100));
  await until(
    async () => (await daemon.status()).journal,
    ({ bytes }) => bytes < 1024 ** 2 / 2,
  );
  await sender.open(daemon.socket, false, disk);
  await sender.send(count + 100, count + 200);
  t.match(await sender.client.close(), { accepted: 100, refused: 0 }, 'and there is room again');
  await until(() => daemon.ledger(), drained(accepted + 200));
  t.match((await rig.readBack(count + 200)).counts(), { lost: refused, duplicated: 0 });
  t.equal(await daemon.stop(), 0);
});
