/**
 * Lane: one record in a hundred fails, at random; of a request with failed records only these are sent again. First with small
 * aggregates, where failed events travel on in new company: nothing is lost or doubled. Then without aggregation, where an
 * event is a record: the simulator received each record once, and once more for each time that it had failed it.
 */
import { drained, Rig, until } from '../daemon/running.ts';
import { bytes200, checkBooks, checkStream, events200 } from './parts/delivery.ts';
import { type Lane, runLane } from './parts/lane.ts';
import { startSender } from './parts/sending.ts';

const share = 0.01;

await runLane('failed-records: only what failed is sent again', async (lane) => {
  await deliver(lane, lane.sized(1_000_000), 'aggregate_bytes = "4KiB"');
  const singles = lane.sized(200_000);
  const { accepted, failed } = await deliver(lane, singles, 'aggregation = false');
  lane.check(
    'records received = records first sent + records failed',
    accepted + failed === singles + failed,
    `${accepted + failed} = ${singles} + ${failed}`,
  );
});

async function deliver(lane: Lane, count: number, stream: string): Promise<{ accepted: number; failed: number }> {
  const rig = await Rig.start(lane, lane.seed, { tls: true }, events200());
  await rig.simulator.faults({ shareFailedRecords: share, seed: lane.seed });
  const daemon = await rig.daemon(stream);
  const sender = await startSender(lane, { path: daemon.socket, events: bytes200, from: 0, count, phase: 'all' });
  const { accepted, refusedEvents } = await sender.report;
  const ledger = await until(() => daemon.ledger(), drained(accepted), 120_000);
  const { records, requests } = await rig.simulator.stats();
  lane.figure(`events, ${stream}`, count);
  lane.figure('requests', requests['PutRecords'] ?? 0);
  lane.figure('records taken and failed', `${records.accepted} and ${records.failed}`);
  const failedShare = records.failed / (records.accepted + records.failed);
  lane.check('one record in a hundred did fail', Math.abs(failedShare - share) < share / 2, failedShare.toFixed(4));
  lane.check('every event was accepted', accepted === count && refusedEvents === 0, accepted);
  checkBooks(lane, ledger, { accepted, refused: 0 });
  await checkStream(lane, rig, count);
  lane.check('the daemon stops with 0', (await daemon.stop()) === 0);
  await lane.end();
  return records;
}
