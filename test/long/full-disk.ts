/**
 * Lane: the disk under a daemon that must spill is filled and freed a hundred times. It refuses within 100 ms what it cannot keep,
 * accepts again within a second after space returns, and loses nothing that it acknowledged. Needs root, for a tmpfs.
 */
import { withoutTmpfs } from '../fault/disks.ts';
import { fillAndFree } from '../fault/full-disk.ts';
import { type Lane, runLane } from './parts/lane.ts';

await runLane('full-disk: a hundred times full, a hundred times free', async (lane) => {
  const without = withoutTmpfs();
  if (without !== false) return lane.figure('skipped', without);
  for (const ack of ['memory', 'disk'] as const) await fill(lane, ack);
});

async function fill(lane: Lane, ack: 'memory' | 'disk'): Promise<void> {
  const cycles = lane.sized(100, 2);
  lane.figure('ack level', ack);
  const { accepted, refused, codes, lost, ledger, told, exitCode, ...times } = await fillAndFree(lane, cycles, ack);
  const most = (values: readonly number[]): number => Math.round(Math.max(...values));
  lane.figure('accepted', accepted);
  lane.figure('refused', refused);
  lane.check('every fill led to a refusal', times.refusalMs.length === cycles, times.refusalMs.length);
  const code = ack === 'memory' ? 'dlq_full' : 'journal_full';
  lane.check(`with the code ${code}`, codes.join() === code, codes.join());
  lane.check('within 100 ms', most(times.refusalMs) <= 100, `${most(times.refusalMs)} ms at most`);
  lane.check(
    'accepts again within 1 s',
    most(times.acceptedAfterMs) <= 1_000,
    `${most(times.acceptedAfterMs)} ms at most`,
  );
  lane.check('lost', lost === 0, lost);
  const isExact = ledger.accepted === accepted && ledger.refused === refused && ledger.delivered === accepted;
  lane.check('the ledger is exact', isExact, JSON.stringify(ledger));
  const lines = told.filter(({ event }) => event === 'disk_full').length;
  // Flood control holds some back.
  lane.check('a full disk is a line or two of the log', lines > 0 && lines <= 2 * cycles, lines);
  lane.check('the daemon stops with 0', exitCode === 0, exitCode ?? 'a signal');
}
