/**
 * Lane: the endpoint is gone and the stream's policy is to block. The ring fills, then senders are held by back-pressure until
 * the endpoint is back: nothing is refused, nothing goes to disk, nothing is lost.
 */
import { runLane } from './parts/lane.ts';
import { runOutage } from './parts/outage.ts';

await runLane('outage-block: senders are held, nothing is refused', async (lane) => {
  const outageMs = lane.sized(20_000, 12_000);
  const { report, samples } = await runOutage(lane, { overflow: 'block', beforeMs: 3_000, outageMs });
  lane.check('nothing was refused', report.refusedEvents === 0, report.refusedEvents);
  lane.check('the sender was held', report.heldMs > 1_000, `${report.heldMs.toFixed(0)} ms`);
  const fullest = Math.max(
    ...samples.flatMap(({ status }) => status.lanes.map((row) => row.ringBytes / row.ringCapacity)),
  );
  lane.check('the ring was full', fullest > 0.9, fullest.toFixed(3));
  const spilled = Math.max(...samples.map(({ status }) => status.ledger.dlq));
  lane.check('nothing went to disk', spilled === 0, spilled);
});
