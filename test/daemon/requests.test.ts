import t from 'tap';
import { drained, Rig, until } from './running.ts';

t.test('requests that are answered, that fail and that are sent again are counted apart', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon('linger = "5ms"', '[log]\ninterval = "100ms"\n');
  const requests = async () => (await daemon.status()).streams['orders']?.requests;
  await rig.send(daemon.socket, 0, 1_000);
  await until(() => daemon.ledger(), drained(1_000));
  const well = await requests();
  t.match(well, { failed: 0, again: 0 });
  t.ok((well?.answered ?? 0) > 0);

  await rig.simulator.faults({ share500: 1 });
  await rig.send(daemon.socket, 1_000, 1_001);
  const open = await until(requests, (now) => (now?.probes ?? 0) >= 2);
  const later = await until(requests, (now) => (now?.probes ?? 0) >= 4);
  t.equal(later?.again, open?.again, 'an open breaker sends no event');
  await rig.simulator.faults({});
  await until(() => daemon.ledger(), drained(1_001));
  const healed = await requests();
  t.equal(healed?.answered, (well?.answered ?? 0) + 1);
  t.equal(healed?.failed, healed?.again, 'each failure was made good by one sending');
  const { requests: seen } = await rig.simulator.stats();
  const { answered = 0, failed = 0, probes = 0 } = healed ?? {};
  t.equal(seen['PutRecords'], answered + failed + probes, 'as the simulator counts them');
  const line = await daemon.line(({ kind, again }) => kind === 'requests' && again === healed?.again);
  t.match(line, { ...healed, recordsFailed: 0, throttled: 0 });

  await rig.simulator.faults({ errorShare: 1, errorType: 'LimitExceededException' });
  await rig.send(daemon.socket, 1_001, 1_002);
  const throttled = await until(requests, (now) => (now?.throttled ?? 0) > 0);
  t.equal(throttled?.throttled, (throttled?.failed ?? 0) - failed, 'what is too much for Kinesis is counted as that');
});
