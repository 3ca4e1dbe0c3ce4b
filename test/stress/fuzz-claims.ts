/**
 * What must hold after a run of the fuzz lane, whatever its size. Called by the short run in `npm test` and by the long one.
 */
import type { Test } from 'tap';
import { type FuzzOptions, fuzzIngress } from './ingress-fuzz.ts';

/** The daemon's memory_budget of 64 MiB, and what Node, the SDK and their garbage take beside it. */
const residentBytesMax = 288 * 1024 * 1024;
/** From so many mutants on a run is long enough to tell growth from warming up. */
const levelMutantsMin = 500_000;
/** Garbage of a collector that sees no need; a leak of 50 bytes a mutant is more in a million. */
const growthBytesMax = 32 * 1024 * 1024;

export async function claimsOfFuzz(t: Test, options: FuzzOptions): Promise<void> {
  t.comment(`SEED=${options.seed} FUZZ_MUTANTS=${options.mutants}`);
  const report = await fuzzIngress(t, options);
  t.comment(JSON.stringify(report));
  const { ledger, told, sound, rssBytes, files, exitCode } = report;
  t.ok(report.mutants >= options.mutants, `${report.mutants} mutants on ${report.connections} connections`);
  t.equal(ledger.received, ledger.accepted + ledger.refused, 'received = accepted + refused');
  t.match(ledger, { received: told.received, refused: told.refused }, 'the ledger is what senders were told');
  t.match(
    ledger,
    { delivered: ledger.accepted, inFlight: 0, dlq: 0, dropped: 0 },
    'all that was accepted is delivered',
  );
  t.ok(report.soundExpected > options.mutants / 10, `${report.soundExpected} sound events between the mutants`);
  t.strictSame(sound, { lost: [], twice: [], altered: [] }, 'each of them arrived once, as it was sent');
  t.ok(rssBytes.most < residentBytesMax, `at most ${rssBytes.most} resident bytes`);
  const [warm, end] = [rssBytes.tenths[4] as number, rssBytes.tenths[9] as number];
  // A short run ends before the daemon has touched all of its budget.
  if (options.mutants >= levelMutantsMin) {
    t.ok(end - warm < growthBytesMax, `${warm} resident bytes half-way, ${end} at the end`);
  }
  t.ok(files.after <= files.before + 8, `${files.before} open files before, ${files.after} after`);
  t.equal(exitCode, 0, 'the daemon ends in good order');
}
