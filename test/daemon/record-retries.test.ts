import t from 'tap';
import { drained, Rig, until } from './running.ts';

/** More than four shards take in a second, and in a burst after a rest. */
const burst = 12_000;

t.test("what a burst sends beyond the shards' limits follows at their rate, though nothing new is sent", async (t) => {
  const rig = await Rig.start(t);
  await rig.simulator.faults({ throttle: true });
  const daemon = await rig.daemon('aggregation = false\nlinger = "5ms"');
  t.match(await rig.send(daemon.socket, 0, burst), { accepted: burst, refused: 0 });
  // The shards need 2 s for it; the limiter first learns that it is alone.
  await until(() => daemon.ledger(), drained(burst), 40_000);
  const { records } = await rig.simulator.stats();
  t.ok(
    records.failed > 1_000,
    `${records.failed} records were throttled: far more than the budget of other retries lets go`,
  );
  const { requests } = (await daemon.status()).streams['orders'] ?? {};
  t.match(requests, { recordsFailed: records.failed, recordsThrottled: records.failed }, 'and each is counted as such');
  t.ok(records.failed < burst, 'and the limiter, not chance, decides when they go again');
  t.match((await rig.readBack(burst)).counts(), { lost: 0, duplicated: 0, altered: 0 });
});

t.test(
  'what the budget of retries keeps waiting leaves the ring at its deadline, and comes back from the disk',
  async (t) => {
    const rig = await Rig.start(t);
    await rig.simulator.faults({ shareFailedRecords: 1 });
    const daemon = await rig.daemon('aggregation = false\nlinger = "5ms"\ndeadline = "2s"');
    const count = 4_000;
    t.match(await rig.send(daemon.socket, 0, count), { accepted: count, refused: 0 });
    await until(
      () => rig.simulator.stats(),
      ({ records }) => records.failed >= count,
    );
    await rig.simulator.faults({});
    // One by one by the budget's floor it would take minutes.
    await until(() => daemon.ledger(), drained(count), 20_000);
    t.match((await rig.readBack(count)).counts(), { lost: 0, duplicated: 0, altered: 0 });
  },
);
