import t from 'tap';
import { drained, Rig, until } from './running.ts';

t.test('events whose deadline passes in a ring that nothing can be taken from leave it for the DLQ', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon('deadline = "300ms"\nlinger = "5ms"\nbatch_records = 1\nrequests_in_flight = 1', '');
  // One request is out, and no other can be begun before it is answered.
  await rig.simulator.faults({ latencyMs: 6_000 });
  await rig.send(daemon.socket, 0, 20_000);
  const { dlq, delivered, inFlight } = await until(
    () => daemon.ledger(),
    (ledger) => ledger.dlq > 0,
  );
  t.equal(delivered, 0, 'no answer has come');
  t.ok(inFlight < 20_000, `${dlq} in the DLQ, ${inFlight} in flight`);
  const left = await until(
    () => daemon.ledger(),
    (ledger) => ledger.dlq > 15_000,
  );
  t.equal(left.delivered, 0);
  await rig.simulator.faults({});
  await until(() => daemon.ledger(), drained(20_000));
  t.strictSame((await rig.readBack(20_000)).counts(), { lost: 0, duplicated: 0, altered: 0 });
  t.equal(await daemon.stop(), 0);
});

t.test('while the endpoint refuses, nothing stays in flight beyond its deadline', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon('deadline = "300ms"\nlinger = "5ms"');
  await rig.simulator.faults({ refuse: true });
  await rig.send(daemon.socket, 0, 5_000);
  // Probes come and go, and each time some events are tried from the DLQ.
  for (let probes = 0; probes < 8; probes += 2) {
    await until(
      async () => (await daemon.status()).streams['orders']?.requests.probes ?? 0,
      (now) => now > probes,
    );
    await until(
      () => daemon.ledger(),
      (ledger) => ledger.inFlight === 0 && ledger.dlq === 5_000,
      3_000,
    );
  }
  await rig.simulator.faults({});
  await until(() => daemon.ledger(), drained(5_000));
  t.strictSame((await rig.readBack(5_000)).counts().lost, 0);
  t.equal(await daemon.stop(), 0);
});
