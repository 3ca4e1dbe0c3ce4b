/**
 * What the lanes check of a delivery: the daemon's books against what the sender was told, and the stream against what was
 * sent. Also the events that they send. Nothing here starts a process.
 */
import { LatencyMerge } from '../../../src/observe/hist.ts';
import type { LatencyName } from '../../../src/observe/latency.ts';
import type { MergedLatency } from '../../../src/observe/merged-latency.ts';
import { type EventBytes, NumberedEvents } from '../../daemon/numbered-events.ts';
import type { Oracle } from '../../daemon/oracle.ts';
import type { Ledger, LogLine, Rig } from '../../daemon/running.ts';
import type { Lane } from './lane.ts';

/** About 200 bytes each, no two neighbours of the same length. */
export const bytes200: EventBytes = { least: 180, most: 219 };
export const events200 = (): NumberedEvents => new NumberedEvents(bytes200);

/** Everything that was received has one place, and nothing is on its way any more. */
export function checkBooks(lane: Lane, ledger: Ledger, told: { accepted: number; refused: number }): void {
  const { accepted, refused } = told;
  const expected = {
    received: accepted + refused,
    refused,
    accepted,
    delivered: accepted,
    inFlight: 0,
    dlq: 0,
    dropped: 0,
  };
  const wrong = Object.entries(expected).filter(([term, value]) => ledger[term as keyof Ledger] !== value);
  lane.check('the ledger is exact', wrong.length === 0, JSON.stringify(ledger));
}

/** Reads the whole stream back: each of the events [0, count) is there once, as it was sent, and the refused ones are not. */
export async function checkStream(
  lane: Lane,
  rig: Rig,
  count: number,
  refused: readonly { readonly from: number; readonly to: number }[] = [],
): Promise<void> {
  const startMs = performance.now();
  const oracle = await rig.readBack(count);
  const { lost, duplicated, altered } = oracle.counts();
  const refusals = refused.reduce((sum, { from, to }) => sum + to - from, 0);
  const absent = refused.reduce((sum, { from, to }) => sum + oracle.counts(from, to).lost, 0);
  const { streams } = await rig.simulator.stats();
  lane.check('lost', lost === absent, lost - absent);
  lane.check('duplicated', duplicated === 0, duplicated);
  lane.check('altered', altered === 0, altered === 0 ? 0 : `${altered}, such as ${oracle.firstAltered}`);
  if (refusals > 0) lane.check('refused and delivered nevertheless', absent === refusals, refusals - absent);
  lane.check('no aggregate holds an event of another shard', streams['orders']?.droppedEvents === 0);
  lane.figure('reading back, s', (performance.now() - startMs) / 1000);
}

/**
 * Reads back a stream some of whose answers never came: each of the events [0, count) is there as it was sent, and no more copies
 * than events that the sender could not know of.
 */
export async function checkUnansweredStream(lane: Lane, rig: Rig, count: number): Promise<Oracle> {
  const oracle = await rig.readBack(count);
  const { lost, duplicated, altered } = oracle.counts();
  const { events = 0, unansweredEvents = 0 } = (await rig.simulator.stats()).streams['orders'] ?? {};
  const copies = events - altered - (count - lost);
  lane.check('lost', lost === 0, lost);
  lane.check('altered', altered === 0, altered === 0 ? 0 : `${altered}, such as ${oracle.firstAltered}`);
  const found = `${copies} copies of ${duplicated} events; ${unansweredEvents} were stored and not properly answered`;
  lane.check('duplicated: only what was sent and not answered', copies <= unansweredEvents, found);
  return oracle;
}

/** One histogram over a daemon's whole log, all lanes together; undefined: nothing was counted. */
export function latencyOf(log: readonly LogLine[], histogram: LatencyName): MergedLatency | undefined {
  const merge = new LatencyMerge({ by: 'total', windowMs: 1, histogram, series: false });
  for (const line of log) if (line.kind === 'latency') merge.addLine(JSON.stringify(line));
  return merge.groups()[0];
}
