/**
 * Lane: while shards split and merge every 2 s, records fail, requests fail, and answers do not come, nothing is lost that
 * consumers read, nothing comes twice but what was not answered, and order is kept where that is asked for. Run without and
 * with order, one after the other: the difference is what order costs in a bad hour.
 *
 * Aggregates and requests are smaller than by default, so that there are enough of them for one in a hundred to fail. Order has at
 * most one aggregate of a shard under way: with still smaller ones the round trips alone would decide.
 */
import { NumberedEvents } from '../daemon/numbered-events.ts';
import { drained, Rig, until } from '../daemon/running.ts';
import { bytes200, checkBooks, checkUnansweredStream, latencyOf } from './parts/delivery.ts';
import { type Lane, runLane } from './parts/lane.ts';
import { startSender } from './parts/sending.ts';

const events = { ...bytes200, keys: 10_000 };
const share = 0.01;
const trouble = {
  reshardEveryMs: 2_000,
  shareFailedRecords: share,
  share500: share,
  resetShare: share,
  cutShare: share,
  latencyMs: 5,
  latencyJitterMs: 20,
};
/** So often connections are reset after the records were stored instead of before, and the other way round. */
const turnMs = 3_000;

interface Pass {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

await runLane('resharding: shards split and merge while everything fails now and then', async (lane) => {
  const none = await deliver(lane, 'none');
  await lane.end();
  const key = await deliver(lane, 'key');
  const times = (a: number, b: number): string => `${(a / b).toFixed(2)} times`;
  lane.figure('the cost of order: events a second', times(key.perSecond, none.perSecond));
  lane.figure('  p50 and p99', `${times(key.p50Ms, none.p50Ms)}, ${times(key.p99Ms, none.p99Ms)}`);
});

async function deliver(lane: Lane, ordering: 'none' | 'key'): Promise<Pass> {
  lane.line(`  ordering = "${ordering}"`);
  const count = lane.sized(1_000_000);
  const rig = await Rig.start(lane, lane.seed, { tls: true }, new NumberedEvents(events));
  const stopTurning = await turnResets(lane, rig);
  const sizes = 'aggregate_bytes = "64KiB"\nbatch_bytes = "256KiB"\nrecord_bytes_max = "64KiB"';
  const daemon = await rig.daemon(`ordering = "${ordering}"\n${sizes}`, '[log]\ninterval = "1s"\n');
  const startMs = performance.now();
  const sender = await startSender(lane, { path: daemon.socket, events, from: 0, count, phase: 'all' });
  const { accepted, refusedEvents } = await sender.report;
  const ledger = await until(() => daemon.ledger(), drained(accepted), 300_000);
  const perSecond = (1000 * count) / (performance.now() - startMs);
  await stopTurning();
  await showTrouble(lane, rig);
  lane.check('every event was accepted', accepted === count && refusedEvents === 0, accepted);
  checkBooks(lane, ledger, { accepted, refused: 0 });
  const oracle = await checkUnansweredStream(lane, rig, count);
  if (ordering === 'key') lane.check('the order of every key is kept', oracle.disordered === 0, oracle.disordered);
  else lane.figure('events behind a later one of their key', oracle.disordered);
  lane.check('the daemon stops with 0', (await daemon.stop()) === 0);
  const acked = latencyOf(daemon.log, 'ingress_to_ack');
  const [p50Ms = NaN, p99Ms = NaN] = [50, 99].map((percentile) => (acked?.percentileUs(percentile) ?? NaN) / 1000);
  lane.figure('delivered a second', Math.round(perSecond));
  lane.figure('ingress to ack, ms', `p50 ${p50Ms.toFixed(0)}, p99 ${p99Ms.toFixed(0)}`);
  return { perSecond, p50Ms, p99Ms };
}

/** Puts all trouble in force, and turns the stage of resets over until it is stopped. */
async function turnResets(lane: Lane, rig: Rig): Promise<() => Promise<void>> {
  let turn = 0;
  const order = async (): Promise<void> => {
    const resetStage = turn % 2 === 0 ? 'after' : 'before';
    await rig.simulator.faults({ ...trouble, resetStage, seed: (lane.seed + turn++) >>> 0 });
  };
  await order();
  let ordered = Promise.resolve();
  const timer = setInterval(() => {
    ordered = order();
  }, turnMs);
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    await ordered;
  };
  lane.teardown(stop);
  return stop;
}

async function showTrouble(lane: Lane, rig: Rig): Promise<void> {
  const { faultsFired, records, requests, streams } = await rig.simulator.stats();
  const { splits = 0, merges = 0, droppedEvents = 0 } = streams['orders'] ?? {};
  lane.figure('splits and merges', `${splits} and ${merges}`);
  lane.figure('requests', requests['PutRecords'] ?? 0);
  const { share500 = 0, resetShare = 0, cutShare = 0 } = faultsFired;
  lane.figure('  answered with 500, reset, cut', `${share500}, ${resetShare}, ${cutShare}`);
  lane.figure('records taken and failed', `${records.accepted} and ${records.failed}`);
  lane.figure('events in aggregates that consumers drop', droppedEvents);
  lane.check('shards were split or merged', splits + merges > 0, splits + merges);
}
