/**
 * Lane: without faults nothing is lost, doubled or altered, and the books are exact. One sender process, as fast as it is let; a
 * daemon with its default configuration; the simulator over TLS.
 */
import { drained, Rig, until } from '../daemon/running.ts';
import { bytes200, checkBooks, checkStream, events200 } from './parts/delivery.ts';
import { runLane } from './parts/lane.ts';
import { startSender } from './parts/sending.ts';

await runLane('no-faults: every event arrives once and unchanged', async (lane) => {
  const count = lane.sized(2_000_000);
  const rig = await Rig.start(lane, lane.seed, { tls: true }, events200());
  const daemon = await rig.daemon();
  const startMs = performance.now();
  const sender = await startSender(lane, { path: daemon.socket, events: bytes200, from: 0, count, phase: 'all' });
  const { accepted, refusedEvents } = await sender.report;
  const ledger = await until(() => daemon.ledger(), drained(accepted), 120_000);
  const seconds = (performance.now() - startMs) / 1000;
  lane.figure('events', count);
  lane.figure('delivered a second', Math.round(count / seconds));
  lane.check('every event was accepted', accepted === count && refusedEvents === 0, accepted);
  checkBooks(lane, ledger, { accepted, refused: 0 });
  await checkStream(lane, rig, count);
  lane.check('the daemon stops with 0', (await daemon.stop()) === 0);
});
