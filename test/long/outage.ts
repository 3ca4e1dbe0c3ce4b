/**
 * Lane: the endpoint is gone for a minute while a sender goes on with 50,000 events a second. They are set aside on disk; the
 * sender's acks stay quick; afterwards the backlog drains by itself, twice as fast as events come, and nothing is lost.
 */
import { type Lane, runLane } from './parts/lane.ts';
import { eventsPerSecond, type OutageRun, runOutage } from './parts/outage.ts';

/** Of acks at level memory. */
const ackP99Ms = 10;

await runLane('outage: a minute without endpoint at 50,000 events a second', async (lane) => {
  const run = await runOutage(lane, {
    overflow: 'spill',
    beforeMs: lane.sized(10_000),
    outageMs: lane.sized(60_000, 3_000),
  });
  checkAcks(lane, run);
  checkDrain(lane, run);
  const most = Math.max(...run.samples.map(({ status }) => status.ledger.dlq));
  lane.check('most of what came in the outage was on disk', most > 0.8 * eventsPerSecond * secondsOf(run), most);
  lane.check('replay opens no breaker', reopened(run).length === 0, reopened(run).join('; '));
  lane.check('nothing was refused', run.report.refusedEvents === 0, run.report.refusedEvents);
});

/** Breakers that opened after the lane's had begun to close: what waits from then on is what was replayed. */
function reopened({ daemon, openMs }: OutageRun): string[] {
  const moves = daemon.log.filter(({ kind, time }) => kind === 'breaker' && Date.parse(String(time)) >= openMs);
  const closing = moves.findIndex(({ breaker, to }) => breaker === 'lane' && to === 'half_open');
  return moves
    .slice(closing)
    .filter(({ to }) => to === 'open')
    .map(
      (move) =>
        `${String(move['breaker'])}: ${String(move['cause'])}, ${Date.parse(String(move['time'])) - openMs} ms after the port opened`,
    );
}

function secondsOf({ closedMs, openMs }: OutageRun): number {
  return (openMs - closedMs) / 1000;
}

function checkAcks(lane: Lane, { report }: OutageRun): void {
  for (const [phase, { count, sinceDue, sinceSent }] of Object.entries(report.phases)) {
    // The first seconds, in which the daemon's code is compiled, are in `before` and in `all`.
    if (count === 0 || phase === 'before') continue;
    const figures = (from: typeof sinceDue): string =>
      `p50 ${from.p50Ms.toFixed(2)}, p99 ${from.p99Ms.toFixed(2)}, p99.9 ${from.p999Ms.toFixed(1)}, max ${from.maxMs.toFixed(0)}`;
    lane.check(
      `p99 of acks, ${phase}: at most ${ackP99Ms} ms`,
      sinceSent.p99Ms <= ackP99Ms,
      `${figures(sinceSent)} ms`,
    );
    lane.figure('  counted from when the event was due, ms', figures(sinceDue));
  }
}

/** Delivered a second, fresh and replayed, from the first delivery after the outage until the backlog is gone. */
function checkDrain(lane: Lane, { samples, openMs, drainedMs }: OutageRun): void {
  const before = samples.findLast(({ atMs }) => atMs < openMs);
  const during = samples.filter(({ atMs }) => atMs >= openMs && atMs <= drainedMs);
  const delivered = before?.status.ledger.delivered ?? 0;
  const first = during.find(({ status }) => status.ledger.delivered > delivered);
  const last = during.at(-1);
  if (first === undefined || last === undefined) return lane.check('the backlog drains', false);
  const perSecond = (last.status.ledger.delivered - first.status.ledger.delivered) / ((last.atMs - first.atMs) / 1000);
  lane.figure('first delivery, ms after the port opened', Math.round(first.atMs - openMs));
  lane.figure('time to drain, s after the port opened', (drainedMs - openMs) / 1000);
  const found = `${Math.round(perSecond)} a second, ${(perSecond / eventsPerSecond).toFixed(2)} times`;
  lane.check('drains at twice the rate of arrival', perSecond >= 2 * eventsPerSecond, found);
}
