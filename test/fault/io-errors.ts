/**
 * Lets the disk under a real daemon that must spill fail with EIO, and heal, again and again, while events are offered. Used by
 * io-errors.test.ts and, with more episodes, by test/long/io-errors.ts.
 *
 * What is judged is what the disk holds: the daemon is stopped, the disk mounted anew, so that nothing of it is left in memory, and
 * only then does a second daemon deliver. A trace of the system calls shows whether a file was synced again after a sync of it
 * had failed: the kernel says yes to that, and has dropped the data.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ending, type Ledger, type LogLine, Rig, type RunningDaemon, until } from '../daemon/running.ts';
import { BurstSender } from './burst-sender.ts';
import { mountTroubledDisk } from './disks.ts';

const diskMiB = 128;

export interface IoErrorReport {
  readonly accepted: number;
  readonly refused: number;
  /** Accepted, and not delivered from what the disk held in the end. */
  readonly lost: number;
  readonly altered: number;
  /** Syncs that failed, and files that were synced again after that. */
  readonly failedSyncs: number;
  readonly syncedAgain: readonly string[];
  readonly ledger: Ledger;
  readonly told: readonly LogLine[];
  readonly exitCodes: readonly (number | null)[];
}

export async function failAndHeal(ending: Ending, episodes: number, fsync: string): Promise<IoErrorReport> {
  const rig = await Rig.start(ending);
  const disk = await mountTroubledDisk(ending, join(rig.directory, 'state'), diskMiB);
  const trace = join(rig.directory, 'syncs');
  const rest = `[dlq]\nfsync = "${fsync}"\nsegment_bytes = "2MiB"\nmax_bytes = "512MiB"\n[breaker]\nfailures = 1\n`;
  const first = await rig.daemon('', rest, {
    environment: { SPILLWAY_DAEMON_DRAIN_TIMEOUT: '200ms' },
    under: ['strace', '-D', '-f', '--seccomp-bpf', '-y', '-e', 'trace=fdatasync,fsync', '-o', trace],
  });
  await rig.simulator.faults({ refuse: true });
  const sender = await BurstSender.start(rig, first.socket);
  await sender.until(({ accepted }) => accepted > 0);
  await first.line(({ kind, to }) => kind === 'breaker' && to === 'open');
  for (let episode = 0; episode < episodes; episode++) {
    const met = troubles(first);
    disk.fail();
    await sender.until(() => troubles(first) > met);
    // Some episodes go on until events are refused, others end at the first failure.
    if (episode % 3 === 0) await sender.until(({ refused }) => refused > 0);
    disk.heal();
    await sender.until(({ accepted }) => accepted > 0);
    await until(
      () => first.status(),
      ({ dlq }) => !dlq.failing && !dlq.full,
    );
  }
  const { accepted, refused } = await sender.end();
  const exitCodes = [await first.stop()];
  disk.remount();
  await rig.simulator.faults({});
  const second = await rig.daemon('', rest);
  const ledger = await until(
    () => second.ledger(),
    ({ delivered, recovered, inFlight, dlq }) => delivered === recovered && inFlight === 0 && dlq === 0,
  );
  const oracle = await rig.readBack(accepted + refused.size);
  let lost = 0;
  oracle.seen.forEach((times, id) => {
    if (times === 0 && !refused.has(id)) lost++;
  });
  exitCodes.push(await second.stop());
  const told = [...first.log, ...second.log].filter(({ kind }) => kind === 'dlq');
  return { accepted, refused: refused.size, lost, altered: oracle.altered, ...judged(trace), ledger, told, exitCodes };
}

function troubles({ log }: RunningDaemon): number {
  return log.filter(({ kind, event }) => kind === 'dlq' && event === 'failing').length;
}

/** Reads a trace such as `123 fdatasync(20</state/dlq/spill-0000000001.seg>) = -1 EIO (Input/output error)`. */
function judged(trace: string): { readonly failedSyncs: number; readonly syncedAgain: readonly string[] } {
  const failed = new Set<string>();
  const syncedAgain: string[] = [];
  const pending = new Map<string, string>();
  let failedSyncs = 0;
  for (const line of readFileSync(trace, 'utf8').split('\n')) {
    const thread = line.split(' ')[0] ?? '';
    const path = /f(?:data)?sync\(\d+<([^>]*)>/.exec(line)?.[1];
    // The call of one thread may end on a later line than that of its beginning.
    if (path !== undefined) {
      if (path.endsWith('.seg') && failed.has(path)) syncedAgain.push(path);
      pending.set(thread, path);
    }
    if (!/= -1 E/.test(line)) continue;
    failedSyncs++;
    failed.add(pending.get(thread) ?? '');
  }
  return { failedSyncs, syncedAgain };
}
