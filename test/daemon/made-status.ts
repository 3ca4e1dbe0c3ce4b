/**
 * A status of any size, without a daemon, for tests of what is made of one. Every figure is another number, so that none can stand
 * in another's place unseen.
 */
import type { Status, StreamStatus } from '../../src/daemon/status.ts';

type Next = () => number;

export function madeStatus(streams: readonly string[], lanes: number): Status {
  let last = 0;
  const next: Next = () => ++last;
  const made = streams.map((name): [string, StreamStatus] => [name, madeStream(next)]);
  const total = madeLedger(next);
  for (const [, stream] of made) {
    for (const term of Object.keys(total) as (keyof typeof total)[]) total[term] += stream.ledger[term];
  }
  return {
    state: 'ready',
    version: '1.2.3',
    uptimeMs: next() * 1000,
    process: { rssBytes: next(), cpuSeconds: next(), startSeconds: next() },
    ledger: total,
    refusals: { saturated: next(), draining: next() },
    dlq: {
      bytes: next(),
      maxBytes: next(),
      full: true,
      cause: 'disk_full',
      failing: true,
      reserveBytes: next(),
      droppedByReason: { max_age: next(), drop_oldest: next(), damaged: next() },
    },
    backlog: madeBacklog(next),
    journal: {
      bytes: next(),
      events: next(),
      syncs: next(),
      behind: next(),
      marksWritten: next(),
      waiting: next(),
    },
    streams: Object.fromEntries(made),
    index: { segments: next(), indexed: next() },
    lanes: Array.from({ length: lanes }, (_, lane) => ({
      lane,
      breaker: 'open' as const,
      ringBytes: next(),
      ringCapacity: next(),
      oldestMs: next(),
      restarts: next(),
    })),
    log: { linesLost: next(), linesSuppressed: next() },
    alerts: [
      { name: 'backlog_old', stream: streams[0] ?? '', state: 'active' },
      { name: 'disk_full', state: 'quiet' },
    ],
    latency: {},
  };
}

function madeStream(next: Next): StreamStatus {
  return {
    ledger: madeLedger(next),
    breaker: 'half_open',
    backlog: madeBacklog(next),
    requests: {
      answered: next(),
      failed: next(),
      again: next(),
      probes: next(),
      records: next(),
      recordsFailed: next(),
    },
    dlq: { spilled: next(), dead: next(), bytes: next() },
  };
}

function madeBacklog(next: Next) {
  return { events: next(), bytes: next(), oldestMs: next() };
}

function madeLedger(next: Next) {
  return {
    received: next(),
    refused: next(),
    accepted: next(),
    delivered: next(),
    inFlight: next(),
    dlq: next(),
    dropped: next(),
    recovered: next(),
  };
}
