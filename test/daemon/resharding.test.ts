import { randomInt } from 'node:crypto';
import t from 'tap';
import { NumberedEvents } from './numbered-events.ts';
import { drained, Rig, until } from './running.ts';

/** Everything that a stream can do to a producer in a bad hour. */
const trouble = {
  reshardEveryMs: 500,
  shareFailedRecords: 0.01,
  share500: 0.01,
  resetShare: 0.01,
  resetStage: 'after',
  cutShare: 0.01,
  latencyMs: 5,
  latencyJitterMs: 20,
} as const;

for (const ordering of ['none', 'key']) {
  t.test(`while shards split and merge nothing is lost that consumers read; ordering = "${ordering}"`, async (t) => {
    const seed = randomInt(2 ** 31);
    t.comment(`seed ${seed}`);
    const rig = await Rig.start(t, seed, {}, new NumberedEvents({ least: 40, most: 139, keys: 10_000 }));
    await rig.simulator.faults({ ...trouble, seed });
    const daemon = await rig.daemon(`ordering = "${ordering}"\nlinger = "5ms"\naggregate_bytes = "32KiB"`);
    const count = 200_000;
    const started = performance.now();
    for (let sent = 0; sent < count; sent += 10_000) {
      t.match(await rig.send(daemon.socket, sent, sent + 10_000), { accepted: 10_000, refused: 0 });
    }
    await until(() => daemon.ledger(), drained(count));
    t.comment(`${Math.round((1000 * count) / (performance.now() - started))} events/s`);
    const { faultsFired, records, streams } = await rig.simulator.stats();
    t.comment(JSON.stringify({ faultsFired, records, streams }));
    const found = await rig.readBack(count);
    t.match(found.counts(), { lost: 0, altered: 0 });
    t.comment(JSON.stringify(found.counts()), `disordered ${found.disordered}`);
    if (ordering === 'key') t.equal(found.disordered, 0, 'each key came in its order');
    t.equal(await daemon.stop(), 0);
  });
}
