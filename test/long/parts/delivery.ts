/**
 * What the lanes check of a delivery: the daemon's books against what the sender was told, and the stream against what was
 * sent. Also the events that they send. Nothing here starts a process.
 */
import { type EventBytes, NumberedEvents } from '../../daemon/numbered-events.ts';
import type { Ledger, Rig } from '../../daemon/running.ts';
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

/** Reads the whole stream back: each of the events [0, count) is there once, as it was sent. */
export async function checkStream(lane: Lane, rig: Rig, count: number): Promise<void> {
  const startMs = performance.now();
  const found = (await rig.readBack(count)).counts();
  const { streams } = await rig.simulator.stats();
  lane.check('lost', found.lost === 0, found.lost);
  lane.check('duplicated', found.duplicated === 0, found.duplicated);
  lane.check('altered', found.altered === 0, found.altered);
  lane.check('no aggregate holds an event of another shard', streams['orders']?.droppedEvents === 0);
  lane.figure('reading back, s', (performance.now() - startMs) / 1000);
}
