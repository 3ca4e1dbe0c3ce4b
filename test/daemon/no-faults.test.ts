import t from 'tap';
import { drained, Rig, until } from './running.ts';

t.test('without faults every event arrives once, unchanged, and the books balance', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon();
  const count = 2_000_000;
  t.match(await rig.send(daemon.socket, 0, count), { accepted: count, refused: 0 });
  const ledger = await until(() => daemon.ledger(), drained(count));
  t.match(ledger, { received: count, accepted: count, refused: 0, delivered: count, dropped: 0 });
  t.strictSame((await rig.readBack(count)).counts(), { lost: 0, duplicated: 0, altered: 0 });
  const { connections, streams } = await rig.simulator.stats();
  t.equal(streams['orders']?.droppedEvents, 0, 'no aggregate holds an event of another shard');
  t.ok(connections.opened <= 4 + 1, `one connection per request slot, not per call: ${connections.opened}`);
  t.equal(await daemon.stop(), 0);
});
