import t from 'tap';
import { drained, type LogLine, Rig, until } from './running.ts';

const moved =
  (breaker: string, state: string) =>
  ({ kind, breaker: which, to }: LogLine): boolean =>
    kind === 'breaker' && which === breaker && to === state;

t.test('a backlog that takes seconds to deliver is replayed without opening the breaker of its lane', async (t) => {
  const rig = await Rig.start(t);
  await rig.simulator.faults({ refuse: true });
  // Requests of one record of 16 KiB, one at a time, 15 ms each and more: the backlog below needs some seconds. Four
  // seconds of open_after leave room for a machine that has other things to do.
  const slow = 'batch_bytes = "64KiB"\nrecord_bytes_max = "64KiB"\naggregate_bytes = "16KiB"\nrequests_in_flight = 1\n';
  const daemon = await rig.daemon(slow, '[breaker]\nfailures = 1\nopen_after = "4s"\n');
  const count = 60_000;
  await rig.send(daemon.socket, 0, 1_000);
  await daemon.line(moved('stream', 'open'));
  await rig.send(daemon.socket, 1_000, count);
  // What was in the ring when the outage began opens it, by its age; from its closing on, all age is that of replayed events.
  await daemon.line(moved('lane', 'open'));
  await rig.simulator.faults({ latencyMs: 15 });
  const halfOpen = await daemon.line(moved('lane', 'half_open'));
  const backMs = performance.now();
  await until(() => daemon.ledger(), drained(count));
  const tookMs = performance.now() - backMs;
  t.ok(tookMs > 5_000, `the backlog took ${tookMs} ms, longer than breaker.open_after`);
  const later = daemon.log.slice(daemon.log.indexOf(halfOpen) + 1);
  t.strictSame(later.filter(moved('lane', 'open')), [], 'no breaker opened while it was replayed');
  t.strictSame((await rig.readBack(count)).counts(), { lost: 0, duplicated: 0, altered: 0 });
  t.equal(await daemon.stop(), 0);
});
