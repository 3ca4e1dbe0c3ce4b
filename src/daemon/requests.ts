/**
 * What became of a stream's PutRecords requests, over all lanes. Main thread; pure on the ledger's last reading.
 */
import { LaneCounter } from '../observe/counters.ts';
import type { LedgerReader } from '../observe/ledger.ts';
import type { Requests } from './status.ts';

/** As of the ledger's last reading. */
export function requestsOf(ledger: LedgerReader, stream: number): Requests {
  return {
    answered: ledger.laneSum(stream, LaneCounter.requests),
    failed: ledger.laneSum(stream, LaneCounter.requestsFailed),
    again: ledger.laneSum(stream, LaneCounter.requestsAgain),
    probes: ledger.laneSum(stream, LaneCounter.probes),
    records: ledger.laneSum(stream, LaneCounter.records),
    recordsFailed: ledger.laneSum(stream, LaneCounter.recordsFailed),
  };
}

/** Term by term. */
export function sumRequests(streams: readonly Requests[]): Requests {
  const sum = (term: keyof Requests): number => streams.reduce((total, requests) => total + requests[term], 0);
  return {
    answered: sum('answered'),
    failed: sum('failed'),
    again: sum('again'),
    probes: sum('probes'),
    records: sum('records'),
    recordsFailed: sum('recordsFailed'),
  };
}
