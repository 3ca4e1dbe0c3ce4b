/**
 * Fills the disk under a real daemon that must spill, and frees it, again and again, while events are offered one burst after the
 * other. Used by full-disk.test.ts and, with more cycles, by test/long/full-disk.ts.
 *
 * ```
 *   cycle    disk filled ─▶ events offered until one is refused ─▶ (every other time: what the daemon freed is taken, too)
 *              ─▶ disk freed ─▶ events offered until one is accepted
 * ```
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Ending, type Ledger, type LogLine, Rig, type RunningDaemon, until } from '../daemon/running.ts';
import { BurstSender } from './burst-sender.ts';
import { fillUp, mountTmpfs } from './disks.ts';

const diskMiB = 64;

export interface FullDiskReport {
  readonly accepted: number;
  readonly refused: number;
  readonly codes: readonly string[];
  /** From an event's sending to its refusal, the longest of each cycle. */
  readonly refusalMs: readonly number[];
  /** From the disk's being freed to the first accepted event. */
  readonly acceptedAfterMs: readonly number[];
  /** Accepted and not delivered. */
  readonly lost: number;
  readonly ledger: Ledger;
  /** Lines of the log about the disk. */
  readonly told: readonly LogLine[];
  readonly exitCode: number | null;
}

/** At level `disk` Kinesis is there, and what is written is the journal; at level `memory` it is away, and all is spilled. */
export async function fillAndFree(
  ending: Ending,
  cycles: number,
  ack: 'memory' | 'disk' = 'memory',
): Promise<FullDiskReport> {
  const rig = await Rig.start(ending);
  const state = join(rig.directory, 'state');
  mountTmpfs(ending, state, diskMiB);
  const limits =
    '[dlq]\nmax_bytes = "1GiB"\nsegment_bytes = "2MiB"\nreserve_bytes = "16MiB"\n[breaker]\nfailures = 1\n';
  const daemon = await rig.daemon('', limits);
  await rig.simulator.faults({ refuse: ack === 'memory' });
  const sender = await BurstSender.start(rig, daemon.socket, ack);
  const refusalMs: number[] = [];
  const acceptedAfterMs: number[] = [];
  await sender.until(({ accepted }) => accepted > 0);
  if (ack === 'memory') await daemon.line(({ kind, to }) => kind === 'breaker' && to === 'open');
  await held(daemon);
  for (let cycle = 0; cycle < cycles; cycle++) {
    const filler = join(state, 'filler');
    fillUp(filler);
    refusalMs.push((await sender.until(({ refused }) => refused > 0)).tookMs);
    await until(
      async () => existsSync(join(state, 'dlq', 'reserve')),
      (isThere) => !isThere,
    );
    if (cycle % 2 === 1) fillUp(filler);
    rmSync(filler);
    const freedMs = performance.now();
    await sender.until(({ accepted }) => accepted > 0);
    acceptedAfterMs.push(performance.now() - freedMs);
    await held(daemon);
  }
  const { accepted, refused, codes } = await sender.end();
  await rig.simulator.faults({});
  const ledger = await until(
    () => daemon.ledger(),
    ({ delivered, inFlight, dlq }) => delivered === accepted && inFlight === 0 && dlq === 0,
  );
  const oracle = await rig.readBack(accepted + refused.size);
  let lost = 0;
  oracle.seen.forEach((times, id) => {
    if (times === 0 && !refused.has(id)) lost++;
  });
  const told = daemon.log.filter(({ kind }) => kind === 'dlq');
  return {
    accepted,
    refused: refused.size,
    codes: [...codes],
    refusalMs,
    acceptedAfterMs,
    lost,
    ledger,
    told,
    exitCode: await daemon.stop(),
  };
}

/** The reserve is there again, and nothing of the disk is in trouble. */
async function held(daemon: RunningDaemon): Promise<void> {
  await until(
    () => daemon.status(),
    ({ dlq }) => dlq.reserveBytes > 0 && !dlq.failing,
  );
}
