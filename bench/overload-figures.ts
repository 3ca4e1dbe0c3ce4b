/**
 * What the phases of bench/overload come to, and whether that is what is promised. Pure.
 */
import { percentile } from './demo/percentile.ts';
import type { Phase, Sample } from './overload-stage.ts';

/** One promise: what it says, what was found, whether that keeps it. */
export interface Finding {
  readonly promise: string;
  readonly found: string;
  readonly kept: boolean;
}

/** Events a second between the first and the last sample. */
export function rate({ samples }: Pick<Phase, 'samples'>, of: (sample: Sample) => number): number {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || first === last) return 0;
  return ((of(last) - of(first)) * 1_000) / (last.ms - first.ms);
}

export const delivered = ({ status }: Sample): number => status.ledger.delivered;

/** Jain's index: 1 when all have the same, 1/n when one has all. */
export function jainIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share ** 2, 0);
  return squares === 0 ? 1 : sum ** 2 / (shares.length * squares);
}

export interface Overload {
  /** At 95 % of what the endpoint takes. */
  readonly peak: Phase;
  /** At ten times of it, one connection sending nearly all. */
  readonly flood: Phase;
  /** What the endpoint takes, events a second. */
  readonly capacity: number;
  /** How late a timer of 1 ms was in an idle process meanwhile: what the machine adds to every answer. */
  readonly idleP99Ms: number;
}

/** `moves`: how often the breaker opened in the flood. */
export function judgeOverload({ peak, flood, capacity, idleP99Ms }: Overload, moves: number): readonly Finding[] {
  const goodput = rate(flood, delivered) / Math.max(capacity, rate(peak, delivered));
  const offered = flood.senders.reduce((sum, { sent, behind }) => sum + sent + behind, 0);
  const seconds = (flood.toMs - flood.fromMs) / 1_000;
  const times = offered / seconds / capacity;
  const slower = flood.ingressToAckP99Ms / peak.ingressToAckP99Ms;
  const refusalMs = flood.senders.flatMap((sender) => sender.refusalMs);
  const p99Ms = percentile(refusalMs, 0.99);
  const last = flood.samples.at(-1)?.status.ledger;
  const books = last === undefined ? 0 : last.received - last.accepted - last.refused;
  const refused = flood.senders.reduce((sum, sender) => sum + sender.refused, 0);
  const unhinted = flood.senders.reduce((sum, sender) => sum + sender.unhinted, 0);
  const shares = flood.senders.slice(1).map(({ sent, accepted }) => accepted / Math.max(1, sent));
  const equal = flood.senders.map(({ sent, accepted }) =>
    Math.min(1, accepted / Math.min(sent, (capacity * seconds) / flood.senders.length)),
  );
  return [
    finding('ten times the load is offered', times >= 9, `${times.toFixed(1)} times`),
    finding('R25 goodput at least 90 % of the peak', goodput >= 0.9, `${(100 * goodput).toFixed(1)} %`),
    finding(
      'R25 p99 of what is accepted at most twice that of the peak',
      slower <= 2,
      `${flood.ingressToAckP99Ms.toFixed(0)} ms after ${peak.ingressToAckP99Ms.toFixed(0)} ms`,
    ),
    finding(
      'R25 p99 of a refusal at most 5 ms more than an idle process waits',
      p99Ms <= 5 + idleP99Ms && refusalMs.length > 0,
      `${p99Ms.toFixed(2)} ms, p50 ${percentile(refusalMs, 0.5).toFixed(2)}, idle ${idleP99Ms.toFixed(2)}`,
    ),
    finding(
      'R25 every refusal counted, each with a time to come again',
      books === 0 && unhinted === 0 && refused > 0,
      `${refused} refused`,
    ),
    finding('R26 the breaker opens once', moves <= 1, `${moves} openings`),
    finding(
      'one greedy connection starves none of nine that ask for little',
      jainIndex(equal) >= 0.9 && Math.min(...shares) >= 0.8,
      `Jain's index ${jainIndex(equal).toFixed(3)}, the least served has ${(100 * Math.min(...shares)).toFixed(0)} % of its events accepted`,
    ),
  ];
}

export interface Outage {
  /** When the endpoint was back, and when the backlog was gone; undefined: it was not in time. */
  readonly backMs: number;
  readonly healedMs: number | undefined;
  readonly samples: readonly Sample[];
  readonly healMsMax: number;
}

export function judgeOutage({ backMs, healedMs, samples, healMsMax }: Outage): readonly Finding[] {
  const last = samples.at(-1)?.status;
  const requests = last?.streams['orders']?.requests ?? { answered: 0, failed: 0, again: 0, probes: 0 };
  const again = requests.again / Math.max(1, requests.answered + requests.failed - requests.again);
  const { replayed, goodput } = besideFresh(samples.filter(({ ms }) => ms >= backMs));
  const replay = replayed / Math.max(1, goodput);
  const tookMs = (healedMs ?? Number.POSITIVE_INFINITY) - backMs;
  const dropped = last === undefined ? 1 : last.ledger.dropped + last.ledger.refused;
  return [
    finding(
      `R27 heals by itself within ${healMsMax / 1_000} s`,
      tookMs <= healMsMax,
      `${(tookMs / 1_000).toFixed(1)} s after the endpoint was back`,
    ),
    finding('R27 retries at most 10 % of first sends', again <= 0.1, `${(100 * again).toFixed(2)} %`),
    finding(
      'R27 replay at most 20 % of goodput while fresh events wait',
      replay <= 0.2,
      `${(100 * replay).toFixed(1)} %`,
    ),
    finding('nothing refused, nothing dropped', dropped === 0, `${dropped} events`),
  ];
}

/** What was delivered, and what of it came from the disk, while fresh events found no room: a ring's breaker was open. */
function besideFresh(samples: readonly Sample[]): { replayed: number; goodput: number } {
  let replayed = 0;
  let goodput = 0;
  samples.forEach((sample, i) => {
    const before = samples[i - 1];
    if (before === undefined || !before.status.lanes.some(({ breaker }) => breaker === 'open')) return;
    goodput += delivered(sample) - delivered(before);
    replayed += Math.max(0, before.status.ledger.dlq - sample.status.ledger.dlq);
  });
  return { replayed, goodput };
}

function finding(promise: string, kept: boolean, found: string): Finding {
  return { promise, found, kept };
}
