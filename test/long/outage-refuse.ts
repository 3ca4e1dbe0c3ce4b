/**
 * Lane: the endpoint is gone and the stream's policy is to refuse. Senders are told so with a code and when to come again, every
 * refusal is counted, and everything that was accepted is delivered.
 */
import { runLane } from './parts/lane.ts';
import { runOutage } from './parts/outage.ts';

await runLane('outage-refuse: senders are told, and what was accepted arrives', async (lane) => {
  const { report } = await runOutage(lane, {
    overflow: 'refuse',
    beforeMs: 3_000,
    outageMs: lane.sized(15_000, 3_000),
  });
  lane.figure('refused, by code', JSON.stringify(report.refused));
  lane.check('most of the outage was refused', report.refusedEvents > 0.2 * report.sent, report.refusedEvents);
  for (const [code, { events, retryable, retryAfterMsMin }] of Object.entries(report.refused)) {
    lane.check(
      `${code} says when to come again`,
      retryable && retryAfterMsMin > 0,
      `${events} events, ${retryAfterMsMin} ms`,
    );
  }
});
