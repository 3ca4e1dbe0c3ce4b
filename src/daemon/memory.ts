/**
 * How `daemon.memory_budget` is spent: the worst case, term by term, and the ring that each lane gets from what remains. Main
 * thread; pure; called by the config loader (a budget that is too small is a mistake of the config), by `check`, and by
 * whoever creates the rings.
 *
 * ```
 *   memory_budget = landing zone
 *                 + lanes x request bodies (requests_in_flight x body of the largest request, of the stream that needs the most)
 *                 + lanes x ring
 * ```
 * A lane's request buffers are shared by its streams, so they are counted once.
 */
import { base64Expansion, landingBytes, laneRingBytesMin, recordEnvelopeBytesMax } from '../base/limits.ts';

/** Most lanes that are chosen unasked: beyond this the main thread, which feeds them all, is the bottleneck. */
const chosenLanesMax = 4;

/** Lanes where `daemon.lanes` is 0: the cores beside the main thread's, at least one. */
export function chosenLanes(cores: number): number {
  return Math.min(chosenLanesMax, Math.max(1, cores - 1));
}

/** What the plan needs of the configuration. */
export interface MemoryDemand {
  readonly lanes: number;
  readonly memoryBudgetBytes: number;
  readonly streams: readonly {
    readonly requestsInFlight: number;
    readonly batchBytes: number;
    readonly batchRecords: number;
    readonly recordBytesMax: number;
  }[];
}

export interface MemoryPlan {
  /** Once per process. */
  readonly landingBytes: number;
  /** Of each lane: the bodies of its requests in flight. */
  readonly laneRequestBytes: number;
  /** Of each lane: what remains for its ring. Below {@link laneRingBytesLeast} the plan does not work. */
  readonly laneRingBytes: number;
  /** The smallest ring that these streams can work with. */
  readonly laneRingBytesLeast: number;
  /** The smallest budget with which this plan works. */
  readonly budgetBytesLeast: number;
}

/** Divides the budget. Whole pages of 4 KiB; never more in total than the budget. */
export function memoryPlan({ lanes, memoryBudgetBytes, streams }: MemoryDemand): MemoryPlan {
  const needs = streams.map(
    ({ requestsInFlight, batchBytes, batchRecords }) =>
      requestsInFlight * (batchBytes * base64Expansion + batchRecords * recordEnvelopeBytesMax),
  );
  const laneRequestBytes = Math.ceil(Math.max(0, ...needs));
  const laneRingBytesLeast = Math.max(laneRingBytesMin, ...streams.map(({ recordBytesMax }) => 2 * recordBytesMax));
  const remaining = memoryBudgetBytes - landingBytes - lanes * laneRequestBytes;
  const laneRingBytes = Math.max(0, Math.floor(remaining / lanes / 4096) * 4096);
  const budgetBytesLeast = landingBytes + lanes * (laneRequestBytes + laneRingBytesLeast);
  return { landingBytes, laneRequestBytes, laneRingBytes, laneRingBytesLeast, budgetBytesLeast };
}
