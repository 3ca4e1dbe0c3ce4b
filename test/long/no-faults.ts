/**
 * Lane: without faults nothing is lost, doubled or altered, and the books are exact. One sender process, as fast as it is let; a
 * daemon with its default configuration; the simulator over TLS.
 *
 *   node dist/test/long/no-faults.js --scale 6        12,000,000 events: the simulator keeps 3 GB of them
 */
import { drained, Rig, until } from '../daemon/running.ts';
import { bytes200, checkBooks, checkStream, events200 } from './parts/delivery.ts';
import { runLane } from './parts/lane.ts';
import { startSender } from './parts/sending.ts';

/** Of data, delivered. */
const megabytesPerSecond = 20;
/** What the simulator keeps for an event, in an aggregate or alone, at most. */
const keptBytes = 300;

await runLane('no-faults: every event arrives once and unchanged', async (lane) => {
  const count = lane.sized(2_000_000);
  const rig = await Rig.start(
    lane,
    lane.seed,
    { tls: true, keepBytes: Math.max(1024 ** 3, keptBytes * count) },
    events200(),
  );
  const daemon = await rig.daemon();
  const startMs = performance.now();
  const sender = await startSender(lane, { path: daemon.socket, events: bytes200, from: 0, count, phase: 'all' });
  const { accepted, refusedEvents } = await sender.report;
  const ledger = await until(() => daemon.ledger(), drained(accepted), 120_000);
  const seconds = (performance.now() - startMs) / 1000;
  lane.figure('events', count);
  lane.figure('delivered a second', Math.round(count / seconds));
  const { userBytes } = await rig.simulator.stats();
  const rate = userBytes / 1e6 / seconds;
  lane.check(`at least ${megabytesPerSecond} MB/s`, rate >= megabytesPerSecond, `${rate.toFixed(1)} MB/s`);
  lane.check('every event was accepted', accepted === count && refusedEvents === 0, accepted);
  checkBooks(lane, ledger, { accepted, refused: 0 });
  await checkStream(lane, rig, count);
  lane.check('the daemon stops with 0', (await daemon.stop()) === 0);
});
