/**
 * Lane: the delivery of a stream against the model of Kinesis, many thousand worlds from a seed on, in virtual time. What `npm test`
 * does with a hundred of them; a world that fails is printed with its seed.
 *
 *   node dist/test/long/delivery-model.js [--seed N] [--scale SHARE]     about five minutes of CPU at scale 1
 */
import { judge } from '../deliver/delivery-oracle.ts';
import { worldOf } from '../deliver/delivery-world.ts';
import { runLane } from './parts/lane.ts';

await runLane('delivery-model: a stream that splits, merges, fails, lies late, and is made anew', async (lane) => {
  const worlds = lane.sized(15_000, 10);
  const totals = { events: 0, requests: 0, stored: 0, anew: 0, parked: 0, autos: 0 };
  let longestMs = 0;
  let failed = 0;
  for (let seed = lane.seed; seed < lane.seed + worlds; seed++) {
    const { run, broken, tookMs } = await judge(worldOf(seed));
    totals.events += run.fates.length;
    totals.requests += run.kinesis.requests;
    totals.stored += run.kinesis.stored.length;
    totals.anew += run.kinesis.incarnation - 1;
    totals.parked += run.parkedMs.length;
    totals.autos += run.kinesis.autoMs.length;
    longestMs = Math.max(longestMs, tookMs);
    if (broken.length === 0) continue;
    failed++;
    lane.check(`SEED=${seed} DELIVERY_WORLDS=1 node dist/test/deliver/stream-delivery.test.js`, false, broken[0] ?? '');
  }
  for (const [what, count] of Object.entries(totals)) lane.figure(what, count);
  lane.figure('healed, ms at the latest', Math.round(longestMs));
  lane.check('every world holds', failed === 0, `${failed} of ${worlds} do not`);
  lane.check('streams were made anew, parked and spread', totals.anew * totals.parked * totals.autos > 0);
});
