import t from 'tap';
import { connect } from '../../src/client/client.ts';
import { drained, Rig, until } from './running.ts';

t.test('of a batch with failed records only these are sent again: nothing lost, nothing twice', async (t) => {
  const rig = await Rig.start(t, 7);
  await rig.simulator.faults({ shareFailedRecords: 0.05 });
  const daemon = await rig.daemon('aggregate_bytes = "4KiB"');
  const count = 100_000;
  await rig.send(daemon.socket, 0, count);
  await until(() => daemon.ledger(), drained(count));
  t.ok((await rig.simulator.stats()).records.failed > 20, 'records did fail');
  t.strictSame((await rig.readBack(count)).counts(), { lost: 0, duplicated: 0, altered: 0 });
  t.equal(await daemon.stop(), 0);
});

t.test('while the endpoint is gone senders go on, events spill, and all is delivered when it is back', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon('', '[breaker]\nfailures = 2\n');
  await rig.simulator.faults({ refuse: true });
  const count = 60_000;
  t.match(await rig.send(daemon.socket, 0, 20_000), { accepted: 20_000 });
  await daemon.line(({ kind, to }) => kind === 'breaker' && to === 'open');
  t.match(await rig.send(daemon.socket, 20_000, count), { accepted: 40_000, refused: 0 });
  t.ok((await daemon.ledger()).dlq > 0, 'events were spilled');
  await rig.simulator.faults({});
  const ledger = await until(() => daemon.ledger(), drained(count));
  t.equal(ledger.accepted, count);
  t.match((await rig.readBack(count)).counts(), { lost: 0, altered: 0 });
  t.equal(await daemon.stop(), 0);
});

t.test('overflow = "refuse" tells senders, and counts what it refused', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon('overflow = "refuse"', '[breaker]\nfailures = 2\n');
  await rig.simulator.faults({ refuse: true });
  const first = await rig.send(daemon.socket, 0, 1_000);
  await daemon.line(({ kind, to }) => kind === 'breaker' && to === 'open');
  const second = await rig.send(daemon.socket, 1_000, 2_000);
  t.ok(second.refused > 0, 'some were refused');
  await rig.simulator.faults({});
  const accepted = first.accepted + second.accepted;
  const ledger = await until(() => daemon.ledger(), drained(accepted));
  t.match(ledger, { received: 2_000, accepted, refused: 2_000 - accepted });
  t.equal(await daemon.stop(), 0);
});

t.test('killed while it spills, a daemon delivers every spilled event after its restart', async (t) => {
  const rig = await Rig.start(t);
  await rig.simulator.faults({ refuse: true });
  const first = await rig.daemon('', '[breaker]\nfailures = 1\n');
  const inMemory = 1_000;
  await rig.send(first.socket, 0, inMemory);
  await first.line(({ kind, to }) => kind === 'breaker' && to === 'open');
  const count = 50_000;
  await rig.send(first.socket, inMemory, count);
  const before = await until(
    () => first.ledger(),
    ({ accepted }) => accepted === count,
  );
  t.ok(before.dlq > 0, 'events were spilled');
  // Entries have 155 bytes on average (48 of header, 14 of name and key, 40 to 139 of data): nearly all of them are there. How
  // many stand there whole, and that exactly these come back, is the business of test/long/kill-while-spilling.
  await until(
    async () => rig.spilledBytes(),
    (bytes) => bytes >= before.dlq * 150,
  );
  first.process.kill('SIGKILL');
  await first.exited;
  await rig.simulator.faults({});
  const second = await rig.daemon();
  const { recovered } = await until(
    () => second.ledger(),
    (ledger) => ledger.recovered > 0 && ledger.delivered === ledger.recovered,
  );
  t.ok(recovered > 0.9 * before.dlq, `recovered ${recovered} of ${before.dlq} spilled`);
  const { lost, altered } = (await rig.readBack(count)).counts();
  t.equal(altered, 0);
  t.equal(lost, count - recovered, 'every recovered entry was delivered');
  t.equal(await second.stop(), 0);
});

t.test('a key that Kinesis may count as too long is refused, one that just fits is delivered', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon();
  const codes: string[] = [];
  const client = await connect({ path: daemon.socket, onRefusal: ({ code }) => codes.push(code) });
  for (const count of [128, 129, 256]) client.send('😀'.repeat(count), 'x');
  t.match(await client.close(), { accepted: 1, refused: 2 });
  t.strictSame(codes, ['key_too_long']);
  await until(() => daemon.ledger(), drained(1));
  t.equal(await daemon.stop(), 0);
});
