/**
 * Kills the daemon with SIGKILL at random moments while a sender sends at ack level `disk`, starts it again on what it left, and
 * says in the end what became of the events. Used by kill-at-disk.test.ts and by the long lane of that name.
 *
 * ```
 *   sender, a process of its own ─ events, acks ─ daemon ─▶ simulator          round n: killed; round n + 1 recovers, and is killed
 * ```
 * In every fourth round Kinesis refuses everything, so that events are acknowledged in the DLQ, and those in rings stay there.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Ending, Rig, until } from '../daemon/running.ts';
import { bytes200, events200 } from '../long/parts/delivery.ts';
import { startSender } from '../long/parts/sending.ts';

export interface KillPlan {
  readonly kills: number;
  readonly eventsPerSecond: number;
  /** The next number of [0, 1). */
  readonly random: () => number;
  readonly seed: number;
  readonly ordering: 'none' | 'key';
}

export interface KillReport {
  readonly sent: number;
  /** Acknowledged: on disk. */
  readonly acked: number;
  readonly lost: number;
  readonly altered: number;
  /** Events that are in the stream more than once. */
  readonly duplicated: number;
  /** Events that came for the first time behind a later one of their key. */
  readonly disordered: number;
  /** By kill: what the next run found in the journal or in the DLQ. */
  readonly recovered: readonly number[];
  /** What the last run found damaged: a kill in the middle of a write leaves an entry whose header alone is whole. */
  readonly torn: number;
  /** The books of the last run balance: it has delivered what it found, but for what was torn. */
  readonly isLedgerExact: boolean;
  readonly exitCode: number | null;
}

/** Numbers that one round may use. */
const roundEvents = 250_000;
const killMsLeast = 50;
const killMsMost = 800;

export async function killAtDisk(ending: Ending, plan: KillPlan): Promise<KillReport> {
  const { kills, random } = plan;
  const rig = await Rig.start(ending, plan.seed, { keepBytes: 8 * 1024 ** 3 }, events200());
  const acked = new Uint8Array(kills * roundEvents);
  const recovered: number[] = [];
  let sent = 0;
  for (let round = 0; round < kills; round++) {
    await rig.simulator.faults(round % 4 === 3 ? { refuse: true } : { latencyMs: Math.floor(20 * random()) });
    const daemon = await rig.daemon(`linger = "20ms"\nordering = "${plan.ordering}"`);
    if (round > 0) recovered.push((await daemon.ledger()).recovered);
    const { eventsPerSecond } = plan;
    const from = round * roundEvents;
    const sending = {
      path: daemon.socket,
      ack: 'disk' as const,
      events: bytes200,
      from,
      eventsPerSecond,
      phase: 'all',
    };
    const sender = await startSender(ending, sending);
    await sleep(killMsLeast + random() * (killMsMost - killMsLeast));
    daemon.process.kill('SIGKILL');
    await daemon.exited;
    const report = await sender.report;
    const judged = report.accepted + report.refusedEvents;
    acked.fill(1, from, from + judged);
    for (const range of report.refusedRanges) acked.fill(0, range.from, range.to);
    sent += report.sent;
  }
  await rig.simulator.faults({});
  const last = await rig.daemon(`linger = "20ms"\nordering = "${plan.ordering}"`);
  recovered.push((await last.ledger()).recovered);
  const ledger = await until(
    () => last.ledger(),
    ({ inFlight, dlq }) => inFlight === 0 && dlq === 0,
    120_000,
  );
  const exitCode = await last.stop();
  const oracle = await rig.readBack(acked.length);
  let lost = 0;
  for (let id = 0; id < acked.length; id++) if (acked[id] === 1 && oracle.seen[id] === 0) lost++;
  const { duplicated, altered } = oracle.counts();
  return {
    sent,
    acked: acked.reduce((sum, one) => sum + one, 0),
    lost,
    altered,
    duplicated,
    disordered: oracle.disordered,
    recovered,
    torn: ledger.dropped,
    isLedgerExact: ledger.delivered + ledger.dropped === ledger.recovered && ledger.accepted === 0,
    exitCode,
  };
}
